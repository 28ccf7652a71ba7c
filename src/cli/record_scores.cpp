// SPDX-License-Identifier: Apache-2.0
#include "cli/record_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/log.h"
#include "cli/flags.h"
#include "cli/hi_options.h"
#include "hedge/error.h"
#include "hi/recorded_classifier.h"
#include "measure/latency.h"

namespace hedge::cli {

namespace {

std::vector<int> server_answers(const Engine& engine, const Dataset& dataset,
                                const ModelOptions& options, const std::string& stated) {
  const std::string& name = engine.info().dataset;
  const std::string file = stated.empty() ? find_server_labels(name, options.data) : stated;
  if (stated.empty())
    log(LogLevel::kInfo, fmt::format("the server's classes are those of {}", file));
  return read_server_labels(file, dataset, name, class_count(engine));
}

}  // namespace

ModelScores record_scores(const Program& program, const ModelOptions& options,
                          const std::string& iterations, const std::string& server_labels) {
  const auto engine = open_engine(options);
  auto images = open_dataset(*engine, options);
  require_same_classes(*engine, *images, options);
  const auto size = static_cast<std::int64_t>(images->size());
  const auto count = static_cast<std::size_t>(std::min(size, parse_iterations(iterations, size)));
  // Files that are refused are refused before minutes of inference.
  std::vector<int> server = server_answers(*engine, *images, options, server_labels);
  const auto dataset = decoded_ahead(std::move(images), options, static_cast<std::int64_t>(count));
  const auto context = engine->create_context(context_options(options, 1));
  const Preprocessing prepare = preprocessing_of(*engine);
  ModelScores recorded;
  ScoredImages& scored = recorded.images;
  scored.source = std::filesystem::path(options.model).filename().string();
  scored.model = engine->info().model;
  scored.kind = score_kind_of(*engine);
  recorded.name = trained_name(engine->info(), options.precision);
  scored.scores.columns = static_cast<std::size_t>(class_count(*engine));
  scored.scores.values.reserve(count * scored.scores.columns);
  scored.labels.reserve(count);
  prepare(dataset->image(0), context->input());
  context->copy_in();
  for (int i = 0; i < 10; ++i) context->infer();  // Out of the mean: the first ones are slow.
  LatencyRecorder<> timer(count);
  ProgressBar progress(program, "recording scores", static_cast<std::int64_t>(count));
  for (std::size_t i = 0; i < count && !cancellation_requested(); ++i) {
    const Image image = dataset->image(i);
    recorded.input_bytes = image.pixels.size();
    prepare(image, context->input());
    context->copy_in();
    timer.time([&] { context->infer(); });
    context->copy_out();
    const auto scores = context->output(0);
    scored.scores.values.insert(scored.scores.values.end(), scores.begin(), scores.end());
    scored.labels.push_back(image.label);
    progress.update(static_cast<std::int64_t>(i));
  }
  double total_ns = 0;
  for (const std::int64_t ns : timer.samples_ns()) total_ns += static_cast<double>(ns);
  recorded.complete = scored.labels.size() == count;
  if (scored.labels.empty()) throw runtime_failure("no image was run");
  recorded.mean_seconds = total_ns * 1e-9 / static_cast<double>(scored.labels.size());
  server.resize(scored.labels.size());
  scored.server = std::move(server);
  return recorded;
}

}  // namespace hedge::cli
