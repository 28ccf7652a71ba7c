// SPDX-License-Identifier: Apache-2.0
#include "data/decode_ahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/cancellation.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// 1,000 bytes an image; image 13 cannot be read. Counts what is going on.
class SlowDataset final : public Dataset {
 public:
  struct Log {
    std::mutex mutex;
    std::vector<std::size_t> read;
    std::atomic<int> at_work{0};
    std::atomic<int> most_at_work{0};
    std::atomic<int> delay_us{200};
    std::size_t times(std::size_t index) {
      const std::lock_guard lock(mutex);
      return static_cast<std::size_t>(std::count(read.begin(), read.end(), index));
    }
    std::size_t reads() {
      const std::lock_guard lock(mutex);
      return read.size();
    }
  };

  SlowDataset(Log& log, std::size_t size, bool decodes = true)
      : log_(log), size_(size), decodes_(decodes) {}
  [[nodiscard]] std::size_t size() const override { return size_; }
  [[nodiscard]] int classes() const override { return 1000; }
  [[nodiscard]] int label(std::size_t index) const override { return static_cast<int>(index); }
  [[nodiscard]] bool decodes() const override { return decodes_; }
  [[nodiscard]] Image image(std::size_t index) const override {
    const int now = ++log_.at_work;
    log_.most_at_work = std::max<int>(log_.most_at_work, now);
    std::this_thread::sleep_for(std::chrono::microseconds(log_.delay_us.load()));
    {
      const std::lock_guard lock(log_.mutex);
      log_.read.push_back(index);
    }
    --log_.at_work;
    if (index == 13) throw bad_input("image 13 is broken");
    auto pixels =
        std::make_shared<std::vector<std::uint8_t>>(1000, static_cast<std::uint8_t>(index));
    return {.pixels = *pixels, .label = static_cast<int>(index), .owner = pixels};
  }

 private:
  Log& log_;
  std::size_t size_;
  bool decodes_;
};

struct Case {
  int threads;
  bool overlap;
};

class DecodeAhead : public testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Dataset> make(std::size_t size, std::size_t window, std::size_t images = 100000) {
    return decode_ahead(std::make_unique<SlowDataset>(log_, size), {.threads = GetParam().threads,
                                                                    .images = images,
                                                                    .memory_bytes = window * 1000,
                                                                    .overlap = GetParam().overlap});
  }
  static void expect(const Dataset& dataset, std::size_t index) {
    const Image image = dataset.image(index);
    ASSERT_EQ(image.label, static_cast<int>(index));
    ASSERT_EQ(image.pixels[999], index % 256);
  }
  SlowDataset::Log log_;
};

TEST_P(DecodeAhead, EveryImageInItsPlaceAndReadOnce) {
  const auto dataset = make(12, 5);
  const std::size_t before = log_.reads();
  for (std::size_t i = 0; i < 12; ++i) expect(*dataset, i);
  EXPECT_EQ(log_.reads() - before, 12U);
  for (std::size_t i = 0; i < 12; ++i) expect(*dataset, i);  // And again from the first.
}

TEST_P(DecodeAhead, AnyOrder) {
  const auto dataset = make(100, 4);
  for (const std::size_t i : {99U, 0U, 1U, 0U, 50U, 51U, 52U, 53U, 54U, 2U, 2U, 3U, 98U, 99U}) {
    expect(*dataset, i);
  }
}

TEST_P(DecodeAhead, AnErrorComesAtItsImage) {
  const auto dataset = make(30, 8);
  for (std::size_t i = 0; i < 30; ++i) {
    if (i == 13) {
      EXPECT_THROW((void)dataset->image(13), Error);
      EXPECT_THROW((void)dataset->image(13), Error);
    } else {
      expect(*dataset, i);
    }
  }
}

TEST_P(DecodeAhead, PixelsOutliveTheWindow) {
  const auto dataset = make(50, 2);
  const Image first = dataset->image(0);
  for (std::size_t i = 1; i < 13; ++i) expect(*dataset, i);
  EXPECT_EQ(first.pixels[500], 0);
}

TEST_P(DecodeAhead, OnlyAsManyAheadAsAskedFor) {
  auto dataset = make(50, 40, 3);
  expect(*dataset, 0);
  expect(*dataset, 2);
  expect(*dataset, 7);
  dataset.reset();
  for (const std::size_t i : {1U, 2U, 7U}) EXPECT_EQ(log_.times(i), 1U) << i;
  for (const std::size_t i : {3U, 4U, 8U, 9U}) EXPECT_EQ(log_.times(i), 0U) << i;
}

TEST_P(DecodeAhead, CancellationEndsTheWait) {
  log_.delay_us = 1000;
  auto dataset = make(100000, 4000);
  request_cancellation();
  const auto begin = std::chrono::steady_clock::now();
  expect(*dataset, 0);
  expect(*dataset, 1);
  const auto took = std::chrono::steady_clock::now() - begin;
  dataset.reset();
  cancellation_flag = false;
  EXPECT_LT(log_.reads(), 1500U);
  EXPECT_LT(took, std::chrono::seconds(3));
}

TEST_P(DecodeAhead, EndsWhileThreadsAreAtWork) {
  for (int i = 0; i < 20; ++i) {
    const auto dataset = make(1000, 30);
    expect(*dataset, 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, DecodeAhead,
                         testing::Values(Case{1, false}, Case{3, false}, Case{1, true},
                                         Case{3, true}),
                         [](const auto& info) {
                           return std::to_string(info.param.threads) +
                                  (info.param.overlap ? "Overlap" : "Between");
                         });

TEST(DecodeAheadBetween, NobodyWorksWhenTheImageIsThere) {
  SlowDataset::Log log;
  const auto dataset = decode_ahead(std::make_unique<SlowDataset>(log, 40),
                                    {.threads = 3, .images = 40, .memory_bytes = 8000});
  for (std::size_t i = 0; i < 13; ++i) {
    (void)dataset->image(i);
    ASSERT_EQ(log.at_work, 0);
    const std::size_t reads = log.reads();
    if (i % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_EQ(log.reads(), reads);
  }
  EXPECT_GT(log.most_at_work, 1);
}

TEST(DecodeAheadBetween, WhatNeedsNoDecodingIsLeftAlone) {
  SlowDataset::Log log;
  auto plain = std::make_unique<SlowDataset>(log, 4, false);
  const Dataset* address = plain.get();
  EXPECT_EQ(decode_ahead(std::move(plain), {.threads = 2, .images = 4}).get(), address);
}

}  // namespace
}  // namespace hedge
