// SPDX-License-Identifier: Apache-2.0
// run-net MODEL.onnx BACKEND INPUT OUTPUT: scores of exact inputs, for tests that compare whole
// nets. Files are raw float32; INPUT holds one image or more, each run alone. BACKEND may be
// `reference`.
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "builder/builder.h"
#include "graph/reference_executor.h"
#include "hedge/engine.h"
#include "hedge/error.h"

namespace {

using namespace hedge;

std::vector<float> run_reference(const Graph& graph, std::span<const float> images) {
  const Shape shape = graph.input_type(0).shape;
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::vector<float> scores;
  for (; images.size() >= count; images = images.subspan(count)) {
    const Tensor input = Tensor::from(shape, images.first(count));
    const std::vector<Tensor> outputs = execute(graph, std::span(&input, 1));
    const auto values = outputs.front().values<float>();
    scores.insert(scores.end(), values.begin(), values.end());
  }
  return scores;
}

std::vector<float> run_backend(const std::string& model, const std::string& backend,
                               std::span<const float> images) {
  EngineBuildOptions options;
  options.backend = backend;
  options.precision = "fp32";
  options.optimization_level = 0;
  options.dataset = "imagenet";
  const auto engine = open_model(model, options);
  const auto context = engine->create_context({});
  const std::span<float> input = context->input();
  std::vector<float> scores;
  for (; images.size() >= input.size(); images = images.subspan(input.size())) {
    std::copy_n(images.begin(), input.size(), input.begin());
    context->infer();
    const auto values = context->output(0);
    scores.insert(scores.end(), values.begin(), values.end());
  }
  return scores;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: run-net MODEL.onnx BACKEND INPUT OUTPUT\n");
    return 2;
  }
  try {
    const auto file = MappedFile::open(argv[3]);
    const std::span images(reinterpret_cast<const float*>(file->bytes().data()),
                           file->bytes().size() / sizeof(float));
    const std::string backend = argv[2];
    const std::vector<float> scores = backend == "reference"
                                          ? run_reference(import_model(argv[1]), images)
                                          : run_backend(argv[1], backend, images);
    write_file(argv[4],
               {reinterpret_cast<const char*>(scores.data()), scores.size() * sizeof(float)});
  } catch (const Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return error.kind() == ErrorKind::kBadInput ? 2 : 1;
  }
}
