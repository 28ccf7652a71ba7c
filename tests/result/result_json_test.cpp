// SPDX-License-Identifier: Apache-2.0
#include "result/result_json.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/file.h"
#include "hedge/error.h"
#include "result/full_result.h"

namespace hedge {
namespace {

using nlohmann::json;
using test::full_result;

Result minimal_result() {
  Result result;
  result.program = "info";
  result.time_utc = "2026-01-31T23:59:59Z";
  result.hedge_version = "0.1.0";
  return result;
}

/// Word for word what other programs parse: a change here is a change of the schema.
std::string full_result_text() {
  return read_text_file(HEDGE_SOURCE_DIR "/tests/result/full_result.json");
}

/// The message of the error that reading `value` gives; empty when it reads.
std::string read_error(const json& value) {
  try {
    (void)result_from_json(value, "r.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return {};
}

json minimal_json() {
  return json::parse(result_to_text(minimal_result()));
}

TEST(ResultJson, GoldenText) {
  EXPECT_EQ(result_to_text(full_result()), full_result_text());
}

TEST(ResultJson, FullRoundTrip) {
  const auto results = results_from_text(full_result_text(), "golden");
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results.front(), full_result());
}

TEST(ResultJson, WhatWasNotMeasuredIsAbsent) {
  EXPECT_EQ(result_to_text(minimal_result()), R"({
  "schema": "hedge.result/1",
  "program": "info",
  "time_utc": "2026-01-31T23:59:59Z",
  "hedge_version": "0.1.0"
}
)");
  EXPECT_EQ(result_from_json(minimal_json(), ""), minimal_result());
}

TEST(ResultJson, ZeroIsAMeasurement) {
  Result result = minimal_result();
  result.accuracy.emplace();
  result.accuracy->top1 = 0.0;
  result.accuracy->correct = 0;
  const auto value = result_to_json(result);
  EXPECT_EQ(value["accuracy"].dump(), R"({"top1":0.0,"correct":0})");
  EXPECT_EQ(results_from_text(result_to_text(result), "").front(), result);
}

TEST(ResultJson, NumbersThatAreNotFiniteAreLeftOut) {
  Result result = minimal_result();
  result.throughput_per_s = std::numeric_limits<double>::infinity();
  result.accuracy.emplace();
  result.accuracy->top1_ci95 = Range{0, std::numeric_limits<double>::quiet_NaN()};
  result.hi.emplace();
  result.hi->parameters = {1, std::numeric_limits<double>::quiet_NaN()};
  result.hi->offloads = 1;
  const auto value = result_to_json(result);
  EXPECT_FALSE(value.contains("throughput_per_s"));
  EXPECT_EQ(value["accuracy"].dump(), "{}");
  EXPECT_EQ(value["hi"].dump(), R"({"offloads":1})");
}

TEST(ResultJson, NamesThatAreNoUtf8AreWritten) {
  Result result = minimal_result();
  result.model.file = "r\xff.onnx";
  EXPECT_NE(result_to_text(result).find("r\xEF\xBF\xBD.onnx"), std::string::npos);
}

TEST(ResultJson, AFlagMustNotHideAField) {
  Result result = minimal_result();
  result.config.threads = 2;
  result.config.flags["threads"] = 8;
  EXPECT_THROW((void)result_to_json(result), Error);
}

TEST(ResultJson, UnknownKeysOfNewerFilesAreSkipped) {
  json value = minimal_json();
  value["carbon"] = {{"g", 1}};
  value["latency_us"] = {{"p50", 5}, {"p9999", 9}, {"ci95", {{"p9999", {1, 2}}}}};
  const Result result = result_from_json(value, "");
  EXPECT_EQ(result.latency_us.value().p50, 5.0);
}

TEST(ResultJson, SweepsAreArrays) {
  Result second = minimal_result();
  second.config.batch = 4;
  const std::vector<Result> sweep{minimal_result(), second};
  const std::string text = results_to_text(sweep);
  EXPECT_EQ(text.front(), '[');
  EXPECT_EQ(results_from_text(text, ""), sweep);
  EXPECT_EQ(results_to_text(std::span(sweep).first(1)), result_to_text(sweep[0]));
  EXPECT_TRUE(results_from_text(results_to_text({}), "").empty());
}

TEST(ResultJson, RefusesWrongTypesWithTheirPath) {
  struct Case {
    const char* patch;  // merged into a minimal result
    const char* message;
  };
  for (const Case& c : {
           Case{R"({"program": 5})", "r.json: program: a text is needed, found number"},
           Case{R"({"latency_us": {"p50": "5"}})",
                "r.json: latency_us.p50: a number is needed, found string"},
           Case{R"({"latency_us": {"ci95": {"p50": [1]}}})",
                "r.json: latency_us.ci95.p50: a list of two numbers is needed, found array"},
           Case{R"({"latency_us": {"ci95": {"p50": [1, true]}}})",
                "r.json: latency_us.ci95.p50[1]: a number is needed, found boolean"},
           Case{R"({"latency_us": {"ci95": {"p50": [2, 1]}}})",
                "r.json: latency_us.ci95.p50: the lower end, 2, is above the upper end, 1"},
           Case{R"({"latency_us": []})", "r.json: latency_us: an object is needed, found array"},
           Case{R"({"config": {"batch": 1.5}})",
                "r.json: config.batch: a whole number is needed, found number"},
           Case{R"({"config": {"batch": 9223372036854775808}})",
                "r.json: config.batch: the number is too large"},
           Case{R"({"config": {"cuda_graph": 1}})",
                "r.json: config.cuda_graph: true or false is needed, found number"},
           Case{R"({"warnings": ["a", 2]})", "r.json: warnings[1]: a text is needed, found number"},
           Case{R"({"warnings": "a"})", "r.json: warnings: a list is needed, found string"},
           Case{R"({"conditions": {"before": 3}})",
                "r.json: conditions.before: an object is needed, found number"},
           Case{R"({"validity": {"verdict": "MAYBE"}})",
                "r.json: validity.verdict: VALID or INVALID is needed, found 'MAYBE'"},
           Case{R"({"validity": {"reasons": []}})", "r.json: validity.verdict: is missing"},
       }) {
    json value = minimal_json();
    value.update(json::parse(c.patch));
    EXPECT_EQ(read_error(value), c.message);
  }
  json null_value = minimal_json();
  null_value["throughput_per_s"] = nullptr;
  EXPECT_EQ(read_error(null_value), "r.json: throughput_per_s: a number is needed, found null");
}

TEST(ResultJson, RefusesWhatIsNoResult) {
  json missing = minimal_json();
  missing.erase("time_utc");
  EXPECT_EQ(read_error(missing), "r.json: time_utc: is missing");
  json newer = minimal_json();
  newer["schema"] = "hedge.result/2";
  EXPECT_EQ(read_error(newer),
            "r.json: schema: this version reads hedge.result/1, not 'hedge.result/2'");
  for (const char* text : {"{}", "5", "null", "\"x\"", R"({"schema": 1})"}) {
    EXPECT_NE(read_error(json::parse(text)).find("is no result"), std::string::npos) << text;
  }
}

TEST(ResultJson, RefusesWhatIsNoJsonInOneLine) {
  for (const char* text : {"", "{", "[1,", "{\"a\": 1e999}", "\n\n{\n]", "\xff\xfe"}) {
    try {
      (void)results_from_text(text, "r.json");
      ADD_FAILURE() << "read: " << text;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind("r.json: is no JSON: ", 0), 0U) << message;
      EXPECT_EQ(message.find("exception"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

TEST(Result, IsStampedWithProgramTimeAndVersion) {
  const Result result = make_result("info", std::chrono::system_clock::time_point{});
  EXPECT_EQ(result.program, "info");
  EXPECT_EQ(result.time_utc, "1970-01-01T00:00:00Z");
  EXPECT_FALSE(result.hedge_version.empty());
}

TEST(Result, TimeIsUtcRoundedDown) {
  using std::chrono::milliseconds;
  using std::chrono::system_clock;
  const auto at = [](std::int64_t ms) {
    return utc_time_text(system_clock::time_point(
        std::chrono::duration_cast<system_clock::duration>(milliseconds(ms))));
  };
  EXPECT_EQ(at(1709210096999), "2024-02-29T12:34:56Z");
  EXPECT_EQ(at(-1), "1969-12-31T23:59:59Z");
}

}  // namespace
}  // namespace hedge
