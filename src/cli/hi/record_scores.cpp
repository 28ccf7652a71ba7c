// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/record_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cli/hi/hi_options.h"
#include "cli/model/image_run.h"
#include "cli/program/flags.h"
#include "hedge/error.h"
#include "hi/simulate/recorded_classifier.h"

namespace hedge::cli {

namespace {

std::vector<int> server_answers(const Engine& engine, const Dataset& dataset,
                                const ModelOptions& options, const std::string& stated) {
  const std::string& name = engine.info().dataset;
  const std::string file = stated.empty() ? find_server_labels(name, options.data,
                                                               "give the server's answers with "
                                                               "--server-labels=FILE")
                                          : stated;
  if (stated.empty())
    log(LogLevel::kInfo, fmt::format("the server's classes are those of {}", file));
  return read_server_labels(file, dataset, name, class_count(engine));
}

}  // namespace

ModelScores record_scores(const Program& program, const ModelOptions& options,
                          const std::string& iterations, const std::string& server_labels,
                          const std::function<void(const ModelScores&)>& before) {
  const auto engine = open_engine(options);
  auto images = open_dataset(*engine, options);
  require_same_classes(*engine, *images, options);
  const auto size = static_cast<std::int64_t>(images->size());
  const auto count = static_cast<std::size_t>(std::min(size, parse_iterations(iterations, size)));
  // Files that are refused are refused before minutes of inference.
  std::vector<int> server = server_answers(*engine, *images, options, server_labels);
  server.resize(count);
  const auto dataset = decoded_ahead(std::move(images), options, static_cast<std::int64_t>(count));
  ModelScores recorded;
  ScoredImages& scored = recorded.images;
  scored.source = std::filesystem::path(options.model).filename().string();
  scored.model = engine->info().model;
  scored.kind = score_kind_of(*engine);
  scored.scores.columns = static_cast<std::size_t>(class_count(*engine));
  scored.scores.values.reserve(count * scored.scores.columns);
  scored.labels.reserve(count);
  recorded.name = trained_name(engine->info(), options.precision);
  recorded.input_bytes = dataset->image(0).pixels.size();
  scored.server = std::move(server);
  before(recorded);
  const MeasuringOptions measuring;  // Warm-up until steady; nothing is written.
  ImageRun run(program, options, measuring, std::to_string(count), *engine, *dataset);
  recorded.run = run.measure(
      1, [&](std::int64_t image, std::span<const float> scores, LatencyRecorder<>& /*decide*/) {
        scored.scores.values.insert(scored.scores.values.end(), scores.begin(), scores.end());
        scored.labels.push_back(dataset->label(static_cast<std::size_t>(image)));
      });
  recorded.complete = scored.labels.size() == count;
  if (scored.labels.empty()) throw runtime_failure("no image was run");
  scored.server.resize(scored.labels.size());
  return recorded;
}

}  // namespace hedge::cli
