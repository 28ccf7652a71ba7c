// SPDX-License-Identifier: Apache-2.0
// Writes the project's own dataset.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "data/shapes_writer.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge make-data shapes               data/shapes_test.bin, 10,000 images, 31 MB\n"
    "  hedge make-data shapes DIR --train   and DIR/shapes_train.bin, 100,000 images, 307 MB\n"
    "\n"
    "The images follow from the seed alone and are the same on every machine.\n";

struct Options {
  std::string dataset;
  std::string folder = "data";
  bool train = false;
  std::string images;
  std::string seed;
};

bool write_set(const Program& program, const Options& options, const ShapesSet& set) {
  const auto number = [](const char* flag, const std::string& text, std::uint64_t fallback) {
    return text.empty() ? fallback
                        : static_cast<std::uint64_t>(parse_count(flag, text, 1, 10'000'000));
  };
  const std::uint64_t images = number("--images", options.images, set.images);
  const std::uint64_t seed = number("--seed", options.seed, set.seed);
  const std::filesystem::path file = std::filesystem::path(options.folder) / set.file;
  {
    ProgressBar progress(program, set.file, static_cast<std::int64_t>(images));
    const bool whole = write_shapes(file, seed, images, [&](std::uint64_t done) {
      progress.update(static_cast<std::int64_t>(done));
    });
    if (!whole) return false;
  }
  program.print("wrote {}: {} images, seed {}\n", file.string(), images, seed);
  return true;
}

int make(const Program& program, const Options& options) {
  if (options.dataset != "shapes") {
    throw bad_input(fmt::format(
        "make-data: {}; there is one: make-data shapes [DIR]",
        options.dataset.empty() ? "no dataset named" : "no dataset '" + options.dataset + "'"));
  }
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error)
    throw bad_input(fmt::format("{}: cannot be made: {}", options.folder, error.message()));
  if (!write_set(program, options, kShapesTest)) return kExitCancelled;
  if (options.train && !write_set(program, options, kShapesTrain)) return kExitCancelled;
  return kExitSuccess;
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("make-data", "Write a dataset that Hedge draws itself", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("dataset", options.dataset, "shapes");
  app.add_option("folder", options.folder, "Where to (default: data)");
  app.add_flag("--train", options.train, "The training set too");
  app.add_option("--images", options.images, "Images of the set (default 10000; training 100000)")
      ->type_name("N");
  app.add_option("--seed", options.seed, "Another seed: another set")->type_name("N");
  return program.run(argc, argv, [&] { return make(program, options); });
}
