// SPDX-License-Identifier: Apache-2.0
// What the net sees: images and the tensors made of them, side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "cli/model/model_options.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/contact_sheet.h"
#include "data/picture.h"
#include "data/recipes.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge preview --model=net.engine --dataset=folder:photos --out=sheet.png\n"
    "\n"
    "Each image appears twice: above as it was read, resized and cropped; below the tensor that "
    "the "
    "net\n"
    "gets, its first channel shown as red, the second as green, the third as blue, one scale for "
    "the\n"
    "whole sheet (least value black, greatest white). With order=bgr red and blue are exchanged "
    "below; a\n"
    "wrong mean or std gives a tint. The table says what the numbers are.\n";

struct Options {
  ModelOptions model;
  std::string images = "16";
  std::string first = "0";
  std::string out = "preview.png";
};

std::string class_of(const Dataset& dataset, int label) {
  const auto names = dataset.class_names();
  if (static_cast<std::size_t>(label) >= names.size()) return fmt::format("{}", label);
  return fmt::format("{} {}", label, names[static_cast<std::size_t>(label)]);
}

int preview(const Program& program, const Options& options) {
  const std::string extension = to_lower(std::filesystem::path(options.out).extension().string());
  if (!extension.empty() && extension != ".png") {
    throw bad_input(fmt::format("--out={}: the sheet is a PNG; name it so", options.out));
  }
  program.check_files({.written = {{"--out", options.out}}});
  const auto engine = open_engine(options.model);
  const auto dataset = open_dataset(*engine, options.model);
  const auto size = static_cast<std::int64_t>(dataset->size());
  const std::int64_t first = parse_count("--first", options.first, 0, size - 1);
  const std::int64_t count =
      std::min(parse_count("--images", options.images, 1, kMostPreviews), size - first);
  const Preprocessing prepare = preprocessing_of(*engine);
  ContactSheet sheet(prepare.recipe());
  nlohmann::ordered_json json;
  json["schema"] = "hedge.preview/1";
  json["preprocess"] = to_string(prepare.recipe());
  if (const std::string doubt = doubt_about(prepare.recipe()); !doubt.empty()) {
    log(LogLevel::kWarning, doubt);
  }
  program.print("recipe     {}\n", to_string(prepare.recipe()));
  for (std::int64_t i = first; i < first + count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const Image image = dataset->image(index);
    sheet.add(image, prepare);
    program.print("  {:>3}      class {}, {}\n", i - first + 1, class_of(*dataset, image.label),
                  dataset->name(index));
    json["images"].push_back({{"name", dataset->name(index)}, {"label", image.label}});
  }
  write_png(options.out, sheet.draw());
  program.print("channel        mean        std        min        max   of the tensors\n");
  const auto statistics = sheet.statistics();
  for (std::size_t c = 0; c < statistics.size(); ++c) {
    const ChannelStatistics& channel = statistics[c];
    program.print("  {} {:<5} {:>10.4f} {:>10.4f} {:>10.4f} {:>10.4f}\n", c, channel.color,
                  channel.mean, channel.std, channel.min, channel.max);
    json["channels"].push_back({{"color", channel.color},
                                {"mean", channel.mean},
                                {"std", channel.std},
                                {"min", channel.min},
                                {"max", channel.max}});
  }
  program.print("wrote      {}: {} a row, above the image, below the tensor\n", options.out,
                sheet.columns());
  program.write_json(json);
  return kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("preview", "Show what the net sees of some images, as a contact sheet",
                  kExamples);
  Options options;
  CLI::App& app = program.app();
  add_model_options(app, options.model);
  app.add_option("--images", options.images, "Images on the sheet (default 16)")->type_name("N");
  app.add_option("--first", options.first, "The first of them, from 0 (default 0)")->type_name("N");
  app.add_option("--out", options.out, "The sheet, a PNG (default preview.png)")->type_name("FILE");
  program.add_json_flag("schema hedge.preview/1");
  return program.run(argc, argv, [&] { return preview(program, options); });
}
