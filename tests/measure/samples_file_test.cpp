// SPDX-License-Identifier: Apache-2.0
#include "measure/samples_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/file.h"
#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

using nlohmann::json;

PacedRun two_requests() {
  PacedRun run;
  run.begin_ns = 1000;
  run.samples = {{.scheduled_ns = 1000, .begin_ns = 1010, .end_ns = 1050, .after_idle = false},
                 {.scheduled_ns = 2000, .begin_ns = 2030, .end_ns = 2075, .after_idle = true}};
  return run;
}

TEST(SamplesFile, OfALoop) {
  const test::TemporaryFolder folder;
  const std::string csv = (folder.path() / "s.csv").string();
  write_samples(csv, std::vector<std::int64_t>{30, 10, 20}, {});
  EXPECT_EQ(read_text_file(csv), "repetition,index,latency_ns\n0,0,30\n0,1,10\n0,2,20\n");
  write_samples(csv, std::vector<std::int64_t>{30, 10}, std::vector<std::int64_t>{0, 1});
  EXPECT_EQ(read_text_file(csv), "repetition,index,latency_ns\n0,0,30\n1,1,10\n");

  const std::string file = (folder.path() / "s.json").string();
  write_samples(file, std::vector<std::int64_t>{30, 10}, std::vector<std::int64_t>{0, 1});
  EXPECT_EQ(
      json::parse(read_text_file(file)),
      (json{{"schema", "hedge.samples/1"}, {"latency_ns", {30, 10}}, {"repetition", {0, 1}}}));
  write_samples(file, std::vector<std::int64_t>{}, {});
  EXPECT_EQ(json::parse(read_text_file(file)),
            (json{{"schema", "hedge.samples/1"}, {"latency_ns", json::array()}}));
}

TEST(SamplesFile, OfAPacedLoad) {
  const test::TemporaryFolder folder;
  const std::string csv = (folder.path() / "s.csv").string();
  write_samples(csv, two_requests());
  EXPECT_EQ(read_text_file(csv),
            "index,scheduled_ns,begin_ns,end_ns,after_idle\n0,0,10,50,0\n1,1000,1030,1075,1\n");
  const std::string file = (folder.path() / "s.json").string();
  write_samples(file, two_requests());
  EXPECT_EQ(json::parse(read_text_file(file)), (json{{"schema", "hedge.samples/1"},
                                                     {"latency_ns", {40, 45}},
                                                     {"scheduled_ns", {0, 1000}},
                                                     {"begin_ns", {10, 1030}},
                                                     {"after_idle", {false, true}}}));
}

TEST(SamplesFile, OfManySamplesIsWhole) {
  const test::TemporaryFolder folder;
  const std::string file = (folder.path() / "s.json").string();
  std::vector<std::int64_t> ns(300'000);
  for (std::size_t i = 0; i < ns.size(); ++i) ns[i] = static_cast<std::int64_t>(i) * 7;
  write_samples(file, ns, {});
  EXPECT_EQ(json::parse(read_text_file(file))["latency_ns"].get<std::vector<std::int64_t>>(), ns);
}

TEST(SamplesFile, RefusesOtherNamesAndFolders) {
  EXPECT_THROW(require_samples_extension("samples.txt"), Error);
  EXPECT_NO_THROW(require_samples_extension("a.b.csv"));
  EXPECT_THROW(write_samples("/no/such/folder/s.csv", two_requests()), Error);
}

}  // namespace
}  // namespace hedge
