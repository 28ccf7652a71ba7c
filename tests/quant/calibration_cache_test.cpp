// SPDX-License-Identifier: Apache-2.0
#include "quant/calibration_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hedge/error.h"

namespace hedge {
namespace {

const std::string kHeader = "TRT-8602-EntropyCalibration2\n";

std::string refusal(const std::string& text) {
  try {
    (void)parse_calibration_cache(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "taken";
}

void expect_refused(const std::string& text, const std::string& word) {
  const std::string message = refusal(text);
  EXPECT_NE(message.find(word), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(CalibrationCache, ReadsWhatTensorRtWrites) {
  const auto cache = parse_calibration_cache(
      kHeader + "input_1: 3c010a14\n(Unnamed Layer* 4) [x]_output: 3d8a1f2b\n");
  EXPECT_EQ(cache.header, "TRT-8602-EntropyCalibration2");
  ASSERT_EQ(cache.entries.size(), 2U);
  // 0x3c010a14 by Python's struct.unpack(">f", bytes.fromhex("3c010a14")).
  EXPECT_FLOAT_EQ(cache.entries[0].scale, 0.007875937968492508F);
  EXPECT_EQ(cache.entries[1].tensor, "(Unnamed Layer* 4) [x]_output");
}

TEST(CalibrationCache, ComesBackByteForByte) {
  const std::string text = kHeader + "a: 3c010a14\nname: with: colons: 1f000000\nb c: 60000000\n";
  EXPECT_EQ(to_text(parse_calibration_cache(text)), text);
  EXPECT_EQ(parse_calibration_cache(text).entries[1].tensor, "name: with: colons");
}

TEST(CalibrationCache, WritesNoNameThatItCouldNotRead) {
  EXPECT_THROW((void)to_text({.header = "TRT-8602-EntropyCalibration2", .entries = {{"a\nb", 1}}}),
               Error);
}

TEST(CalibrationCache, TakesLineEndsOfWindows) {
  const auto cache =
      parse_calibration_cache("TRT-100300-EntropyCalibration2\r\na: 3c010a14\r\n\r\n");
  EXPECT_EQ(cache.header, "TRT-100300-EntropyCalibration2");
  EXPECT_NE(cache.find("a"), nullptr);
}

TEST(CalibrationCache, ComesBackWhateverLineEndsItHad) {
  const auto cache = parse_calibration_cache("TRT-8602-EntropyCalibration2\r\r\r\na: 3c010a14");
  EXPECT_EQ(cache.header, "TRT-8602-EntropyCalibration2");
  EXPECT_EQ(to_text(parse_calibration_cache(to_text(cache))), to_text(cache));
}

TEST(CalibrationCache, RefusesWhatIsNone) {
  expect_refused("", "no tensor");
  expect_refused("hello\na: 3c010a14\n", "TRT-8602");
  expect_refused(kHeader, "no tensor");
  expect_refused(kHeader + "a: 3c010a1", "line 2");  // Cut short.
  expect_refused(kHeader + "a: 3c010a14\nb", "line 3");
  expect_refused(kHeader + "a: 3c01ga14\n", "hexadecimal");
  expect_refused(kHeader + "a: -c010a14\n", "hexadecimal");
  expect_refused(kHeader + ": 3c010a14\n", "line 2");
  expect_refused(kHeader + "a: 3c010a14\na: 3c010a14\n", "twice");
  expect_refused(kHeader + std::string("a\0b\n", 4), "line 2");
}

TEST(CalibrationCache, NamesEveryScaleThatIsNone) {
  const std::string message =
      refusal(kHeader +
              "nan: 7fc00000\ngood: 3c010a14\nzero: 00000000\ninf: 7f800000\nless: bc010a14\n"
              "huge: 7f7fffff\ndenormal: 00000001\n");
  for (const char* name : {"'nan'", "'zero'", "'inf'", "'less'", "'huge'", "'denormal'"}) {
    EXPECT_NE(message.find(name), std::string::npos) << message;
  }
  EXPECT_EQ(message.find("good"), std::string::npos) << message;
}

TEST(CalibrationCache, NamesEveryTensorThatIsMissing) {
  const auto cache = parse_calibration_cache(kHeader + "a: 3c010a14\n");
  EXPECT_NO_THROW(require_tensors(cache, std::vector<std::string>{"a"}));
  try {
    require_tensors(cache, std::vector<std::string>{"x", "a", "y"});
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("x, y"), std::string::npos) << message;
    EXPECT_NE(message.find("2 of 3"), std::string::npos) << message;
  }
}

TEST(CalibrationCache, HeaderOfAVersion) {
  const auto entropy = CalibrationMethod::kEntropy;
  EXPECT_EQ(calibration_cache_header("8.6.2", entropy), "TRT-8602-EntropyCalibration2");
  EXPECT_EQ(calibration_cache_header("8.6", entropy), "TRT-8600-EntropyCalibration2");
  EXPECT_EQ(calibration_cache_header("10.3.0", CalibrationMethod::kMinMax),
            "TRT-100300-MinMaxCalibration");
  EXPECT_EQ(calibration_cache_header("10.16.1", entropy), "TRT-101601-EntropyCalibration2");
  for (const char* wrong : {"", "x", "8.", "8.6.2.1", "-1.2", "8.6.100"}) {
    EXPECT_THROW((void)calibration_cache_header(wrong, entropy), Error) << wrong;
  }
}

}  // namespace
}  // namespace hedge
