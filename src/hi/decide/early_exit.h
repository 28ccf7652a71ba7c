// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "hedge/engine.h"
#include "hi/decide/decision_file.h"
#include "hi/decide/fast_decision.h"

namespace hedge {

/// Whose answer an image gets.
enum class AnswerSource : std::uint8_t {
  kExit,    ///< The early exit was sure; the tail did not run.
  kNet,     ///< The whole net's.
  kServer,  ///< Nobody here is sure: the image is to be offloaded.
};

/// What becomes of an image in a net with an early exit.
struct EarlyExitPolicy {
  /// On the exit's scores: the exit's answer is kept, or the image is doubtful.
  Decision exit;
  /// Doubtful images leave for the server at once, so that the tail never runs.
  bool offload_at_exit = false;
  /// On the whole net's scores, of images that went on: its answer is kept, or the image is
  /// offloaded. Nothing: it is always kept.
  std::optional<Decision> net{};
};

/// Of an engine with an early exit. Throws bad_input where there is none, saying how to build one.
[[nodiscard]] const ExitInfo& require_exit(const Engine& engine);

/// Runs a net with an early exit image by image, by a policy.
class EarlyExit {
 public:
  /// `context` is one of `engine`'s, for a batch of 1, and outlives this. Throws bad_input: no
  /// early exit in the engine, a backend that cannot stop there, a larger batch, a decision that
  /// needs labels or scores of another kind.
  EarlyExit(const Engine& engine, ExecutionContext& context, const EarlyExitPolicy& policy);

  /// On input(): runs the stem and, unless the policy ends there, the tail. No allocation, no lock.
  /// `image` is its number, for Rule::kRandom.
  AnswerSource run(std::uint64_t image = 0);

  [[nodiscard]] std::span<float> input() { return context_.input(); }
  /// Readable after every run().
  [[nodiscard]] std::span<const float> exit_scores() const { return exit_scores_; }
  /// The whole net's; readable after a run() whose tail ran: not after kExit, nor after kServer
  /// where the policy offloads at the exit.
  [[nodiscard]] std::span<const float> net_scores() const { return net_scores_; }

 private:
  ExecutionContext& context_;
  EarlyExitContext& parts_;
  FastDecision exit_;
  bool offload_at_exit_;
  std::optional<FastDecision> net_;
  std::span<const float> exit_scores_;
  std::span<const float> net_scores_;
};

/// RULE:THRESHOLD (top1:0.9, margin:0.5, entropy:0.3, energy:-4) or the name of a decision file, as
/// a decision on the scores of an exit with that many classes; of a file with what it says of
/// itself. Throws bad_input beginning with
/// `flag`: no such rule, no or no sensible threshold, a rule that does not look at scores, and as
/// read_decision.
[[nodiscard]] DecisionFile parse_exit_decision(const std::string& flag, const std::string& text,
                                               int classes);

/// A context that runs the stem alone: infer() is run_stem(), output(0) are the exit's scores. For
/// measuring what an image costs that exits. Throws bad_input as EarlyExit.
[[nodiscard]] std::unique_ptr<ExecutionContext> stem_of(const Engine& engine,
                                                        std::unique_ptr<ExecutionContext> context);

}  // namespace hedge
