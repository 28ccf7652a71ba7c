// SPDX-License-Identifier: Apache-2.0
#include "hi/simulate/outcome.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "hedge/error.h"
#include "stats/intervals.h"
#include "stats/mcnemar.h"

namespace hedge {
namespace {

struct Counts {
  std::int64_t images = 0;
  // [kept][local right][server right].
  std::int64_t of[2][2][2] = {};

  /// Of those where the arguments hold; -1: whatever it is.
  [[nodiscard]] std::int64_t sum(int kept, int local, int server) const {
    std::int64_t total = 0;
    for (int k = 0; k < 2; ++k) {
      for (int l = 0; l < 2; ++l) {
        for (int s = 0; s < 2; ++s) {
          const bool counts =
              (kept < 0 || k == kept) && (local < 0 || l == local) && (server < 0 || s == server);
          total += counts ? of[k][l][s] : 0;
        }
      }
    }
    return total;
  }
};
constexpr int kAny = -1;

Counts count(const HiAnswers& answers) {
  const std::size_t size = answers.labels.size();
  if (answers.local.size() != size || answers.server.size() != size ||
      answers.kept.size() != size) {
    throw bad_input(
        fmt::format("{} labels, but {} local answers, {} of the server and {} decisions", size,
                    answers.local.size(), answers.server.size(), answers.kept.size()));
  }
  Counts counts;
  counts.images = static_cast<std::int64_t>(size);
  const auto right = [](int answer, int label) { return answer >= 0 && answer == label ? 1 : 0; };
  for (std::size_t i = 0; i < size; ++i) {
    const int label = answers.labels[i];
    ++counts.of[answers.kept[i] != 0 ? 1 : 0][right(answers.local[i], label)]
               [right(answers.server[i], label)];
  }
  return counts;
}

ConfusionResult confusion_of(const Counts& counts) {
  ConfusionResult confusion;
  confusion.kept_right = counts.sum(1, 1, kAny);
  confusion.kept_wrong = counts.sum(1, 0, kAny);
  confusion.offloaded_right = counts.sum(0, 1, kAny);
  confusion.offloaded_wrong = counts.sum(0, 0, kAny);
  confusion.offloaded_server_right = counts.sum(0, kAny, 1);
  confusion.offloaded_server_wrong = counts.sum(0, kAny, 0);
  confusion.gained = counts.sum(0, 0, 1);
  confusion.lost = counts.sum(0, 1, 0);
  return confusion;
}

PairedResult paired(std::int64_t only_hi, std::int64_t only_other, std::int64_t images) {
  PairedResult result;
  result.difference = static_cast<double>(only_hi - only_other) / static_cast<double>(images);
  result.only_hi_right = only_hi;
  result.only_other_right = only_other;
  result.p_value = mcnemar_p_value(only_hi, only_other);
  return result;
}

}  // namespace

HiResult hi_outcome(const HiAnswers& answers) {
  const Counts counts = count(answers);
  HiResult hi;
  hi.images = counts.images;
  hi.offloads = counts.sum(0, kAny, kAny);
  hi.correct = counts.sum(1, 1, kAny) + counts.sum(0, kAny, 1);
  hi.confusion = confusion_of(counts);
  if (counts.images == 0) return hi;
  const auto set = [&](std::int64_t part, std::optional<double>& fraction,
                       std::optional<Range>& interval) {
    fraction = static_cast<double>(part) / static_cast<double>(counts.images);
    const Interval wilson = wilson_interval(part, counts.images);
    interval = Range{wilson.lower, wilson.upper};
  };
  set(*hi.offloads, hi.offload_fraction, hi.offload_fraction_ci95);
  set(*hi.correct, hi.accuracy, hi.accuracy_ci95);
  set(counts.sum(kAny, 1, kAny), hi.accuracy_local, hi.accuracy_local_ci95);
  set(counts.sum(kAny, kAny, 1), hi.accuracy_server, hi.accuracy_server_ci95);
  hi.against_local = paired(*hi.confusion.gained, *hi.confusion.lost, counts.images);
  hi.against_server = paired(counts.sum(1, 1, 0), counts.sum(1, 0, 1), counts.images);
  return hi;
}

void describe_decision(const Decision& decision, HiResult& hi) {
  hi.decision = name_of(decision.rule);
  hi.parameters.clear();
  switch (decision.rule) {
    case Rule::kLogistic: {
      std::vector<std::string> names;
      for (const Feature feature : decision.features) names.emplace_back(name_of(feature));
      hi.decision = names.empty() ? "logistic regression"
                                  : fmt::format("logistic regression on {}", join_words(names));
      hi.parameters = {decision.intercept};
      hi.parameters.insert(hi.parameters.end(), decision.weights.begin(), decision.weights.end());
      break;
    }
    case Rule::kRandom:
      hi.parameters = {decision.share};
      break;
    default:
      break;
  }
  if (has_threshold(decision.rule)) {
    hi.threshold = decision.threshold;
    if (decision.temperature != 1) hi.temperature = decision.temperature;
  }
}

}  // namespace hedge
