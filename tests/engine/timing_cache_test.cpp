// SPDX-License-Identifier: Apache-2.0
#include "engine/timing_cache.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

TEST(TimingCache, KeepsWhatEachTunerHasFound) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "timing.cache";
  EXPECT_FALSE(TimingCache(path).find("a CPU").has_value());
  TimingCache(path).keep("a CPU", {{"conv", "winograd"}});
  TimingCache(path).keep("a GPU", {{"conv", "m1n2"}, {"other", "m2n4"}});
  const TimingCache cache(path);
  EXPECT_EQ(cache.find("a CPU"), (TacticWords{{"conv", "winograd"}}));
  EXPECT_EQ(cache.find("a GPU").value().size(), 2U);
  EXPECT_FALSE(cache.find("another GPU").has_value());
  const TimingCache none{std::filesystem::path()};
  none.keep("a CPU", {});
  EXPECT_FALSE(none.find("a CPU").has_value());
}

TEST(TimingCache, RefusesOtherFiles) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "timing.cache";
  for (const std::string text : {"no JSON", "{}", R"({"schema":"hedge.result/1"})",
                                 R"({"schema":"hedge.timing-cache/1","key":[1]})"}) {
    write_file(path, text);
    EXPECT_THROW(TimingCache{path}, Error) << text;
  }
}

TEST(TimingCache, LeavesABinaryFileAlone) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "timing.cache";
  const std::string others("TRT\0\1", 5);
  write_file(path, others);
  TimingCache(path).keep("a CPU", {{"conv", "winograd"}});
  EXPECT_TRUE(TimingCache(path).find("a CPU").has_value());
  EXPECT_EQ(read_text_file(path), others);
  EXPECT_TRUE(TimingCache(path.string() + ".hedge").find("a CPU").has_value());
}

}  // namespace
}  // namespace hedge
