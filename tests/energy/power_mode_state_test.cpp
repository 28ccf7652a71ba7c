// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_state.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/file.h"
#include "energy/modes/power_mode.h"
#include "hedge/error.h"
#include "support/fake_root.h"

namespace hedge {
namespace {

using test::FakeRoot;

PowerState full_state() {
  SavedSettings saved;
  saved.cpus = {{0, "schedutil", 115200, 1510400}, {1, "", std::nullopt, 1510400}};
  saved.turbo = false;
  saved.mode_id = 3;
  saved.mode_name = "7W";
  saved.clocks_file = "/run/hedge/power.json.clocks";
  saved.locked_before_file = "/run/hedge/a \"b\"";
  saved.gpu = "all";
  SavedSettings other;
  other.gpu = "1";
  return {saved, other};
}

std::string reason(const std::string& text) {
  try {
    (void)power_state_from_text(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "";
}

TEST(PowerState, ReadsWhatItWrote) {
  const PowerState state = full_state();
  EXPECT_EQ(power_state_from_text(power_state_to_text(state)), state);
  EXPECT_EQ(power_state_from_text(power_state_to_text({})), PowerState{});
}

TEST(PowerState, RefusesWhatIsBroken) {
  const std::string whole = power_state_to_text(full_state());
  for (std::size_t bytes = 0; bytes + 2 < whole.size(); ++bytes)
    EXPECT_NE(reason(whole.substr(0, bytes)), "") << bytes;
  const std::string schema = R"("schema": "hedge.power-state/1")";
  EXPECT_NE(reason("{}").find("no power state"), std::string::npos);
  EXPECT_NE(reason(R"({"schema": "hedge.power-state/2"})").find("no power state"),
            std::string::npos);
  for (const char* part :
       {R"("run": 1)", R"("run": {"cpus": 1})", R"("run": {"cpus": [1]})",
        R"("run": {"cpus": [{"governor": "x"}]})", R"("run": {"cpus": [{"cpu": -1}]})",
        R"("run": {"cpus": [{"cpu": 1, "min_khz": 1e99}]})", R"("run": {"turbo": 1})",
        R"("run": {"mode_id": 4294967296})", R"("set": {"gpu": 1})", R"("set": [])"})
    EXPECT_NE(reason("{" + schema + ", " + part + "}"), "") << part;
}

TEST(PowerStateFile, WritesReadsAndRemoves) {
  const FakeRoot root;
  root.write("run/x", "");
  PowerStateFile file({}, root.path());
  EXPECT_EQ(file.path(), root.path() / "run/hedge/power.json");
  EXPECT_EQ(file.read(), PowerState{});
  EXPECT_FALSE(std::filesystem::exists(root.path() / "run/hedge")) << "to look leaves nothing";
  ASSERT_TRUE(file.lock());
  file.write(full_state());
  EXPECT_EQ(file.read(), full_state());
  file.write({});
  EXPECT_FALSE(std::filesystem::exists(file.path()));
  file.write({});
}

TEST(PowerStateFile, IsReadableByTrustWhateverTheMask) {
  const FakeRoot root;
  const auto path = root.path() / "state.json";
  const PowerStateFile file(path, root.path());
  const mode_t mask = ::umask(0);
  file.write(full_state());
  EXPECT_EQ(::umask(mask), 0U);
  EXPECT_EQ(file.read(), full_state());
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  EXPECT_THROW((void)file.read(), Error);
}

TEST(PowerStateFile, OneHoldsTheLock) {
  const FakeRoot root;
  const auto path = root.path() / "state.json";
  PowerStateFile second(path, root.path());
  {
    PowerStateFile first(path, root.path());
    EXPECT_FALSE(second.locked_by_other());
    ASSERT_TRUE(first.lock());
    EXPECT_FALSE(first.locked_by_other());
    EXPECT_TRUE(second.locked_by_other());
    EXPECT_FALSE(second.lock());
  }
  EXPECT_FALSE(second.locked_by_other());
  EXPECT_TRUE(second.lock());
}

TEST(Merged, TheFirstChangeKnowsWhatWasBefore) {
  SavedSettings first;
  first.cpus = {{0, "schedutil", std::nullopt, 2}, {1, "", 5, 6}};
  first.gpu = "0";
  SavedSettings second;
  second.cpus = {{0, "performance", 1, 3}, {1, "powersave", 6, 6}, {2, "x", 7, 8}};
  second.mode_id = 0;
  second.mode_name = "15W";
  second.clocks_file = "c";
  second.gpu = "1";
  const SavedSettings both = merged(first, second);
  const std::vector<SavedSettings::Cpu> cpus{
      {0, "schedutil", 1, 2}, {1, "powersave", 5, 6}, {2, "x", 7, 8}};
  EXPECT_EQ(both.cpus, cpus);
  EXPECT_EQ(both.mode_id, 0);
  EXPECT_EQ(both.mode_name, "15W");
  EXPECT_EQ(both.clocks_file, "c");
  EXPECT_EQ(both.gpu, "all");
}

}  // namespace
}  // namespace hedge
