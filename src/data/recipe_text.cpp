// SPDX-License-Identifier: Apache-2.0
#include "data/recipe_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/named_values.h"
#include "base/naming.h"
#include "base/text.h"
#include "data/recipes.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;

/// "0.5" or "1/255".
double parse_number(const std::string& key, std::string_view text) {
  const auto plain = [&](std::string_view part) {
    double value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size() || !std::isfinite(value)) {
      throw bad_input(fmt::format("preprocessing {}={}: '{}' is no number (0.5 and 1/255 are)", key,
                                  text, part));
    }
    return value;
  };
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return plain(text);
  const double value = plain(text.substr(0, slash)) / plain(text.substr(slash + 1));
  if (!std::isfinite(value)) {
    throw bad_input(fmt::format("preprocessing {}={}: division by zero", key, text));
  }
  return value;
}

/// "0.5" for all channels or "r:g:b".
std::array<double, 3> parse_channels(const std::string& key, const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.size() == 1) {
    const double value = parse_number(key, text);
    return {value, value, value};
  }
  if (parts.size() != 3) {
    throw bad_input(
        fmt::format("preprocessing {}={}: give one number or three, red:green:blue", key, text));
  }
  return {parse_number(key, parts[0]), parse_number(key, parts[1]), parse_number(key, parts[2])};
}

int parse_extent(const std::string& key, const std::string& text) {
  const auto value = parse_integer<int>(text);
  if (!value || *value < 1 || *value > kLargestExtent) {
    throw bad_input(
        fmt::format("preprocessing {}: '{}' is no extent from 1 to {} (size=32x32 is "
                    "height x width)",
                    key, text, kLargestExtent));
  }
  return *value;
}

/// "HEIGHTxWIDTH", or where `single` says so one number, for which the second is 0.
std::pair<int, int> parse_extents(const std::string& key, const std::string& text, bool single) {
  const auto parts = split(text, 'x');
  if (parts.size() == 1 && single) return {parse_extent(key, parts[0]), 0};
  if (parts.size() != 2) {
    throw bad_input(fmt::format("preprocessing {}={}: give {}HEIGHTxWIDTH, as 32x32", key, text,
                                single ? "one number or " : ""));
  }
  return {parse_extent(key, parts[0]), parse_extent(key, parts[1])};
}

template <class Value>
Value choose(const std::string& key, const std::string& text,
             const std::map<std::string, Value>& choices) {
  const auto found = choices.find(to_lower(text));
  if (found != choices.end()) return found->second;
  std::string names;
  for (const auto& [name, value] : choices) {
    names += (names.empty() ? "" : name == choices.rbegin()->first ? " or " : ", ") + name;
  }
  throw bad_input(fmt::format("preprocessing {}={}: give {}", key, text, names));
}

const std::map<std::string, TensorLayout> kLayouts{{"nhwc", TensorLayout::kNhwc},
                                                   {"nchw", TensorLayout::kNchw}};
const std::map<std::string, ChannelOrder> kOrders{{"rgb", ChannelOrder::kRgb},
                                                  {"bgr", ChannelOrder::kBgr}};

const std::map<std::string, Interpolation> kInterpolations{{"bilinear", Interpolation::kBilinear},
                                                           {"bicubic", Interpolation::kBicubic},
                                                           {"nearest", Interpolation::kNearest}};

const std::vector<std::string> kKeys{"scale",  "mean",  "std",    "layout", "order",        "size",
                                     "height", "width", "resize", "crop",   "interpolation"};

void set_key(PreprocessingRecipe& recipe, const std::string& key, const std::string& value) {
  if (key == "scale") {
    recipe.scale = parse_number(key, value);
  } else if (key == "mean") {
    recipe.mean = parse_channels(key, value);
  } else if (key == "std") {
    recipe.std = parse_channels(key, value);
  } else if (key == "layout") {
    recipe.layout = choose(key, value, kLayouts);
  } else if (key == "order") {
    recipe.channel_order = choose(key, value, kOrders);
  } else if (key == "size") {
    std::tie(recipe.height, recipe.width) = parse_extents(key, value, false);
  } else if (key == "resize") {
    std::tie(recipe.resize_height, recipe.resize_width) = parse_extents(key, value, true);
  } else if (key == "crop") {
    std::tie(recipe.crop_height, recipe.crop_width) = parse_extents(key, value, true);
    if (recipe.crop_width == 0) recipe.crop_width = recipe.crop_height;
  } else if (key == "interpolation") {
    recipe.interpolation = choose(key, value, kInterpolations);
  } else if (key == "height") {
    recipe.height = parse_extent(key, value);
  } else if (key == "width") {
    recipe.width = parse_extent(key, value);
  } else {
    throw bad_input(fmt::format("preprocessing has no key '{}'{}; there are {}", key,
                                did_you_mean(key, kKeys), join_words(kKeys)));
  }
}

/// `pair` is no KEY=VALUE; `last` is the key before it.
[[noreturn]] void no_pair(const std::string& pair, const std::string& last) {
  if ((last == "mean" || last == "std") &&
      pair.find_first_not_of("0123456789.-/") == std::string::npos) {
    throw bad_input(fmt::format(
        "preprocessing {}: '{}' stands behind a comma; separate the channels with colons, as {}={}",
        last, pair, last, last == "mean" ? "0.485:0.456:0.406" : "0.229:0.224:0.225"));
  }
  throw bad_input(fmt::format(
      "preprocessing '{}': neither a file nor KEY=VALUE (as scale=1/255,mean=0.5,std=0.5)", pair));
}

/// Pairs between commas or line ends; the rest of a line behind '#' is a comment.
PreprocessingRecipe parse_pairs(const std::string& text, PreprocessingRecipe recipe) {
  std::vector<std::string> seen;
  for (const std::string& line : split(text, '\n')) {
    for (const std::string& field : split(line.substr(0, line.find('#')), ',')) {
      const std::string pair(trim(field));
      if (pair.empty()) continue;
      const std::size_t equals = pair.find('=');
      if (equals == std::string::npos) no_pair(printable(pair), seen.empty() ? "" : seen.back());
      const std::string key = printable(trim(std::string_view(pair).substr(0, equals)));
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        throw bad_input(fmt::format("preprocessing states {} twice; state it once", key));
      }
      seen.push_back(key);
      set_key(recipe, key, printable(trim(std::string_view(pair).substr(equals + 1))));
    }
  }
  if (seen.empty()) {
    throw bad_input(
        "preprocessing states nothing; give KEY=VALUE pairs (scale=1 feeds the raw pixels)");
  }
  check_recipe(recipe);
  return recipe;
}

/// A value of a JSON recipe in the form of the pairs, so that both forms have one reader. Shortest
/// round-trip digits lose nothing.
std::string pair_value(const std::string& key, const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  if (value.is_array()) {
    std::string text;
    for (const json& part : value) {
      if (part.is_array()) {
        throw bad_input(fmt::format("preprocessing {}: a list inside a list", key));
      }
      text += (text.empty() ? "" : ":") + pair_value(key, part);
    }
    return text;
  }
  throw bad_input(
      fmt::format("preprocessing {}: a {} where a number, three numbers or a word is "
                  "needed",
                  key, value.type_name()));
}

PreprocessingRecipe parse_object(const json& in, PreprocessingRecipe recipe) {
  if (!in.is_object()) {
    throw bad_input(
        fmt::format("preprocessing: a JSON object is needed, here is a {}", in.type_name()));
  }
  if (in.empty()) throw bad_input("preprocessing: the JSON object states nothing");
  for (const auto& [name, value] : in.items()) {
    // Both come into messages of one line.
    const std::string key = printable(name);
    set_key(recipe, key, printable(pair_value(key, value)));
  }
  check_recipe(recipe);
  return recipe;
}

const std::string& interpolation_text(const PreprocessingRecipe& recipe) {
  return std::find_if(kInterpolations.begin(), kInterpolations.end(),
                      [&](const auto& known) { return known.second == recipe.interpolation; })
      ->first;
}

}  // namespace

PreprocessingRecipe recipe_from_text(const std::string& text, const PreprocessingRecipe& absent) {
  if (!trim(text).starts_with('{')) return parse_pairs(text, absent);
  try {
    return parse_object(json::parse(text), absent);
  } catch (const json::exception& broken) {
    throw bad_input(fmt::format("no JSON object of a recipe: {}", json_reason(broken)));
  }
}

PreprocessingRecipe parse_recipe(const std::string& text, const PreprocessingRecipe& absent) {
  std::error_code error;
  if (!std::filesystem::exists(text, error)) return parse_pairs(text, absent);
  const std::string content = read_text_file(text, 1U << 20U);
  return naming(text, [&] { return recipe_from_text(content, absent); });
}

std::string layout_text(const PreprocessingRecipe& recipe) {
  return recipe.layout == TensorLayout::kNhwc ? "nhwc" : "nchw";
}

std::string resize_text(const PreprocessingRecipe& recipe) {
  if (recipe.resize_width == 0) return fmt::format("{}", recipe.resize_height);
  return fmt::format("{}x{}", recipe.resize_height, recipe.resize_width);
}

std::string crop_text(const PreprocessingRecipe& recipe) {
  return fmt::format("{}x{}", recipe.crop_height, recipe.crop_width);
}

std::string to_string(const PreprocessingRecipe& recipe) {
  std::string text = fmt::format(
      "scale={},mean={}:{}:{},std={}:{}:{},layout={},order={},size={}x{}", recipe.scale,
      recipe.mean[0], recipe.mean[1], recipe.mean[2], recipe.std[0], recipe.std[1], recipe.std[2],
      layout_text(recipe), recipe.channel_order == ChannelOrder::kRgb ? "rgb" : "bgr",
      recipe.height, recipe.width);
  if (recipe.resize_height != 0) text += ",resize=" + resize_text(recipe);
  if (recipe.crop_height != 0) text += ",crop=" + crop_text(recipe);
  if (recipe.resize_height != 0 || recipe.interpolation != Interpolation::kBilinear) {
    text += ",interpolation=" + interpolation_text(recipe);
  }
  return text;
}

void to_json(json& out, const PreprocessingRecipe& recipe) {
  out = {{"scale", recipe.scale},
         {"mean", recipe.mean},
         {"std", recipe.std},
         {"layout", layout_text(recipe)},
         {"order", recipe.channel_order == ChannelOrder::kRgb ? "rgb" : "bgr"},
         {"height", recipe.height},
         {"width", recipe.width}};
  // Only where they say something: engines without them stay readable by older versions.
  if (recipe.resize_height != 0) out["resize"] = resize_text(recipe);
  if (recipe.crop_height != 0) out["crop"] = crop_text(recipe);
  if (recipe.interpolation != Interpolation::kBilinear) {
    out["interpolation"] = interpolation_text(recipe);
  }
}

void from_json(const json& in, PreprocessingRecipe& recipe) {
  recipe = parse_object(in, {});
}

}  // namespace hedge
