// SPDX-License-Identifier: Apache-2.0
// Policies that learn the offload threshold while they run, on recorded scores or synthetic images.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/hi/online_source.h"
#include "cli/hi/online_text.h"
#include "cli/hi/regret_plot.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "hi/online/online_streams.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  ./inference --model=resnet8_cifar.onnx --scores=scores.npy\n"
    "  hedge online --scores=scores.npy --labels=labels.txt --server-labels=server.txt --cost=0.1\n"
    "  hedge online --scores=... --labels=... --order=by-class --memory=1000 --svg=regret.svg\n"
    "  hedge online --synthetic=stationary --images=100000 --policy=hedge,ucb\n"
    "  hedge online --synthetic=sudden --policy=hedge --memory=2000\n"
    "\n"
    "A wrong answer costs 1, an offload --cost. What a policy learns from comes for offloaded\n"
    "images only. Regret: cost above that of the fixed threshold that would have been best for "
    "the\n"
    "same images (docs/online.md). With --json, --csv and --svg the curve of the regret.\n";

constexpr std::string_view kFixedPrefix = "fixed:";

std::optional<double> optional_number(const std::string& flag, const std::string& text, double low,
                                      double high) {
  if (text.empty()) return std::nullopt;
  return parse_number(flag, text, low, high);
}

HedgeOptions hedge_options(const OnlineFlags& flags, const OnlineSource& source,
                           OnlineCosts costs) {
  HedgeOptions hedge;
  hedge.costs = costs;
  hedge.low = source.low;
  hedge.high = source.high;
  hedge.experts = static_cast<std::size_t>(parse_count("--experts", flags.experts, 2, 65536));
  hedge.horizon = parse_count("--horizon", flags.horizon, 0, 1'000'000'000'000);
  hedge.memory = parse_count("--memory", flags.memory, 0, 1'000'000'000'000);
  hedge.exploration = optional_number("--exploration", flags.exploration, 0, 1);
  hedge.learning_rate = optional_number("--learning-rate", flags.learning_rate, 1e-9, 1e9);
  return hedge;
}

UcbOptions ucb_options(const OnlineFlags& flags, OnlineCosts costs) {
  UcbOptions ucb;
  ucb.costs = costs;
  ucb.bins = static_cast<std::size_t>(parse_count("--bins", flags.bins, 1, 4096));
  ucb.memory = parse_count("--memory", flags.memory, 0, 1'000'000'000'000);
  return ucb;
}

/// The policies to run, and after them the bounds that they are held against.
class Study {
 public:
  Study(const OnlineFlags& flags, const OnlineSetting& setting, const OnlineSource& source)
      : flags_(flags), setting_(setting), source_(source) {}

  void add_policy(const std::string& policy) {
    OnlineCosts costs = setting_.costs;
    if (setting_.feedback == OnlineFeedback::kServer) costs.server_error = 0;
    if (policy == "hedge") {
      const HedgeOptions hedge = hedge_options(flags_, source_, costs);
      const std::uint64_t seed = setting_.seed;
      add(policy, true, [hedge, seed](std::size_t repetition, const OnlineStream&) {
        HedgeOptions seeded = hedge;
        seeded.seed = seed + repetition;
        return OnlinePolicy(HedgePolicy(seeded));
      });
    } else if (policy.starts_with("ucb")) {
      UcbOptions ucb = ucb_options(flags_, costs);
      ucb.monotone = policy != "ucb-lite";
      if (policy == "ucb-hoeffding") ucb.bound = ConfidenceBound::kHoeffding;
      add(policy, true, [ucb](std::size_t, const OnlineStream&) {
        return OnlinePolicy(UpperConfidencePolicy(ucb));
      });
    } else {
      Decision decision = source_.decision;
      decision.threshold =
          parse_number("--policy=fixed", policy.substr(kFixedPrefix.size()), -1e9, 1e9);
      add_fixed(policy, decision.least_confidence());
    }
  }

  void add_bounds() {
    const OnlineCosts costs = setting_.costs;
    add(kBestFixed, false, [costs](std::size_t, const OnlineStream& stream) {
      return OnlinePolicy(
          FixedThresholdPolicy(best_fixed_threshold(stream.rounds).threshold, costs));
    });
    if (source_.server_known && setting_.feedback == OnlineFeedback::kServer) {
      add(kServersBest, false, [costs](std::size_t, const OnlineStream& stream) {
        return OnlinePolicy(FixedThresholdPolicy(best_by_server(stream, costs), costs));
      });
    }
    add_fixed("always", std::numeric_limits<double>::infinity());
    add_fixed("never", -std::numeric_limits<double>::infinity());
  }

  std::vector<OnlineRow> run(const Program& program) {
    ProgressBar bar(program, "repetitions", static_cast<std::int64_t>(setting_.repetitions));
    std::int64_t done = 0;
    std::vector<OnlineSummary> summaries =
        repeat_online(source_.stream, makers_, setting_.feedback, setting_.repetitions, [&] {
          bar.update(++done);
          return cancellation_requested();
        });
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].summary = std::move(summaries[i]);
    return std::move(rows_);
  }

 private:
  /// The best fixed threshold for one who takes the server's answers for the truth.
  static double best_by_server(OnlineStream stream, const OnlineCosts& costs) {
    for (OnlineRound& round : stream.rounds) {
      round.keep_loss = round.agree ? 0 : 1;
      round.offload_loss = costs.offload;
    }
    return best_fixed_threshold(stream.rounds).threshold;
  }

  void add(const std::string& name, bool learns, PolicyMaker maker) {
    rows_.push_back({name, {}, learns});
    makers_.push_back(std::move(maker));
  }
  void add_fixed(const std::string& name, double threshold) {
    add(name, false, [threshold, costs = setting_.costs](std::size_t, const OnlineStream&) {
      return OnlinePolicy(FixedThresholdPolicy(threshold, costs));
    });
  }

  const OnlineFlags& flags_;
  const OnlineSetting& setting_;
  const OnlineSource& source_;
  std::vector<OnlineRow> rows_;
  std::vector<PolicyMaker> makers_;
};

std::vector<std::string> policies_of(const OnlineFlags& flags) {
  const std::vector<std::string> known{"hedge", "ucb", "ucb-lite", "ucb-hoeffding"};
  std::vector<std::string> policies;
  for (const std::string& policy : split(flags.policies, ',')) {
    if (policy == "all") {
      policies.insert(policies.end(), known.begin(), known.end());
    } else if (policy.starts_with(kFixedPrefix) ||
               std::find(known.begin(), known.end(), policy) != known.end()) {
      policies.push_back(policy);
    } else {
      throw bad_input(fmt::format("--policy: no policy '{}'; there are {}, fixed:THRESHOLD and all",
                                  printable(policy, 40), fmt::join(known, ", ")));
    }
  }
  return policies;
}

void write_files(const Program& program, const OnlineFlags& flags, const OnlineSetting& setting,
                 const OnlineSource& source, const std::vector<OnlineRow>& rows) {
  nlohmann::ordered_json json{{"schema", "hedge.online/1"}, {"images", source.images}};
  json.update(source.json);
  json["confidence"] = name_of(source.decision.rule);
  json["cost"] = setting.costs.offload;
  json["server_error_cost"] = setting.costs.server_error;
  json["feedback"] = flags.feedback;
  json["seed"] = setting.seed;
  json["policies"] = online_rows_json(rows, source.decision);
  program.write_json(json);
  if (!flags.csv.empty()) write_file(flags.csv, regret_csv(rows));
  if (flags.svg.empty()) return;
  std::vector<RegretCurve> curves;
  for (const OnlineRow& row : rows) {
    if (row.learns || row.name.starts_with(kFixedPrefix)) {
      curves.push_back({row.name, &row.summary});
    }
  }
  write_file(flags.svg, regret_plot(curves));
}

int online(const Program& program, const OnlineFlags& flags) {
  program.check_files({.written = {{"--csv", flags.csv}, {"--svg", flags.svg}}});
  const OnlineSetting setting = online_setting(flags);
  const std::vector<std::string> policies = policies_of(flags);
  const OnlineSource source = online_source(flags, setting);
  Study study(flags, setting, source);
  for (const std::string& policy : policies) study.add_policy(policy);
  study.add_bounds();
  const std::vector<OnlineRow> rows = study.run(program);
  program.print_text(source.text);
  program.print("costs          an offload {:g}, a wrong answer 1{}\n", setting.costs.offload,
                setting.costs.server_error == 1
                    ? ""
                    : fmt::format(", of the server {:g}", setting.costs.server_error));
  program.print("learning       from {}, of offloaded images only; {} repetitions\n",
                setting.feedback == OnlineFeedback::kLabels ? "the labels"
                                                            : "the server's answers as the truth",
                rows.front().summary.repetitions);
  program.print_text(online_table(rows, source.decision));
  program.print_text(online_sentence(rows));
  write_files(program, flags, setting, source, rows);
  return cancellation_requested() ? kExitCancelled : kExitSuccess;
}

void add_flags(CLI::App& app, OnlineFlags& flags) {
  const TextFlags add(app);
  add_scored_images_options(app, flags.recorded);
  app.get_option("--server-labels")
      ->description("Classes that the server gives (default: it is always right)");
  add("--labels", flags.labels, "True classes, one a line", "FILE");
  add("--synthetic", flags.synthetic,
      "Images with known truth instead: stationary, sudden, gradual, recurring", "KIND");
  add("--images", flags.images, "Of --synthetic (default 20000)", "N");
  add("--levels", flags.levels, "Of --synthetic: distinct confidences (default 0: any)", "N");
  add("--policy", flags.policies,
      "hedge, ucb, ucb-lite, ucb-hoeffding, fixed:THRESHOLD, separated by commas, or all (default "
      "hedge,ucb)",
      "LIST");
  add("--confidence", flags.confidence,
      "top1, margin, entropy, energy, or logistic with the original's coefficients (default top1)",
      "RULE");
  add("--decision-file", flags.decision_file, "The confidence of this decision instead", "FILE");
  add("--cost", flags.cost, "Of an offload; a wrong answer costs 1 (default 0.3)", "C");
  add("--server-error-cost", flags.server_error_cost, "Of a wrong answer of the server (default 1)",
      "C");
  add("--feedback", flags.feedback,
      "server: its answer is taken for the truth, as in the field (default); labels: the truth",
      "WHAT");
  add("--order", flags.order, "shuffled (default), recorded, by-class (drift)", "ORDER");
  add("--repetitions", flags.repetitions, "Each with its own order and seed (default 20)", "N");
  add("--seed", flags.seed, "Of the first repetition (default 1)", "N");
  add("--memory", flags.memory,
      "Images after which the world may have changed (default 0: it does not)", "N");
  add("--horizon", flags.horizon, "hedge: images to come (default 0: unknown)", "N");
  add("--experts", flags.experts, "hedge: intervals of thresholds at most (default 256)", "N");
  add("--exploration", flags.exploration, "hedge: forced share (default: by theory)", "P");
  add("--learning-rate", flags.learning_rate, "hedge: of the weights (default: by theory)", "R");
  add("--bins", flags.bins, "ucb: bins of confidence (default 16)", "N");
  add("--csv", flags.csv, "Write the curves of the regret", "FILE");
  add("--svg", flags.svg, "Draw them", "FILE");
}

/// Flags of policies that do not run: a script may pass the same in every case.
void warn_of_idle_policy_flags(const CLI::App& app, const std::vector<std::string>& policies) {
  const auto runs = [&](std::string_view begin) {
    return std::any_of(policies.begin(), policies.end(),
                       [&](const std::string& policy) { return policy.starts_with(begin); });
  };
  if (!runs("hedge")) {
    for (const char* flag : {"--horizon", "--experts", "--exploration", "--learning-rate"}) {
      warn_of_idle_flags(app, flag, "--policy=hedge");
    }
  }
  if (!runs("ucb")) warn_of_idle_flags(app, "--bins", "--policy=ucb");
  if (!runs("hedge") && !runs("ucb")) {
    warn_of_idle_flags(app, "--memory", "policies that learn");
    warn_of_idle_flags(app, "--feedback", "policies that learn");
  }
}

/// Flags that the way chosen does not look at.
void refuse_idle_flags(const CLI::App& app, bool synthetic) {
  const std::vector<const char*> recorded{
      "--scores", "--labels",     "--server-labels", "--logits",   "--softmax",
      "--order",  "--confidence", "--decision-file", "--feedback", "--server-error-cost"};
  const std::vector<const char*> made{"--images", "--levels"};
  for (const char* flag : synthetic ? recorded : made) {
    if (app.count(flag) == 0) continue;
    throw bad_input(fmt::format("{}: is for {}; leave it or --synthetic out", flag,
                                synthetic ? "recorded scores" : "--synthetic"));
  }
  if (app.count("--confidence") > 0 && app.count("--decision-file") > 0) {
    throw bad_input("--confidence, --decision-file: state one of them");
  }
  if (app.count("--horizon") > 0 && app.count("--memory") > 0) {
    throw bad_input("--horizon, --memory: state one of them; a memory is the horizon too");
  }
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("online",
                  "Learn the offload threshold while images come, and what that costs against "
                  "knowing it",
                  kExamples);
  OnlineFlags flags;
  add_flags(program.app(), flags);
  program.add_json_flag("schema hedge.online/1");
  return program.run(argc, argv, [&] {
    refuse_idle_flags(program.app(), !flags.synthetic.empty());
    warn_of_idle_policy_flags(program.app(), policies_of(flags));
    return online(program, flags);
  });
}
