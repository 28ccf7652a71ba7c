// SPDX-License-Identifier: Apache-2.0
#include "data/recipes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace hedge {
namespace {

using nlohmann::json;

constexpr int kLargestExtent = 8192;

struct KnownRecipe {
  std::string_view model;  ///< Empty: any.
  std::string_view dataset;
  PreprocessingRecipe recipe;
};

const std::vector<KnownRecipe>& known_recipes() {
  constexpr double kUnit = 1.0 / 255;
  static const std::vector<KnownRecipe> recipes{
      {"resnet8", "cifar", {}},
      {"resnet56",
       "cifar",
       {.scale = kUnit, .mean = {0.4914, 0.4822, 0.4465}, .std = {0.2023, 0.1994, 0.2010}}},
      {"alexnet",
       "cifar",
       {.mean = {125.307, 122.95, 113.865}, .std = {62.9932, 62.0887, 66.7048}}},
      {"",
       "imagenet",
       {.scale = kUnit,
        .mean = {0.485, 0.456, 0.406},
        .std = {0.229, 0.224, 0.225},
        .layout = TensorLayout::kNchw,
        .height = 224,
        .width = 224,
        .resize_height = 256,
        .crop_height = 224,
        .crop_width = 224}},
      {"", "shapes", {.scale = kUnit, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}}},
  };
  return recipes;
}

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
    const std::string near = nearest(key, kKeys);
    throw bad_input(fmt::format("preprocessing has no key '{}'{}; there are {}", key,
                                near.empty() ? "" : fmt::format(" (did you mean {}?)", near),
                                join_words(kKeys)));
  }
}

std::string trimmed(std::string_view text) {
  const auto* space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(space) - first + 1));
}

/// Pairs between commas or line ends; the rest of a line behind '#' is a comment.
PreprocessingRecipe parse_pairs(const std::string& text) {
  PreprocessingRecipe recipe;
  std::vector<std::string> seen;
  for (const std::string& line : split(text, '\n')) {
    for (const std::string& field : split(line.substr(0, line.find('#')), ',')) {
      const std::string pair = trimmed(field);
      if (pair.empty()) continue;
      const std::size_t equals = pair.find('=');
      if (equals == std::string::npos) {
        throw bad_input(fmt::format(
            "preprocessing '{}': neither a file nor KEY=VALUE (as scale=1/255,mean=0.5,std=0.5)",
            pair));
      }
      const std::string key = trimmed(pair.substr(0, equals));
      if (std::find(seen.begin(), seen.end(), key) != seen.end()) {
        throw bad_input(fmt::format("preprocessing states {} twice; state it once", key));
      }
      seen.push_back(key);
      set_key(recipe, key, trimmed(pair.substr(equals + 1)));
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

}  // namespace

std::optional<PreprocessingRecipe> find_recipe(std::string_view model, std::string_view dataset) {
  if (model.starts_with("EE_")) model.remove_prefix(3);
  for (const KnownRecipe& known : known_recipes()) {
    if (known.dataset == dataset && (known.model.empty() || known.model == model)) {
      return known.recipe;
    }
  }
  return std::nullopt;
}

PreprocessingRecipe parse_recipe(const std::string& text) {
  std::error_code error;
  if (!std::filesystem::exists(text, error)) return parse_pairs(text);
  const std::string content = read_text_file(text, 1U << 20U);
  try {
    if (trimmed(content).starts_with('{')) return json::parse(content).get<PreprocessingRecipe>();
    return parse_pairs(content);
  } catch (const json::exception& broken) {
    throw bad_input(fmt::format("{}: no JSON object of a recipe: {}", text, broken.what()));
  } catch (const Error& broken) {
    throw bad_input(fmt::format("{}: {}", text, broken.what()));
  }
}

namespace {

std::string resize_text(const PreprocessingRecipe& recipe) {
  if (recipe.resize_width == 0) return fmt::format("{}", recipe.resize_height);
  return fmt::format("{}x{}", recipe.resize_height, recipe.resize_width);
}

std::string crop_text(const PreprocessingRecipe& recipe) {
  return fmt::format("{}x{}", recipe.crop_height, recipe.crop_width);
}

const std::string& interpolation_text(const PreprocessingRecipe& recipe) {
  return std::find_if(kInterpolations.begin(), kInterpolations.end(),
                      [&](const auto& known) { return known.second == recipe.interpolation; })
      ->first;
}

}  // namespace

std::string to_string(const PreprocessingRecipe& recipe) {
  std::string text = fmt::format(
      "scale={},mean={}:{}:{},std={}:{}:{},layout={},order={},size={}x{}", recipe.scale,
      recipe.mean[0], recipe.mean[1], recipe.mean[2], recipe.std[0], recipe.std[1], recipe.std[2],
      recipe.layout == TensorLayout::kNhwc ? "nhwc" : "nchw",
      recipe.channel_order == ChannelOrder::kRgb ? "rgb" : "bgr", recipe.height, recipe.width);
  if (recipe.resize_height != 0) text += ",resize=" + resize_text(recipe);
  if (recipe.crop_height != 0) text += ",crop=" + crop_text(recipe);
  if (recipe.resize_height != 0 || recipe.interpolation != Interpolation::kBilinear) {
    text += ",interpolation=" + interpolation_text(recipe);
  }
  return text;
}

namespace {

/// The steps lead to the tensor's size, as far as that can be known before an image is.
void check_steps(const PreprocessingRecipe& recipe) {
  if (recipe.crop_height == 0) return;
  if (recipe.crop_height != recipe.height || recipe.crop_width != recipe.width) {
    throw bad_input(fmt::format(
        "preprocessing: crop={} does not give the {}x{} (height x width) that the model takes",
        crop_text(recipe), recipe.height, recipe.width));
  }
  if (recipe.resize_height == 0) return;
  const bool exact = recipe.resize_width != 0;
  const int short_side = std::min(recipe.crop_height, recipe.crop_width);
  if (recipe.resize_height < (exact ? recipe.crop_height : short_side) ||
      (exact && recipe.resize_width < recipe.crop_width)) {
    throw bad_input(fmt::format("preprocessing: resize={} is smaller than crop={}",
                                resize_text(recipe), crop_text(recipe)));
  }
}

PreprocessingRecipe with_input_size(PreprocessingRecipe recipe, const Shape& input) {
  const bool nchw = input.size() == 4 && input[1] == 3;
  const bool nhwc = input.size() == 4 && input[3] == 3;
  if (!nchw && !nhwc) {
    throw bad_input(
        fmt::format("the model's input has shape {}; Hedge feeds RGB images, Nx3xHxW or NxHxWx3",
                    to_string(input)));
  }
  if (nchw != nhwc) recipe.layout = nchw ? TensorLayout::kNchw : TensorLayout::kNhwc;
  const std::size_t first = recipe.layout == TensorLayout::kNchw ? 2 : 1;
  for (const std::int64_t extent : {input[first], input[first + 1]}) {
    if (extent < 1 || extent > kLargestExtent) {
      throw bad_input(
          fmt::format("the model's input has shape {}; Hedge feeds RGB images of 1x1 to {}x{}",
                      to_string(input), kLargestExtent, kLargestExtent));
    }
  }
  recipe.height = static_cast<int>(input[first]);
  recipe.width = static_cast<int>(input[first + 1]);
  return recipe;
}

}  // namespace

PreprocessingRecipe with_input_shape(PreprocessingRecipe recipe, const Shape& input) {
  recipe = with_input_size(recipe, input);
  check_recipe(recipe);
  check_steps(recipe);
  return recipe;
}

PreprocessingRecipe scaled_to_input(PreprocessingRecipe recipe, const Shape& input) {
  const int crop = recipe.crop_height;
  recipe = with_input_size(recipe, input);
  if (crop != 0) {
    const std::int64_t side = std::min(recipe.height, recipe.width);
    recipe.resize_height = static_cast<int>((2 * recipe.resize_height * side + crop) / (2 * crop));
    recipe.crop_height = recipe.height;
    recipe.crop_width = recipe.width;
  }
  return with_input_shape(recipe, input);
}

void check_recipe(const PreprocessingRecipe& recipe) {
  constexpr double kLargest = std::numeric_limits<float>::max();
  // Written so that NaN is refused too: it compares false with everything.
  for (std::size_t c = 0; c < 3; ++c) {
    const double black = -recipe.mean[c] / recipe.std[c];
    const double white = (255 * recipe.scale - recipe.mean[c]) / recipe.std[c];
    if (!(std::abs(black) <= kLargest && std::abs(white) <= kLargest) || recipe.std[c] == 0 ||
        !std::isfinite(recipe.std[c])) {
      throw bad_input(
          "preprocessing: scale, mean and std must be finite, std not 0, and (x*scale - mean)/std "
          "within the range of float");
    }
  }
  if (recipe.scale == 0) {
    throw bad_input("preprocessing: scale=0 makes every image the same; scale=1 keeps the pixels");
  }
  if (recipe.height < 1 || recipe.width < 1 || recipe.height > kLargestExtent ||
      recipe.width > kLargestExtent) {
    throw bad_input(fmt::format("preprocessing: size={}x{} is outside 1x1 to {}x{}", recipe.height,
                                recipe.width, kLargestExtent, kLargestExtent));
  }
}

void to_json(json& out, const PreprocessingRecipe& recipe) {
  out = {{"scale", recipe.scale},
         {"mean", recipe.mean},
         {"std", recipe.std},
         {"layout", recipe.layout == TensorLayout::kNhwc ? "nhwc" : "nchw"},
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
  if (!in.is_object()) {
    throw bad_input(
        fmt::format("preprocessing: a JSON object is needed, here is a {}", in.type_name()));
  }
  if (in.empty()) throw bad_input("preprocessing: the JSON object states nothing");
  PreprocessingRecipe read;
  for (const auto& [key, value] : in.items()) set_key(read, key, pair_value(key, value));
  check_recipe(read);
  recipe = read;
}

}  // namespace hedge
