// SPDX-License-Identifier: Apache-2.0
// A net in two parts answers as the whole does, and its tail does not run unless asked.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "builder/early_exit.h"
#include "engine/engine_info_json.h"
#include "graph/early_exit.h"
#include "support/early_exit_nets.h"
#include "support/engines.h"
#include "support/quantized.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

/// With the exit as last output; quantised for int8.
Graph net(const std::string& precision, bool own_input) {
  const Graph graph = test::early_exit_net(own_input);
  return precision == "int8" ? test::quantized(graph) : test::optimized(graph);
}

EngineContainer with_exit(Graph graph, const std::string& precision,
                          const std::string& backend = "cpu") {
  const ExitInfo exit = lay_out_exit(graph, 1);
  BackendEngine built = require_backend(backend).build(graph, {.precision = precision,
                                                               .optimization_level = 0,
                                                               .threads = 1,
                                                               .timing_cache = {},
                                                               .exit_output = exit.output});
  EngineContainer container;
  container.info.backend = backend;
  container.info.precision = precision;
  container.info.inputs = {{"input", graph.input_type(0).shape}};
  for (const ValueId id : graph.outputs) {
    container.info.outputs.push_back({"output", graph.value(id).type.shape});
  }
  container.info.exit = exit;
  container.sections = std::move(built.sections);
  return container;
}

std::vector<float> image(std::uint32_t seed) {
  return test::noise(3 * 12 * 12, seed);
}

std::vector<float> copy(std::span<const float> scores) {
  return {scores.begin(), scores.end()};
}

class EarlyExitParts : public testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  void SetUp() override {
    const auto& [precision, own_input] = GetParam();
    try {
      whole_ = test::engine_of(net(precision, own_input), precision)->create_context({});
      engine_ = make_engine(with_exit(net(precision, own_input), precision));
    } catch (const Error& error) {
      ASSERT_EQ(precision, "bf16") << error.what();
      GTEST_SKIP() << error.what();
    }
    context_ = engine_->create_context({});
    parts_ = dynamic_cast<EarlyExitContext*>(context_.get());
    ASSERT_NE(parts_, nullptr);
    ASSERT_EQ(dynamic_cast<EarlyExitContext*>(whole_.get()), nullptr);
  }

  void show(std::uint32_t seed) {
    const auto pixels = image(seed);
    std::copy(pixels.begin(), pixels.end(), context_->input().begin());
  }

  std::unique_ptr<ExecutionContext> whole_;
  std::shared_ptr<const Engine> engine_;
  std::unique_ptr<ExecutionContext> context_;
  EarlyExitContext* parts_ = nullptr;
};

TEST_P(EarlyExitParts, AnswerAsTheUncutNetBitForBit) {
  for (std::uint32_t seed = 1; seed < 6; ++seed) {
    const auto expected = test::run(*whole_, image(seed));
    EXPECT_EQ(test::run(*context_, image(seed)), expected);
    show(seed);
    parts_->run_stem();
    EXPECT_EQ(copy(context_->output(1)), expected[1]);
    parts_->run_tail();
    EXPECT_EQ(copy(context_->output(0)), expected[0]);
    EXPECT_EQ(copy(context_->output(1)), expected[1]);
  }
}

TEST_P(EarlyExitParts, AStemWithoutItsTailLeavesNothingBehind) {
  for (std::uint32_t seed = 1; seed < 6; ++seed) {
    show(100 + seed);
    parts_->run_stem();
    const auto expected = test::run(*whole_, image(seed));
    show(seed);
    parts_->run_stem();
    parts_->run_tail();
    EXPECT_EQ(copy(context_->output(0)), expected[0]);
    EXPECT_EQ(copy(context_->output(1)), expected[1]);
  }
}

TEST_P(EarlyExitParts, TheStemDoesNotRunTheTail) {
  (void)test::run(*context_, image(1));
  const auto before = copy(context_->output(0));
  show(2);
  parts_->run_stem();
  EXPECT_EQ(copy(context_->output(0)), before);  // The net's scores are still those of image 1.
  parts_->run_tail();
  EXPECT_NE(copy(context_->output(0)), before);
}

TEST_P(EarlyExitParts, LayersOfTheStemComeFirst) {
  const auto layers = dynamic_cast<LayerProfiler&>(*context_).layers();
  ASSERT_LT(parts_->stem_layers(), layers.size());
  std::int64_t stem = 0;
  std::int64_t all = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    all += layers[i].multiply_accumulates;
    if (i < parts_->stem_layers()) stem += layers[i].multiply_accumulates;
  }
  EXPECT_EQ(stem, engine_->info().exit->multiply_accumulates);
  EXPECT_EQ(all, multiply_accumulates(net(engine_->info().precision, std::get<1>(GetParam()))));
}

TEST_P(EarlyExitParts, RunsBatchesToo) {
  const auto batch = engine_->create_context({.threads = 1, .batch = 3});
  std::vector<float> pixels;
  for (std::uint32_t seed = 1; seed < 4; ++seed) {
    const auto one = image(seed);
    pixels.insert(pixels.end(), one.begin(), one.end());
  }
  std::copy(pixels.begin(), pixels.end(), batch->input().begin());
  auto& parts = dynamic_cast<EarlyExitContext&>(*batch);
  parts.run_stem();
  parts.run_tail();
  for (std::uint32_t seed = 1; seed < 4; ++seed) {
    const auto expected = test::run(*whole_, image(seed));
    for (const std::size_t output : {0U, 1U}) {
      const auto scores = batch->output(output).subspan((seed - 1) * 10, 10);
      EXPECT_LT(test::relative_error(scores, expected[output]), 0.02);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nets, EarlyExitParts,
                         testing::Combine(testing::Values("fp32", "bf16", "int8"), testing::Bool()),
                         [](const auto& info) {
                           return std::get<0>(info.param) +
                                  (std::get<1>(info.param) ? "_reads_the_image_again" : "");
                         });

TEST(EarlyExitEngine, KeepsItsExitInTheFile) {
  const test::TemporaryFolder folder;
  const EngineContainer container = with_exit(net("fp32", true), "fp32");
  save_container(container, folder.path() / "e.engine");
  const EngineContainer read = load_container(folder.path() / "e.engine");
  ASSERT_TRUE(read.info.exit);
  EXPECT_EQ(nlohmann::json(*read.info.exit), nlohmann::json(*container.info.exit));
  const auto context = make_engine(read)->create_context({});
  EXPECT_NE(dynamic_cast<EarlyExitContext*>(context.get()), nullptr);
}

TEST(EarlyExitEngine, MetadataWithoutSuchAnExitIsRefused) {
  const auto changed = [](const char* key, const nlohmann::json& value) {
    nlohmann::json json = with_exit(net("fp32", false), "fp32").info;
    json["exit"][key] = value;
    return json;
  };
  EXPECT_NO_THROW((void)changed("output", 1).get<EngineInfo>());
  for (const nlohmann::json& value : {nlohmann::json(0), nlohmann::json(2), nlohmann::json(-1),
                                      nlohmann::json(1.5), nlohmann::json(1e300)}) {
    EXPECT_THROW((void)changed("output", value).get<EngineInfo>(), Error) << value;
  }
  nlohmann::json other_classes = changed("output", 1);
  other_classes["outputs"][1]["shape"] = {1, 11};
  EXPECT_THROW((void)other_classes.get<EngineInfo>(), Error);
}

TEST(EarlyExitEngine, AnExitThatTakesTheWholeNetIsRefused) {
  // A file whose graph is not ordered as its metadata says.
  EngineContainer container = with_exit(net("fp32", false), "fp32");
  container.sections = test::container_of(net("fp32", false), "fp32").sections;
  EXPECT_THROW((void)make_engine(std::move(container))->create_context({}), Error);
}

TEST(EarlyExitEngine, TheNullBackendHasBothParts) {
  const auto context =
      make_engine(with_exit(net("fp32", false), "fp32", "null"))->create_context({});
  auto* parts = dynamic_cast<EarlyExitContext*>(context.get());
  ASSERT_NE(parts, nullptr);
  parts->run_stem();
  EXPECT_EQ(context->output(1)[0], 1.F);
  parts->run_tail();
}

}  // namespace
}  // namespace hedge
