// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/early_exit.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "base/text.h"
#include "hedge/error.h"
#include "hi/decide/decision_text.h"

namespace hedge {
namespace {

EarlyExitContext& require_parts(const Engine& engine, ExecutionContext& context) {
  (void)require_exit(engine);
  auto* parts = dynamic_cast<EarlyExitContext*>(&context);
  if (parts != nullptr) return *parts;
  throw bad_input(fmt::format("backend {} cannot stop at an early exit", engine.info().backend));
}

ScoreKind kind_of(bool ends_in_softmax) {
  return ends_in_softmax ? ScoreKind::kSoftmax : ScoreKind::kLogits;
}

/// The image is decided upon alone, so there is one.
void require_one_image(const Engine& engine, const ExecutionContext& context) {
  const auto images = static_cast<std::int64_t>(context.output(0).size()) * engine.info().batch /
                      std::max<std::int64_t>(element_count(engine.info().outputs.at(0).shape), 1);
  if (images == 1) return;
  throw bad_input(fmt::format(
      "an early exit is decided on image by image, not on batches of {}; take a batch of 1",
      images));
}

std::vector<std::string> threshold_rules() {
  std::vector<std::string> names;
  for (const Rule rule : score_rules()) {
    if (rule != Rule::kLogistic) names.push_back(fmt::format("{}:THRESHOLD", name_of(rule)));
  }
  return names;
}

DecisionFile decision_of_text(const std::string& text) {
  const StatedDecision stated = parse_decision(text);
  const Rule rule = stated.decision.rule;
  if (!has_threshold(rule)) {
    throw bad_input(
        fmt::format("{} does not look at scores, so it cannot tell when to exit; "
                    "there are {}",
                    name_of(rule), join_words(threshold_rules())));
  }
  if (rule == Rule::kLogistic) throw bad_input("logistic has coefficients; give a decision file");
  if (!stated.has_threshold) {
    throw bad_input(fmt::format("a threshold is missing; write {}:THRESHOLD", name_of(rule)));
  }
  DecisionFile file;
  file.decision = stated.decision;
  return file;
}

DecisionFile decision_of_file(const std::string& file, int classes) {
  DecisionFile read = read_decision(file);
  if (read.classes != 0 && read.classes != classes) {
    throw bad_input(
        fmt::format("{}: is for {} classes, but the exit has {}", file, read.classes, classes));
  }
  if (!has_threshold(read.decision.rule)) {
    throw bad_input(fmt::format("{}: {} does not look at scores, so it cannot tell when to exit",
                                file, name_of(read.decision.rule)));
  }
  return read;
}

class StemContext final : public ExecutionContext {
 public:
  StemContext(const Engine& engine, std::unique_ptr<ExecutionContext> context)
      : context_(std::move(context)),
        parts_(require_parts(engine, *context_)),
        output_(require_exit(engine).output) {}

  [[nodiscard]] std::span<float> input() override { return context_->input(); }
  [[nodiscard]] std::size_t output_count() const override { return 1; }
  [[nodiscard]] std::span<const float> output(std::size_t index) const override {
    return context_->output(index == 0 ? output_ : context_->output_count());
  }
  void infer() override { parts_.run_stem(); }
  void copy_in() override { context_->copy_in(); }
  void copy_out() override { context_->copy_out(); }
  [[nodiscard]] MemoryUse memory() const override { return context_->memory(); }
  [[nodiscard]] std::vector<std::string> warnings() const override { return context_->warnings(); }

 private:
  std::unique_ptr<ExecutionContext> context_;
  EarlyExitContext& parts_;
  std::size_t output_;
};

}  // namespace

const ExitInfo& require_exit(const Engine& engine) {
  if (engine.info().exit) return *engine.info().exit;
  throw bad_input(
      "the engine has no early exit; build one with build_engine --exit=TENSOR, from a model with "
      "scores before its end");
}

EarlyExit::EarlyExit(const Engine& engine, ExecutionContext& context, const EarlyExitPolicy& policy)
    : context_(context),
      parts_(require_parts(engine, context)),
      exit_(policy.exit, kind_of(require_exit(engine).ends_in_softmax)),
      offload_at_exit_(policy.offload_at_exit),
      exit_scores_(context.output(require_exit(engine).output)),
      net_scores_(context.output(0)) {
  require_one_image(engine, context);
  if (policy.net) net_.emplace(*policy.net, kind_of(engine.info().ends_in_softmax));
}

AnswerSource EarlyExit::run(std::uint64_t image) {
  parts_.run_stem();
  if (exit_.keep(exit_scores_, image)) return AnswerSource::kExit;
  if (offload_at_exit_) return AnswerSource::kServer;
  parts_.run_tail();
  return !net_ || net_->keep(net_scores_, image) ? AnswerSource::kNet : AnswerSource::kServer;
}

DecisionFile parse_exit_decision(const std::string& flag, const std::string& text, int classes) {
  try {
    if (is_decision_text(text)) return decision_of_text(text);
    std::error_code error;
    if (!std::filesystem::exists(text, error)) {
      throw bad_input(
          fmt::format("is neither a file nor one of {}", join_words(threshold_rules())));
    }
    return decision_of_file(text, classes);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBadInput) throw;
    throw bad_input(fmt::format("{}={}: {}", flag, printable(text), error.what()));
  }
}

std::unique_ptr<ExecutionContext> stem_of(const Engine& engine,
                                          std::unique_ptr<ExecutionContext> context) {
  return std::make_unique<StemContext>(engine, std::move(context));
}

}  // namespace hedge
