// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/early_exit.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <fstream>
#include <limits>

#include "hedge/error.h"
#include "support/temporary_folder.h"

namespace hedge {
namespace {

/// Output 0 are logits of the net, output 1 softmax of the exit; both as the test sets them.
class FakeContext : public ExecutionContext, public EarlyExitContext {
 public:
  explicit FakeContext(std::size_t batch = 1) : net(3 * batch), exit(3 * batch) {}
  std::span<float> input() override { return pixels; }
  [[nodiscard]] std::size_t output_count() const override { return 2; }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override {
    return index == 0 ? net : index == 1 ? exit : throw std::out_of_range("output");
  }
  void infer() override { ++whole; }
  [[nodiscard]] MemoryUse memory() const override { return {7, 8}; }
  [[nodiscard]] std::vector<std::string> warnings() const override { return {"slow"}; }
  void run_stem() override { ++stems; }
  void run_tail() override { ++tails; }
  [[nodiscard]] std::size_t stem_layers() const override { return 1; }

  std::array<float, 4> pixels{};
  std::vector<float> net;
  std::vector<float> exit;
  int whole = 0;
  int stems = 0;
  int tails = 0;
};

class FakeEngine final : public Engine {
 public:
  FakeEngine() {
    info_.backend = "fake";
    info_.outputs = {{"scores", {1, 3}}, {"exit", {1, 3}}};
    info_.exit = ExitInfo{.output = 1, .ends_in_softmax = true};
  }
  [[nodiscard]] const EngineInfo& info() const override { return info_; }
  [[nodiscard]] std::unique_ptr<ExecutionContext> create_context(
      const ContextOptions& /*options*/) const override {
    return std::make_unique<FakeContext>();
  }
  EngineInfo info_;
};

constexpr Rule kTop1 = Rule::kTop1;

Decision top1(double threshold) {
  return {.rule = kTop1, .threshold = threshold};
}

template <class Function>
std::string refusal(Function function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadInput);
    return error.what();
  }
  return "nothing was refused";
}

void expect_mentions(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' is not in: " << text;
  }
}

struct Case {
  std::vector<float> exit;
  std::vector<float> net;
  bool offload_at_exit;
  std::optional<double> net_threshold;
  AnswerSource expected;
  int tails;
};

TEST(EarlyExit, FollowsThePolicy) {
  const std::vector<float> sure{0.95F, 0.03F, 0.02F};
  const std::vector<float> doubtful{0.6F, 0.3F, 0.1F};
  const std::vector<float> sure_logits{9, 0, 0};
  const std::vector<float> doubtful_logits{1, 0.9F, 0.8F};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<Case> cases{
      {sure, doubtful_logits, false, {}, AnswerSource::kExit, 0},
      {sure, doubtful_logits, true, 0.9, AnswerSource::kExit, 0},
      {{0.9F, 0.1F, 0}, doubtful_logits, false, {}, AnswerSource::kExit, 0},  // Reaches it just so.
      {doubtful, doubtful_logits, false, {}, AnswerSource::kNet, 1},
      {doubtful, sure_logits, false, 0.9, AnswerSource::kNet, 1},
      {doubtful, doubtful_logits, false, 0.9, AnswerSource::kServer, 1},
      {doubtful, sure_logits, true, {}, AnswerSource::kServer, 0},
      {{nan, nan, nan}, sure_logits, false, {}, AnswerSource::kNet, 1},  // Never trusted.
      {{nan, nan, nan}, {nan, nan, nan}, false, 0.0, AnswerSource::kServer, 1}};
  const FakeEngine engine;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Case& c = cases[i];
    FakeContext context;
    context.exit = c.exit;
    context.net = c.net;
    EarlyExitPolicy policy{.exit = top1(double{0.9F}), .offload_at_exit = c.offload_at_exit};
    if (c.net_threshold) policy.net = top1(*c.net_threshold);
    EarlyExit early(engine, context, policy);
    EXPECT_EQ(early.run(), c.expected);
    EXPECT_EQ(context.stems, 1);
    EXPECT_EQ(context.tails, c.tails);
    EXPECT_EQ(context.whole, 0);
    EXPECT_EQ(early.exit_scores().data(), context.exit.data());
    EXPECT_EQ(early.net_scores().data(), context.net.data());
    EXPECT_EQ(early.input().data(), context.pixels.data());
  }
}

TEST(EarlyExit, RefusesEnginesThatHaveNone) {
  FakeEngine engine;
  FakeContext context;
  engine.info_.exit.reset();
  expect_mentions(refusal([&] { EarlyExit(engine, context, {.exit = top1(0.5)}); }),
                  {"no early exit", "--exit=TENSOR"});
}

TEST(EarlyExit, RefusesBackendsThatCannotStop) {
  const FakeEngine engine;
  const auto whole = stem_of(engine, engine.create_context({}));  // Has infer() only.
  expect_mentions(refusal([&] { EarlyExit(engine, *whole, {.exit = top1(0.5)}); }),
                  {"backend fake cannot stop"});
}

TEST(EarlyExit, RefusesBatchesAndDecisionsThatNeedMore) {
  const FakeEngine engine;
  FakeContext two(2);
  expect_mentions(refusal([&] { EarlyExit(engine, two, {.exit = top1(0.5)}); }),
                  {"batches of 2", "batch of 1"});
  FakeContext context;
  EXPECT_NE(refusal([&] { EarlyExit(engine, context, {.exit = {.rule = Rule::kOracle}}); }),
            "nothing was refused");
  // The exit ends in softmax, which leaves no energy.
  EXPECT_NE(refusal([&] { EarlyExit(engine, context, {.exit = {.rule = Rule::kEnergy}}); }),
            "nothing was refused");
}

TEST(StemOf, RunsTheStemAlone) {
  const FakeEngine engine;
  auto owned = std::make_unique<FakeContext>();
  FakeContext& fake = *owned;
  const auto stem = stem_of(engine, std::move(owned));
  stem->infer();
  EXPECT_EQ(fake.stems, 1);
  EXPECT_EQ(fake.tails, 0);
  EXPECT_EQ(fake.whole, 0);
  EXPECT_EQ(stem->output_count(), 1U);
  EXPECT_EQ(stem->output(0).data(), fake.exit.data());
  EXPECT_THROW((void)stem->output(1), std::out_of_range);
  EXPECT_EQ(stem->memory().engine_bytes, 7U);
  EXPECT_EQ(stem->warnings(), std::vector<std::string>{"slow"});
}

TEST(ParseExitDecision, ReadsRulesWithThresholds) {
  const auto parse = [](const std::string& text) {
    return parse_exit_decision("--x", text, 10).decision;
  };
  EXPECT_EQ(parse("top1:0.9"), top1(0.9));
  EXPECT_EQ(parse("margin:0"), (Decision{.rule = Rule::kMargin, .threshold = 0}));
  EXPECT_EQ(parse("entropy:1.5"), (Decision{.rule = Rule::kEntropy, .threshold = 1.5}));
  EXPECT_EQ(parse("energy:-4e0"), (Decision{.rule = Rule::kEnergy, .threshold = -4}));
}

TEST(ParseExitDecision, SaysWhatIsWrong) {
  const auto said = [](const std::string& text) {
    return refusal([&] { (void)parse_exit_decision("--exit-decision", text, 10); });
  };
  expect_mentions(said("top1"), {"--exit-decision=top1", "top1:THRESHOLD"});
  expect_mentions(said("top1:"), {"'' is no threshold"});
  for (const char* number : {"2", "-0.1", "nan", "0.5x", " 0.5", "inf", "1e999"}) {
    expect_mentions(said(std::string("top1:") + number), {"is no threshold of top1"});
  }
  expect_mentions(said("entropy:nan"), {"is no threshold of entropy"});
  expect_mentions(said("energy:inf"), {"is no threshold of energy"});
  expect_mentions(said("logistic:0.5"), {"decision file"});
  expect_mentions(said("no-such-file.json"), {"is neither a file nor", "top1:THRESHOLD"});
}

TEST(ParseExitDecision, ReadsDecisionFiles) {
  const test::TemporaryFolder folder;
  const auto file = (folder.path() / "d.json").string();
  const auto parse = [&](const std::string& content, int classes) {
    std::ofstream(file) << content;
    return parse_exit_decision("--x", file, classes).decision;
  };
  const std::string margin =
      R"({"schema": "hedge.decision/1", "rule": "margin", "threshold": 0.25, "classes": 10})";
  EXPECT_EQ(parse(margin, 10).threshold, 0.25);
  expect_mentions(refusal([&] { (void)parse(margin, 3); }), {"is for 10 classes", "exit has 3"});
  expect_mentions(
      refusal([&] { (void)parse(R"({"schema": "hedge.decision/1", "rule": "never"})", 3); }),
      {"does not look at scores"});
}

}  // namespace
}  // namespace hedge
