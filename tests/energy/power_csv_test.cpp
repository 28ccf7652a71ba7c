// SPDX-License-Identifier: Apache-2.0
#include "energy/power_csv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "energy/integrate.h"
#include "energy/time_stamp.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::int64_t kS = 1'000'000'000;
constexpr std::int64_t k2026 = 1'767'225'600 * kS;  // 2026-01-01T00:00:00Z

PowerRecording parse(std::string_view text) {
  return parse_power_csv(text, "power.csv");
}

struct Case {
  const char* name;
  const char* text;
  bool absolute;
  std::int64_t first_ns;
  double first_watts;
  double last_watts;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class GoodCsv : public testing::TestWithParam<Case> {};

TEST_P(GoodCsv, IsRead) {
  const Case c = GetParam();
  const PowerRecording recording = parse(c.text);
  EXPECT_EQ(recording.absolute, c.absolute);
  ASSERT_GE(recording.samples.size(), 2U);
  EXPECT_EQ(recording.samples.front().time_ns, c.first_ns);
  EXPECT_NEAR(recording.samples.front().watts, c.first_watts, 1e-12);
  EXPECT_NEAR(recording.samples.back().watts, c.last_watts, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(
    Csv, GoodCsv,
    testing::Values(
        Case{"plain", "time_s,power_W\n0,5\n0.1,6\n", false, 0, 5, 6},
        Case{"milliwatts in brackets", "Time [ms],Power (mW)\n100,5000\n200,6000\n", false, kS / 10,
             5, 6},
        Case{"volts and amperes", "t_s;voltage_V;current_mA\n0;5,0;1000\n1;5,1;2000\n", false, 0, 5,
             10.2},
        Case{"names that are units", "seconds\tvolts\tamps\n0\t5\t2\n1\t5\t3\n", false, 0, 10, 15},
        Case{"lone units", "s,V,A\n0,5,2\n1,5,3\n", false, 0, 10, 15},
        Case{"power wins over its factors", "time_s,V,A,W\n0,5,2,11\n1,5,2,12\n", false, 0, 11, 12},
        Case{"other columns, comments, blanks, CRLF, BOM",
             "\xEF\xBB\xBF# logger 3\r\ntime_s,note,power_W\r\n\r\n0,a,5\r\n# "
             "half\r\n1,\"b,c\",6\r\n",
             false, 0, 5, 6},
        Case{"micro sign", "time_\xC2\xB5s,power_W\n1000000,5\n2000000,6\n", false, kS, 5, 6},
        Case{"Unix time", "time_unix_s,power_W\n1767225600,5\n1767225601,6\n", true, k2026, 5, 6},
        Case{"Unix time in ms", "unix_ms,power_W\n1767225600000,5\n1767225601000,6\n", true, k2026,
             5, 6},
        Case{"ISO 8601", "timestamp,power_W\n2026-01-01T00:00:00Z,5\n2026-01-01T00:00:01Z,6\n",
             true, k2026, 5, 6},
        Case{"with an offset",
             "timestamp,power_W\n2026-01-01 01:00:00.0+01:00,5\n2026-01-01 01:00:01+0100,6\n", true,
             k2026, 5, 6},
        Case{"UTC by the header",
             "timestamp_utc,power_W\n2026-01-01 00:00:00,5\n2026-01-01 00:00:01,6\n", true, k2026,
             5, 6},
        Case{"negative and signed", "time_s,power_W\n-1,+5\n1,-6\n", false, -kS, 5, -6}));

struct BadCase {
  const char* name;
  const char* text;
  const char* says;
};
void PrintTo(const BadCase& c, std::ostream* out) {
  *out << c.name;
}

class BadCsv : public testing::TestWithParam<BadCase> {};

TEST_P(BadCsv, IsRefusedInOneLine) {
  const BadCase c = GetParam();
  try {
    (void)parse(c.text);
    FAIL() << "taken";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    EXPECT_EQ(what.find("power.csv: "), 0U) << what;
    EXPECT_NE(what.find(c.says), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Csv, BadCsv,
    testing::Values(
        BadCase{"empty", "", "is empty"}, BadCase{"only comments", "# a\n\n", "is empty"},
        BadCase{"no header", "0,5\n1,6\n", "line 1: the header names no time"},
        BadCase{"no rows", "time_s,power_W\n", "0 rows"},
        BadCase{"one row", "time_s,power_W\n0,1\n", "1 rows"},
        BadCase{"no power", "time_s,temperature_C\n0,1\n1,2\n", "names no power"},
        BadCase{"volts alone", "time_s,voltage_V\n0,1\n1,2\n", "names no power"},
        BadCase{"no unit", "time_s,power\n0,1\n1,2\n", "'power' states no unit"},
        BadCase{"megawatts", "time_s,power_MW\n0,1\n1,2\n", "'power_MW' states no unit"},
        BadCase{"volts of power", "time_s,power_V\n0,1\n1,2\n", "'power_V' states no unit"},
        BadCase{"no unit of time", "time,power_W\n0,1\n1,2\n", "write time_s"},
        BadCase{"two powers", "time_s,power_W,p_mW\n0,1,1\n1,2,2\n", "tell the same"},
        BadCase{"local time", "timestamp,power_W\n2026-01-01 00:00:00,5\n2026-01-01 00:00:01,6\n",
                "line 2: the time stamp '2026-01-01 00:00:00' is local time"},
        BadCase{"out of order", "time_s,power_W\n0,1\n2,2\n1,3\n",
                "line 4: the time stamp lies before"},
        BadCase{"twice", "time_s,power_W\n0,1\n0,2\n", "line 3: the time stamp of the row before"},
        BadCase{"no number", "time_s,power_W\n0,1\n1,x\n", "line 3: 'x' in column 'power_W'"},
        BadCase{"too short", "time_s,power_W\n0,1\n1\n", "line 3: has no column 2"},
        BadCase{"no time", "time_s,power_W\n0,1\nnoon,2\n", "line 3: 'noon' in column 'time_s'"},
        BadCase{"Unix time unnamed", "time_s,power_W\n1767225600,5\n1767225601,6\n",
                "name it time_unix_s"},
        BadCase{"nonsense", "time_s,power_kW\n0,1e9\n1,1\n", "is the unit right?"},
        BadCase{"no such time", "time_s,power_W\n1e300,1\n2e300,2\n", "is its unit right?"},
        BadCase{"kinds mixed", "time_s,power_W\n0,1\n2026-01-01T00:00:01Z,6\n", "are mixed"},
        BadCase{"infinite", "time_s,power_W\n0,inf\n1,1\n", "no number"},
        BadCase{"control characters", "time_s,power_W\n0,1\n1,\x01\x02\n", "line 3"}));

TEST(PowerCsv, EmptyCellsAreNoReadings) {
  const PowerRecording recording = parse("time_s,power_W\n0,1\n1,\n2,nan\n3,-\n4,5\n");
  EXPECT_EQ(recording.samples.size(), 2U);
  EXPECT_EQ(recording.rows_without_value, 3);
}

TEST(PowerCsv, EveryRowIsASample) {
  std::string text = "time_s,power_W\n";
  for (int i = 0; i < 100; ++i) text += std::to_string(i / 10.0) + (i == 7 ? ",nan\n" : ",5.00\n");
  const RailTrace trace = trace_of(parse(text), 0);
  EXPECT_EQ(trace.points().size(), 99U);
  EXPECT_EQ(trace.failed_readings(), 1);
  EXPECT_DOUBLE_EQ(trace.rail().resolution, 0.01);
  // A meter that shows the same power all the time is certain to half of its last digit.
  const RailEnergy energy = integrate(trace, {kS, 9 * kS});
  EXPECT_EQ(energy.distinct_samples, 81);
  EXPECT_NEAR(energy.joules.value(), 40, 1e-9);
  EXPECT_NEAR(energy.half_width.value(), 1.96 * 0.005 / std::sqrt(3.0) * 8, 1e-3);
  EXPECT_NEAR(energy.refresh_seconds.value(), 0.1, 1e-6);
}

TEST(PowerCsv, TheLastDigitIsTheResolution) {
  EXPECT_DOUBLE_EQ(parse("time_s,power_mW\n0,5.0\n1,5.25\n").resolution, 1e-5);
  EXPECT_DOUBLE_EQ(parse("time_s;power_W\n0;5,0\n1;5,2\n").resolution, 0.1);
  EXPECT_DOUBLE_EQ(parse("time_s,power_W\n0,5e-1\n1,5.2e-1\n").resolution, 0.01);
  EXPECT_DOUBLE_EQ(parse("time_s,power_W\n0,5.1e+02\n1,5.2E+02\n").resolution, 10);
  EXPECT_DOUBLE_EQ(parse("time_s,power_W\n0,5\n1,6\n").resolution, 1);
  // Of 5.0 V and 2.00 A: 0.01 A of 5 V, and 0.1 V of 2 A.
  EXPECT_DOUBLE_EQ(parse("time_s,volts,amps\n0,5.0,2.00\n1,5.0,2.00\n").resolution,
                   std::hypot(5 * 0.01, 2 * 0.1));
}

TEST(PowerCsv, ALogThatIsStillWrittenIsLookedAt) {
  const auto check = [](std::string_view text) { return check_power_csv(text, "power.csv"); };
  EXPECT_FALSE(check("").has_value());
  EXPECT_FALSE(check("time_s,pow").has_value());
  EXPECT_FALSE(check("time_s,power_W\n").has_value());
  EXPECT_FALSE(check("time_s,power_W\n0,1").has_value());
  EXPECT_FALSE(check("time_s,power_W\n0,1\n1,").value());
  EXPECT_TRUE(check("time_unix_s,power_W\n1767225600,1\n").value());
  EXPECT_THROW((void)check("time_s,power\n"), Error);
  EXPECT_THROW((void)check("timestamp,power_W\n2026-01-01 00:00:00,1\n"), Error);
  EXPECT_THROW((void)check("time_s,power_W\n1,1\n0,1\n"), Error);
}

TEST(PowerCsv, ATraceKnowsItsGapsAndSteps) {
  std::string text = "time_s,power_W\n";
  for (int i = 0; i < 100; ++i) {
    if (i >= 50 && i < 60) continue;
    text += std::to_string(i / 10.0) + "," + std::to_string(5 + 0.25 * (i % 3)) + "\n";
  }
  const RailTrace trace = trace_of(parse(text), 7 * kS);
  EXPECT_EQ(trace.points().front().time_ns, 7 * kS);
  EXPECT_DOUBLE_EQ(trace.rail().resolution, 0.25);
  EXPECT_EQ(trace.gap_ns(), kS / 2);
  int gaps = 0;
  for (const TracePoint& point : trace.points()) gaps += point.after_gap ? 1 : 0;
  EXPECT_EQ(gaps, 1);
}

TEST(TimeStamp, IsRead) {
  EXPECT_EQ(parse_time_stamp("2026-01-01T00:00:00Z")->unix_ns, k2026);
  EXPECT_EQ(parse_time_stamp("1970-01-01 00:00:00.000000001 UTC")->unix_ns, 1);
  EXPECT_EQ(parse_time_stamp("2026-01-01T00:00:00,5-00:30")->unix_ns, k2026 + 1800 * kS + kS / 2);
  EXPECT_EQ(parse_time_stamp("2026/01/01 05:30:00+05:30")->unix_ns, k2026);
  EXPECT_EQ(parse_time_stamp("2024-02-29T00:00:00+00")->unix_ns, 1'709'164'800 * kS);
  EXPECT_TRUE(parse_time_stamp("2026-01-01T00:00:00+01")->has_zone);
  EXPECT_FALSE(parse_time_stamp("2026-01-01T00:00:00")->has_zone);
}

TEST(TimeStamp, IsRefused) {
  for (const char* text :
       {"", "now", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+1", "2026-01-01T00:00:00 CET",
        "2026-01-01T00:00:00+01:00x", "26-01-01T00:00:00Z", "+026-01-01T00:00:00Z",
        "2026-01-01T00:00:00+01:", "12.5"}) {
    EXPECT_FALSE(parse_time_stamp(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace hedge
