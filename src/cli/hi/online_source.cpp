// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/online_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "base/named_values.h"
#include "base/naming.h"
#include "cli/program/flags.h"
#include "hedge/error.h"
#include "hi/decide/published.h"
#include "hi/decide/score_features.h"

namespace hedge::cli {
namespace {

constexpr std::array<std::pair<OnlineFeedback, std::string_view>, 2> kFeedbacks{
    {{OnlineFeedback::kServer, "server"}, {OnlineFeedback::kLabels, "labels"}}};

/// The decision whose confidence counts. Throws bad_input where it has none, or cannot judge these
/// scores.
Decision decision_of(const OnlineFlags& flags, const ScoredImages& images) {
  if (!flags.decision_file.empty()) {
    return read_decision_for(flags.decision_file, images).decision;
  }
  Decision decision =
      published_decision(
          {.model = "resnet8", .dataset = "cifar", .precision = "fp32", .branch = {}})
          .decision;
  naming("--confidence", [&] {
    decision.rule = score_rule_named(flags.confidence);
    require_decidable(decision, images.kind);
  });
  return decision;
}

/// The range that all confidences of the rule lie in; of energy, which has none, the recorded one.
void set_range(std::span<const OnlineRound> rounds, std::size_t classes, OnlineSource& source) {
  double least = std::numeric_limits<double>::infinity();
  double largest = -least;
  for (const OnlineRound& round : rounds) {
    if (std::isnan(round.confidence)) continue;
    least = std::min(least, round.confidence);
    largest = std::max(largest, round.confidence);
  }
  if (least > largest) {
    throw bad_input(fmt::format("no image has a confidence by '{}': are the scores numbers?",
                                name_of(source.decision.rule)));
  }
  if (source.decision.rule == Rule::kEntropy) {
    source.low = -std::log(static_cast<double>(classes));
    source.high = 0;
  } else if (source.decision.rule == Rule::kEnergy) {
    source.low = least;
    source.high = largest > least ? largest : least + 1;
  }
}

/// Far from those of the policies, which are seed + repetition.
std::uint64_t stream_seed(std::uint64_t seed, std::size_t repetition) {
  return ~(seed + repetition);
}

double share_of(std::span<const OnlineRound> rounds, bool OnlineRound::*member) {
  const auto count = std::count_if(rounds.begin(), rounds.end(),
                                   [&](const OnlineRound& round) { return round.*member; });
  return static_cast<double>(count) / static_cast<double>(rounds.size());
}

OnlineSource recorded_source(const OnlineFlags& flags, const OnlineSetting& setting) {
  if (flags.recorded.scores.empty() || flags.labels.empty()) {
    throw bad_input("--scores and --labels are needed, or --synthetic");
  }
  OnlineSource source;
  const OnlineOrder order = order_named(flags.order);
  ScoredImages images = read_scored_images(flags.recorded, flags.labels);
  source.decision = decision_of(flags, images);
  source.server_known = !images.server.empty();
  const RecordedScores& scores = images.scores;
  std::vector<int>& labels = images.labels;
  const std::vector<int>& server = source.server_known ? images.server : labels;
  std::vector<OnlineRound> rounds(scores.rows());
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    const ScoreFeatures features =
        score_features(scores.row(i), images.kind, source.decision.temperature);
    OnlineRound& round = rounds[i];
    round.confidence = source.decision.confidence(features);
    round.local_right = features.predicted == labels[i];
    round.server_right = server[i] == labels[i];
    round.agree = features.predicted == server[i];
    round.keep_loss = round.local_right ? 0 : 1;
    round.offload_loss =
        setting.costs.offload + (round.server_right ? 0 : setting.costs.server_error);
  }
  set_range(rounds, scores.columns, source);
  source.images = rounds.size();
  const double local_right = share_of(rounds, &OnlineRound::local_right);
  const double server_right = share_of(rounds, &OnlineRound::server_right);
  source.text = fmt::format(
      "images         {}, {} classes, {}; order {}\nright          local {:.2f} %, server {}\n",
      rounds.size(), scores.columns, name_of(images.kind), flags.order, 100 * local_right,
      source.server_known ? fmt::format("{:.2f} %", 100 * server_right)
                          : "always (--server-labels states its answers)");
  source.json = {{"scores", flags.recorded.scores}, {"scores_kind", name_of(images.kind)},
                 {"classes", scores.columns},       {"order", flags.order},
                 {"local_accuracy", local_right},   {"server_accuracy", server_right}};
  source.stream = [rounds = std::move(rounds), labels = std::move(labels), order,
                   seed = setting.seed](std::size_t repetition) {
    return ordered_stream(rounds, labels, order, stream_seed(seed, repetition));
  };
  return source;
}

OnlineSource synthetic_source(const OnlineFlags& flags, const OnlineSetting& setting) {
  SyntheticOptions synthetic;
  synthetic.drift = drift_named(flags.synthetic);
  synthetic.images = static_cast<std::size_t>(parse_count(
      "--images", flags.images, static_cast<std::int64_t>(kFewestOnlineImages), 10'000'000));
  synthetic.levels = static_cast<std::size_t>(parse_count("--levels", flags.levels, 0, 1000));
  synthetic.offload_cost = setting.costs.offload;
  OnlineSource source;
  source.decision.rule = Rule::kTop1;
  source.images = synthetic.images;
  source.text = fmt::format(
      "images         {}, synthetic, {}; the regret is of expected losses\n"
      "truth          best threshold {:g}{}; the server is always right\n",
      synthetic.images, flags.synthetic, 1 - setting.costs.offload,
      synthetic.drift == Drift::kStationary ? "" : " while the model is good");
  source.json = {{"synthetic", flags.synthetic}, {"levels", synthetic.levels}};
  source.stream = [synthetic, seed = setting.seed](std::size_t repetition) {
    return synthetic_stream(synthetic, stream_seed(seed, repetition));
  };
  return source;
}

}  // namespace

OnlineSource online_source(const OnlineFlags& flags, const OnlineSetting& setting) {
  OnlineSource source =
      flags.synthetic.empty() ? recorded_source(flags, setting) : synthetic_source(flags, setting);
  if (source.images < kFewestOnlineImages) {
    throw bad_input(fmt::format("{}: {} images are too few to learn from; at least {} are needed",
                                flags.recorded.scores, source.images, kFewestOnlineImages));
  }
  return source;
}

OnlineSetting online_setting(const OnlineFlags& flags) {
  OnlineSetting setting;
  setting.costs.offload = parse_number("--cost", flags.cost, 0, 1);
  setting.costs.server_error = parse_number("--server-error-cost", flags.server_error_cost, 0, 1);
  naming("--cost", [&] { require_valid(setting.costs); });
  setting.seed = static_cast<std::uint64_t>(
      parse_count("--seed", flags.seed, 0, std::numeric_limits<std::int64_t>::max() / 2));
  setting.repetitions =
      static_cast<std::size_t>(parse_count("--repetitions", flags.repetitions, 1, 100'000));
  setting.feedback =
      naming("--feedback", [&] { return value_named(kFeedbacks, flags.feedback, "feedback"); });
  return setting;
}

}  // namespace hedge::cli
