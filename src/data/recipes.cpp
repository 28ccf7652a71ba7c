// SPDX-License-Identifier: Apache-2.0
#include "data/recipes.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <vector>

#include "base/file.h"
#include "base/text.h"

namespace hedge {
namespace {

using nlohmann::json;

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
        .width = 224}},
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
      throw bad_input(fmt::format(
          "preprocessing {}={}: '{}' is no number (0.5 and 1/255 are)", key, text, part));
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
    throw bad_input(fmt::format(
        "preprocessing {}={}: give one number or three, red:green:blue", key, text));
  }
  return {parse_number(key, parts[0]), parse_number(key, parts[1]), parse_number(key, parts[2])};
}

void parse_size(PreprocessingRecipe& recipe, const std::string& text) {
  const auto parts = split(text, 'x');
  const auto extent = [&](const std::string& part) {
    int value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size() || value < 1 || value > 8192) {
      throw bad_input(fmt::format("preprocessing size={}: give HEIGHTxWIDTH, as 32x32", text));
    }
    return value;
  };
  if (parts.size() != 2) {
    throw bad_input(fmt::format("preprocessing size={}: give HEIGHTxWIDTH, as 32x32", text));
  }
  recipe.height = extent(parts[0]);
  recipe.width = extent(parts[1]);
}

template <class Value>
Value choose(const std::string& key, const std::string& text,
             const std::map<std::string, Value>& choices) {
  const auto found = choices.find(to_lower(text));
  if (found != choices.end()) return found->second;
  throw bad_input(fmt::format("preprocessing {}={}: give {} or {}", key, text,
                              choices.begin()->first, choices.rbegin()->first));
}

const std::map<std::string, TensorLayout> kLayouts{{"nhwc", TensorLayout::kNhwc},
                                                   {"nchw", TensorLayout::kNchw}};
const std::map<std::string, ChannelOrder> kOrders{{"rgb", ChannelOrder::kRgb},
                                                  {"bgr", ChannelOrder::kBgr}};

void set_key(PreprocessingRecipe& recipe, const std::string& key, const std::string& value) {
  static const std::vector<std::string> keys{"scale", "mean", "std", "layout", "order", "size"};
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
    parse_size(recipe, value);
  } else {
    const std::string near = nearest(key, keys);
    throw bad_input(fmt::format("preprocessing has no key '{}'{}; there are {}", key,
                                near.empty() ? "" : fmt::format(" (did you mean {}?)", near),
                                join_words(keys)));
  }
}

void check(const PreprocessingRecipe& recipe) {
  for (std::size_t c = 0; c < 3; ++c) {
    const double largest = 255 * recipe.scale;
    if (!std::isfinite(recipe.mean[c]) || !std::isfinite(largest) || !std::isfinite(recipe.std[c]) ||
        recipe.std[c] == 0 || !std::isfinite(static_cast<float>((largest - recipe.mean[c]) / recipe.std[c]))) {
      throw bad_input("preprocessing: scale, mean and std must be finite, and std not 0");
    }
  }
  if (recipe.height < 1 || recipe.width < 1 || recipe.height > 8192 || recipe.width > 8192) {
    throw bad_input("preprocessing: a size outside 1x1 to 8192x8192");
  }
}

std::string trimmed(std::string_view text) {
  const auto* space = " \t\r";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(space) - first + 1));
}

PreprocessingRecipe parse_pairs(const std::string& text, char separator) {
  PreprocessingRecipe recipe;
  for (const std::string& field : split(text, separator)) {
    const std::string pair = trimmed(field);
    if (pair.empty() || pair[0] == '#') continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      throw bad_input(fmt::format(
          "preprocessing '{}': neither a file nor KEY=VALUE (as scale=1/255,mean=0.5,std=0.5)",
          pair));
    }
    set_key(recipe, trimmed(pair.substr(0, equals)), trimmed(pair.substr(equals + 1)));
  }
  check(recipe);
  return recipe;
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
  if (text.find('=') != std::string::npos || !std::filesystem::exists(text, error)) {
    return parse_pairs(text, ',');
  }
  const std::string content = read_text_file(text, 1U << 20U);
  try {
    if (trimmed(content).starts_with('{')) return json::parse(content).get<PreprocessingRecipe>();
    return parse_pairs(content, '\n');
  } catch (const json::exception& broken) {
    throw bad_input(fmt::format("{}: no JSON object of a recipe: {}", text, broken.what()));
  } catch (const Error& broken) {
    throw bad_input(fmt::format("{}: {}", text, broken.what()));
  }
}

std::string to_string(const PreprocessingRecipe& recipe) {
  return fmt::format("scale={},mean={}:{}:{},std={}:{}:{},layout={},order={},size={}x{}",
                     recipe.scale, recipe.mean[0], recipe.mean[1], recipe.mean[2], recipe.std[0],
                     recipe.std[1], recipe.std[2],
                     recipe.layout == TensorLayout::kNhwc ? "nhwc" : "nchw",
                     recipe.channel_order == ChannelOrder::kRgb ? "rgb" : "bgr", recipe.height,
                     recipe.width);
}

PreprocessingRecipe with_input_shape(PreprocessingRecipe recipe, const Shape& input) {
  const bool nchw = input.size() == 4 && input[1] == 3;
  const bool nhwc = input.size() == 4 && input[3] == 3;
  if (!nchw && !nhwc) {
    throw bad_input(fmt::format(
        "the model's input has shape {}; Hedge feeds RGB images, Nx3xHxW or NxHxWx3",
        to_string(input)));
  }
  if (nchw != nhwc) recipe.layout = nchw ? TensorLayout::kNchw : TensorLayout::kNhwc;
  const std::size_t first = recipe.layout == TensorLayout::kNchw ? 2 : 1;
  recipe.height = static_cast<int>(input[first]);
  recipe.width = static_cast<int>(input[first + 1]);
  check(recipe);
  return recipe;
}

void to_json(json& out, const PreprocessingRecipe& recipe) {
  out = {{"scale", recipe.scale},
         {"mean", recipe.mean},
         {"std", recipe.std},
         {"layout", recipe.layout == TensorLayout::kNhwc ? "nhwc" : "nchw"},
         {"order", recipe.channel_order == ChannelOrder::kRgb ? "rgb" : "bgr"},
         {"height", recipe.height},
         {"width", recipe.width}};
}

void from_json(const json& in, PreprocessingRecipe& recipe) {
  try {
    recipe = {};
    recipe.scale = in.value("scale", recipe.scale);
    recipe.mean = in.value("mean", recipe.mean);
    recipe.std = in.value("std", recipe.std);
    recipe.layout = choose("layout", in.value("layout", std::string("nhwc")), kLayouts);
    recipe.channel_order = choose("order", in.value("order", std::string("rgb")), kOrders);
    recipe.height = in.value("height", recipe.height);
    recipe.width = in.value("width", recipe.width);
  } catch (const json::exception& broken) {
    throw bad_input(fmt::format("preprocessing: {}", broken.what()));
  }
  check(recipe);
}

}  // namespace hedge
