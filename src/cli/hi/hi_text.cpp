// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/hi_text.h"

#include <fmt/format.h>

#include <cmath>

namespace hedge::cli {
namespace {

std::string percent(const std::optional<double>& fraction, int digits = 2) {
  return fraction ? fmt::format("{:.{}f} %", 100 * *fraction, digits) : "?";
}

std::string interval(const std::optional<Range>& range) {
  if (!range) return {};
  return fmt::format(" (95 %: {:.2f} to {:.2f})", 100 * (*range)[0], 100 * (*range)[1]);
}

std::string p_value_text(double p) {
  return p < 1e-6 ? "p < 1e-6" : fmt::format("p = {:.2g}", p);
}

std::string against_line(const char* title, const char* other, const PairedResult& paired) {
  return fmt::format(
      "{:<10} {}: {:+.2f} points; {} images right by HI alone, {} by the other alone (McNemar "
      "{})\n",
      title, other, 100 * paired.difference.value_or(0), paired.only_hi_right.value_or(0),
      paired.only_other_right.value_or(0), p_value_text(paired.p_value.value_or(1)));
}

/// p = sigmoid(-4.53 + 5.83 top1 - 3.6 top2).
std::string formula(const Decision& decision) {
  std::string text = fmt::format("p = sigmoid({:.6g}", decision.intercept);
  for (std::size_t i = 0; i < decision.features.size(); ++i) {
    const double weight = decision.weights[i];
    text += fmt::format(" {} {:.6g} {}", std::signbit(weight) ? '-' : '+', std::abs(weight),
                        name_of(decision.features[i]));
  }
  return text + ")";
}

std::string rule_text(const Decision& decision) {
  switch (decision.rule) {
    case Rule::kLogistic:
      return fmt::format("logistic regression: kept where {} >= {:.6g}", formula(decision),
                         decision.threshold);
    case Rule::kTop1:
      return fmt::format("kept where top1 >= {:.6g}", decision.threshold);
    case Rule::kMargin:
      return fmt::format("kept where top1 - top2 >= {:.6g}", decision.threshold);
    case Rule::kEntropy:
      return fmt::format("kept where entropy <= {:.6g} nats", decision.threshold);
    case Rule::kEnergy:
      return fmt::format("kept where energy <= {:.6g}", decision.threshold);
    case Rule::kAlways:
      return "every image is offloaded";
    case Rule::kNever:
      return "every answer is kept";
    case Rule::kRandom:
      return fmt::format("a share of {:.6g} is offloaded at random", decision.share);
    case Rule::kOracle:
      return "offloaded where the server is right and the local model wrong: a bound, no decision";
  }
  return {};
}

}  // namespace

std::string decision_lines(const DecisionFile& file) {
  std::string text = fmt::format("decision   {}", rule_text(file.decision));
  if (has_threshold(file.decision.rule) && file.decision.temperature != 1) {
    text += fmt::format(", softmax at temperature {:.6g}", file.decision.temperature);
  }
  return text + fmt::format("\n           {}\n", file.origin);
}

std::string outcome_lines(const HiResult& hi) {
  if (!hi.accuracy) return "HI         no image was measured\n";
  const ConfusionResult& confusion = hi.confusion;
  std::string text =
      fmt::format("HI         {} right{}, {} of {} images\n", percent(hi.accuracy),
                  interval(hi.accuracy_ci95), hi.correct.value_or(0), hi.images.value_or(0));
  text += fmt::format("offloaded  {}{}, {} of {} images\n", percent(hi.offload_fraction),
                      interval(hi.offload_fraction_ci95), hi.offloads.value_or(0),
                      hi.images.value_or(0));
  text += fmt::format("all-local  {} right{}\n", percent(hi.accuracy_local),
                      interval(hi.accuracy_local_ci95));
  text += fmt::format("all-server {} right{}\n", percent(hi.accuracy_server),
                      interval(hi.accuracy_server_ci95));
  if (hi.against_local) text += against_line("against", "all-local", *hi.against_local);
  if (hi.against_server) text += against_line("", "all-server", *hi.against_server);
  text += fmt::format(
      "confusion  offloaded: {} though right, {} wrong; the server has {} of them right, {} wrong\n"
      "           kept: {} right, {} though wrong\n",
      confusion.offloaded_right.value_or(0), confusion.offloaded_wrong.value_or(0),
      confusion.offloaded_server_right.value_or(0), confusion.offloaded_server_wrong.value_or(0),
      confusion.kept_right.value_or(0), confusion.kept_wrong.value_or(0));
  return text;
}

std::string decision_time_line(const HiResult& hi) {
  if (!hi.decision_us || !hi.decision_us->p50) return {};
  const LatencyResult& time = *hi.decision_us;
  return fmt::format(
      "deciding   mean {:.3f}   p50 {:.3f}   p99 {:.3f}   max {:.3f} us an image, from scores to "
      "answer;\n"
      "           {:.3f} us of each is the timer's (bench/ has the decision alone)\n",
      time.mean.value_or(0), *time.p50, time.p99.value_or(0), time.max.value_or(0),
      time.timer_overhead.value_or(0));
}

std::string hi_sentence(const HiResult& hi) {
  if (!hi.accuracy) return {};
  return fmt::format("{} offloaded, {} right; all-local {}, all-server {}\n",
                     percent(hi.offload_fraction, 1), percent(hi.accuracy, 1),
                     percent(hi.accuracy_local, 1), percent(hi.accuracy_server, 1));
}

}  // namespace hedge::cli
