// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "base/naming.h"
#include "base/sha256.h"
#include "base/tensor.h"
#include "base/text.h"
#include "base/transient_heap.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

std::string sha(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text)));
}

TEST(Sha256, KnownAnswers) {  // FIPS 180-4 examples, and the lengths around the padding's border.
  EXPECT_EQ(sha(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Text, NearestHelpsWithTyposOnly) {
  const std::vector<std::string> flags{"--iterations", "--model", "--batch"};
  EXPECT_EQ(nearest("--iteration", flags), "--iterations");
  EXPECT_EQ(nearest("--modle", flags), "--model");
  EXPECT_EQ(nearest("--zzzzzz", flags), "");
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(join_words(std::vector<std::string>{"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(split(":a:", ':'), (std::vector<std::string>{"", "a", ""}));
}

TEST(Text, ForeignText) {
  EXPECT_EQ(trim(std::string_view(" \ta b\r\n\0", 8)), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(printable("a\nb\x7f"), "a?b?");
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(printable("ab\u00e9", 3), "ab...");
  EXPECT_EQ(printable("\u00e9\u20ac\U0001F600"), "\u00e9\u20ac\U0001F600");
  // A continuation alone, a cut character, '/' in two bytes, a surrogate, beyond U+10FFFF.
  EXPECT_EQ(printable("\x80|\xe2\x82|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xff"),
            "?|??|??|???|????|?");
}

TEST(Text, WholeNumbers) {
  EXPECT_EQ(parse_integer<int>("-12"), -12);
  EXPECT_EQ(parse_integer<unsigned>("fF", 16), 255U);
  EXPECT_EQ(parse_integer<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", " 1", "1 ", "+1", "1.0", "0x1", "2147483648"}) {
    EXPECT_FALSE(parse_integer<int>(bad)) << bad;
  }
  EXPECT_FALSE(parse_integer<unsigned>("-1"));
}

TEST(Naming, PutsANameInFrontOnce) {
  const auto text = [](const std::string& message) {
    try {
      naming("x.npy", [&] { throw runtime_failure(message); });
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kRuntime);
      return std::string(error.what());
    }
    return std::string("nothing thrown");
  };
  EXPECT_EQ(text("cut short"), "x.npy: cut short");
  EXPECT_EQ(text("x.npy: cut short"), "x.npy: cut short");
  EXPECT_EQ(naming("x.npy", [] { return 3; }), 3);
}

TEST(Tensor, ShapesOutOfFilesCannotOverflow) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count({3, 0, std::int64_t{1} << 39}), 0);
  EXPECT_THROW((void)element_count({-1}), Error);
  EXPECT_THROW((void)element_count({std::int64_t{1} << 32, std::int64_t{1} << 32}), Error);
  EXPECT_THROW((void)element_count({INT64_MAX, INT64_MAX, INT64_MAX}), Error);
}

TEST(Tensor, TypesAndBytesAreChecked) {
  const std::array<float, 4> values{1, 2, 3, 4};
  const Tensor tensor = Tensor::from<float>({2, 2}, values);
  EXPECT_EQ(tensor.values<float>()[3], 4);
  EXPECT_THROW((void)tensor.values<double>(), Error);
  EXPECT_THROW((void)tensor.to_int64(), Error);
  EXPECT_THROW((void)tensor.reshaped({3}), Error);
  EXPECT_EQ(tensor.reshaped({4}).bytes().data(), tensor.bytes().data());
  EXPECT_THROW(Tensor(DataType::kFloat32, {2}, tensor.bytes(), nullptr), Error);
  EXPECT_THROW(Tensor(DataType::kFloat32, {1}, tensor.bytes().subspan(1, 4), nullptr), Error);
  EXPECT_FALSE(Tensor());
  EXPECT_TRUE(Tensor(DataType::kFloat32, {0}));
}

class Files : public testing::Test {
 protected:
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                                  std::filesystem::directory_iterator()));
  }
  test::TemporaryFolder owner_;
  std::filesystem::path folder_ = owner_.path();
};

TEST_F(Files, AreReplacedWholeOrNotAtAll) {
  const auto path = folder_ / "x.txt";
  write_file(path, "old");
  {
    AtomicFile file(path);
    file.write("half");
    EXPECT_EQ(read_text_file(path), "old");
  }  // Not committed.
  EXPECT_EQ(read_text_file(path), "old");
  EXPECT_EQ(entries(), 1U);
  AtomicFile file(path);
  file.write("new");
  file.commit();
  EXPECT_EQ(read_text_file(path), "new");
  EXPECT_EQ(entries(), 1U);
}

TEST_F(Files, RefusalsSayWhy) {
  EXPECT_THROW((void)MappedFile::open(folder_ / "none"), Error);
  EXPECT_THROW((void)MappedFile::open(folder_), Error);
  EXPECT_THROW(AtomicFile{folder_}, Error);
  EXPECT_THROW(AtomicFile{folder_ / "none" / "x"}, Error);
  EXPECT_THROW(write_file("/dev/full", "x"), Error);
  write_file(folder_ / "empty", "");
  EXPECT_TRUE(MappedFile::open(folder_ / "empty")->bytes().empty());
}

TEST_F(Files, WhatAnOutputWouldReplaceIsNotRead) {
  const struct Guard {
    ~Guard() { refuse_to_read({}); }
  } guard;
  const auto path = folder_ / "x.txt";
  const auto other = folder_ / "other.txt";
  const auto absent = folder_ / "absent.txt";
  write_file(path, "kept");
  write_file(other, "other");
  std::filesystem::create_symlink(path, folder_ / "link");
  std::filesystem::create_hard_link(path, folder_ / "twin");
  refuse_to_read({{"--csv", absent.string()}, {"--json", (folder_ / "." / "x.txt").string()}});
  for (const char* name : {"x.txt", "link", "twin"}) {
    try {
      (void)read_text_file(folder_ / name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
      EXPECT_NE(std::string(error.what()).find("--json="), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(read_text_file(other), "other");
  // What was written by this process it may read, and the number of what was replaced says nothing.
  write_file(absent, "new");
  EXPECT_EQ(read_text_file(absent), "new");
  write_file(path, "new");
  EXPECT_EQ(read_text_file(path), "new");
  EXPECT_EQ(read_text_file(folder_ / "twin"), "kept");
  refuse_to_read({{"--json", path.string()}});
  EXPECT_THROW((void)MappedFile::open(path), Error);
  refuse_to_read({});
  EXPECT_EQ(read_text_file(path), "new");
}

TEST(TransientHeapTest, ServesOnlyInScopeAndReusesWhenAllIsFree) {
  EXPECT_EQ(TransientHeap::allocate(8), nullptr);
  TransientHeap heap;
  const TransientHeap::Scope scope(heap);
  void* a = TransientHeap::allocate(24);
  void* b = TransientHeap::allocate(0);
  ASSERT_NE(a, nullptr);
  ASSERT_NE(a, b);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b) % alignof(std::max_align_t), 0U);
  EXPECT_TRUE(TransientHeap::release(a));
  EXPECT_NE(TransientHeap::allocate(24), a);  // b still lives behind it.
  EXPECT_EQ(TransientHeap::allocate(1 << 20), nullptr);
  int here = 0;
  EXPECT_FALSE(TransientHeap::release(&here));
}

TEST(TransientHeapTest, IsOneThreadsOwn) {
  TransientHeap heap;
  void* block = nullptr;
  {
    const TransientHeap::Scope scope(heap);
    block = TransientHeap::allocate(8);
    std::thread([&] {
      EXPECT_EQ(TransientHeap::allocate(8), nullptr);
      EXPECT_TRUE(TransientHeap::release(block));  // Freed by another thread, after all.
    }).join();
    EXPECT_EQ(TransientHeap::allocate(8), block);
    EXPECT_TRUE(TransientHeap::release(block));
  }
  EXPECT_EQ(TransientHeap::allocate(8), nullptr);
}

TEST(TransientHeapTest, RunsOutGracefully) {
  std::vector<TransientHeap> heaps(400);  // More than there are slots.
  const TransientHeap::Scope scope(heaps.back());
  EXPECT_EQ(TransientHeap::allocate(8), nullptr);
}

}  // namespace
}  // namespace hedge
