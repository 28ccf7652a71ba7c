// SPDX-License-Identifier: Apache-2.0
#include "base/named_values.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace hedge {
namespace {

enum class Metal { kIron, kCopper, kZinc };

constexpr std::array<std::pair<Metal, std::string_view>, 2> kMetals{
    {{Metal::kIron, "iron"}, {Metal::kCopper, "copper"}}};

std::string refusal_of(std::string_view word) {
  try {
    (void)value_named(kMetals, word, "metal");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "taken";
}

TEST(NamedValues, AreFoundBothWays) {
  for (const auto& [metal, name] : kMetals) {
    EXPECT_EQ(name_in(kMetals, metal), name);
    EXPECT_EQ(value_named(kMetals, name, "metal"), metal);
    EXPECT_EQ(find_named(kMetals, name), metal);
  }
  EXPECT_EQ(name_in(kMetals, Metal::kZinc), "?");
  EXPECT_FALSE(find_named(kMetals, "Iron"));
  EXPECT_FALSE(find_named(kMetals, ""));
}

TEST(NamedValues, ARefusalListsThemAndSuggestsANearOne) {
  EXPECT_EQ(refusal_of("coper"),
            "no metal 'coper' (did you mean copper?); there are iron and copper");
  EXPECT_EQ(refusal_of("gold"), "no metal 'gold'; there are iron and copper");
  EXPECT_EQ(refusal_of("a\nb"), "no metal 'a?b'; there are iron and copper");
  EXPECT_LT(refusal_of(std::string(4096, 'x')).size(), 120U);
}

}  // namespace
}  // namespace hedge
