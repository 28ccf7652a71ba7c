// SPDX-License-Identifier: Apache-2.0
#include "builder/best.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "base/cancellation.h"
#include "base/clock.h"
#include "builder/calibration_images.h"
#include "builder/score_images.h"
#include "builder/sensitivity.h"
#include "hedge/error.h"
#include "quant/quantize.h"
#include "stats/mcnemar.h"
#include "stats/summary.h"

namespace hedge {
namespace {

/// Nanoseconds that a comparison of times may take.
constexpr std::int64_t kTimingNs = 3'000'000'000;
constexpr std::int64_t kFewestRounds = 10;
constexpr std::int64_t kMostRounds = 1000;

using Precisions = std::map<std::string, std::string>;  ///< By layer.

class Chooser {
 public:
  Chooser(const PreparedModel& model, const Int8Options& int8, const BestOptions& options)
      : model_(model),
        options_(options),
        prepare_(*model.info.preprocessing),
        keep_(kept_layers(model.graph, int8)),
        ranges_(find_ranges(model, int8)),
        images_(open_calibration_images(model.info.dataset, int8.data, int8.input,
                                        *model.info.preprocessing)),
        run_{.dataset = *images_.dataset,
             .prepare = prepare_,
             .images = options.images,
             .threads = int8.threads},
        labels_(labels_of(*images_.dataset, run_.total())),
        layers_(quantizable_layers(model.graph)),
        times_layers_(model.backend->traits().times_layers) {
    if (layers_.empty()) throw bad_input("no layer has weights: there is no precision to choose");
    if (!images_.labelled) {
      throw bad_input(fmt::format(
          "precision best: its bound needs images whose classes are known, and those of {} are in "
          "no sub-folders",
          images_.source));
    }
  }

  BestReport choose(PreparedModel& result) {
    BestReport report{.images = run_.total()};
    std::map<std::string, PreparedModel> nets;
    for (const std::string& precision : available()) nets.emplace(precision, uniform(precision));
    report.fp32_correct = correct(nets.at("fp32"));
    time_layers(nets, report);
    const Precisions mixed = within_bound(report);
    for (BestLayer& layer : report.layers) layer.precision = mixed.at(layer.name);
    nets.emplace("mixed", variant(mixed));
    report.time_us = time_nets(nets);
    take_fastest(nets, report, result);
    if (report.chosen != "mixed") {
      const Precisions same = uniform_precisions(report.chosen);
      for (BestLayer& layer : report.layers) layer.precision = same.at(layer.name);
    }
    return report;
  }

 private:
  [[nodiscard]] PreparedModel variant(const Precisions& precisions) const {
    PreparedModel net = model_;
    FloatLayers floating = precisions;
    std::erase_if(floating, [](const auto& layer) { return layer.second == "int8"; });
    quantize_model(net, ranges_, floating);
    return net;
  }

  /// But for layers that are kept.
  [[nodiscard]] Precisions uniform_precisions(const std::string& precision) const {
    Precisions precisions;
    for (const std::string& layer : layers_) {
      const auto kept = keep_.find(layer);
      const bool is_kept = kept != keep_.end() && precision != "fp32";
      precisions[layer] = is_kept ? kept->second : precision;
    }
    return precisions;
  }

  [[nodiscard]] PreparedModel uniform(const std::string& precision) const {
    PreparedModel net = variant(uniform_precisions(precision));
    // One whose layers are fused across the whole net, layers without weights included.
    if (!times_layers_ && precision != "int8") net.build.fallback = precision;
    return net;
  }

  /// What the backend has on this machine.
  [[nodiscard]] std::vector<std::string> available() const {
    std::vector<std::string> found;
    for (const char* precision : {"fp32", "bf16", "fp16", "int8"}) {
      try {
        PreparedModel net = uniform(precision);
        net.build.optimization_level = 0;
        (void)compile(net);
        found.emplace_back(precision);
      } catch (const Error& error) {
        if (precision == std::string("fp32") || error.kind() != ErrorKind::kBadInput) throw;
      }
    }
    return found;
  }

  [[nodiscard]] std::int64_t correct(PreparedModel net) const {
    net.build.optimization_level = 0;  // Which kernel is fastest does not matter here.
    const ImageScores scores = score_images(*make_engine(compile(net)), run_);
    return pair_answers(labels_, labels_, scores.answers).both_right;
  }

  [[nodiscard]] bool keeps_bound(std::int64_t right, const BestReport& report) const {
    const double lost =
        100 * static_cast<double>(report.fp32_correct - right) / static_cast<double>(report.images);
    return lost <= options_.most_lost;
  }

  struct Contender {
    std::shared_ptr<const Engine> engine;
    std::unique_ptr<ExecutionContext> context;
  };

  [[nodiscard]] static Contender contender(const PreparedModel& net) {
    Contender c;
    c.engine = make_engine(compile(net));
    c.context = c.engine->create_context({.threads = net.build.threads});
    for (int i = 0; i < 3; ++i) c.context->infer();
    return c;
  }

  /// In turn, so that a drift of the clock meets all. `once` takes a contender's place among them.
  template <class Once>
  static void take_turns(std::size_t contenders, const Once& once) {
    const std::int64_t begin = SteadyClock::now_ns();
    for (std::int64_t round = 0; round < kMostRounds; ++round) {
      for (std::size_t i = 0; i < contenders; ++i) once(i);
      if (cancellation_requested()) throw runtime_failure("the choice of precisions was cancelled");
      if (round >= kFewestRounds && SteadyClock::now_ns() - begin > kTimingNs) break;
    }
  }

  /// The least time of each layer in each precision: other programs only ever add some. What a
  /// layer's neighbours pay for reorders is in the figures of whole nets.
  void time_layers(const std::map<std::string, PreparedModel>& nets, BestReport& report) const {
    if (!times_layers_) {
      for (const std::string& name : layers_) report.layers.push_back({.name = name});
      return;
    }
    struct Timed {
      std::string precision;
      Contender contender;
      LayerProfiler* profiler = nullptr;
      std::vector<LayerProfiler::Layer> steps{};
      std::map<std::string, std::int64_t> least_ns{};
    };
    std::vector<Timed> all;
    for (const auto& [precision, net] : nets) {
      Timed timed{.precision = precision, .contender = contender(net)};
      timed.profiler = dynamic_cast<LayerProfiler*>(timed.contender.context.get());
      if (timed.profiler == nullptr) {
        throw bad_input(fmt::format("precision best: backend {} cannot tell the time of layers",
                                    model_.info.backend));
      }
      timed.steps = timed.profiler->layers();
      all.push_back(std::move(timed));
    }
    take_turns(all.size(), [&](std::size_t i) {
      Timed& timed = all[i];
      std::vector<std::int64_t> ns(timed.steps.size(), 0);
      timed.profiler->infer_profiled(ns);
      std::map<std::string, std::int64_t> sums;
      for (std::size_t step = 0; step < ns.size(); ++step) sums[timed.steps[step].name] += ns[step];
      for (const auto& [name, sum] : sums) {
        const auto [entry, fresh] = timed.least_ns.emplace(name, sum);
        entry->second = std::min(entry->second, sum);
      }
    });
    for (const std::string& name : layers_) {
      BestLayer layer{.name = name};
      for (const Timed& timed : all) {
        const auto found = timed.least_ns.find(name);
        if (found != timed.least_ns.end()) {
          layer.time_us[timed.precision] = static_cast<double>(found->second) / 1000;
        }
      }
      report.layers.push_back(std::move(layer));
    }
  }

  /// The fastest of the precisions allowed, fp32 where nothing is known.
  [[nodiscard]] std::string fastest(const BestLayer& layer, bool int8) const {
    if (const auto kept = keep_.find(layer.name); kept != keep_.end()) return kept->second;
    if (!times_layers_) return int8 ? "int8" : model_.build.fallback;
    std::string best = "fp32";
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [precision, time] : layer.time_us) {
      if (precision == "int8" && !int8) continue;
      if (time < least) {
        least = time;
        best = precision;
      }
    }
    return best;
  }

  /// The fastest of each, but for as many of the most sensitive int8 layers as the bound demands.
  [[nodiscard]] Precisions within_bound(const BestReport& report) const {
    Precisions precisions;
    for (const BestLayer& layer : report.layers) precisions[layer.name] = fastest(layer, true);
    if (keeps_bound(correct(variant(precisions)), report)) return precisions;
    const SensitivityReport ranking = analyse_sensitivity(model_, ranges_, run_, options_.progress);
    std::vector<const BestLayer*> leaving;
    for (const LayerSensitivity& sensitive : ranking.layers) {
      const auto found = std::ranges::find(report.layers, sensitive.layer, &BestLayer::name);
      if (precisions.at(sensitive.layer) == "int8") leaving.push_back(&*found);
    }
    const auto without = [&](std::size_t count) {
      Precisions fewer = precisions;
      for (std::size_t i = 0; i < count; ++i) {
        fewer[leaving[i]->name] = fastest(*leaving[i], false);
      }
      return fewer;
    };
    // With all of them out, the bound is kept (or it is bf16 that loses too much).
    std::size_t fails = 0;
    std::size_t keeps = leaving.size();
    while (keeps - fails > 1) {
      const std::size_t middle = fails + (keeps - fails) / 2;
      (keeps_bound(correct(variant(without(middle))), report) ? keeps : fails) = middle;
    }
    return without(keeps);
  }

  [[nodiscard]] static std::map<std::string, double> time_nets(
      const std::map<std::string, PreparedModel>& nets) {
    std::vector<Contender> contenders;
    for (const auto& [name, net] : nets) contenders.push_back(contender(net));
    std::vector<std::vector<std::int64_t>> ns(contenders.size());
    take_turns(contenders.size(), [&](std::size_t i) {
      const std::int64_t begin = SteadyClock::now_ns();
      contenders[i].context->infer();
      ns[i].push_back(SteadyClock::now_ns() - begin);
    });
    std::map<std::string, double> medians;
    auto samples = ns.begin();
    for (const auto& [name, net] : nets) {
      medians[name] = static_cast<double>(summarize(*samples).p50_ns) / 1000;
      ++samples;
    }
    return medians;
  }

  /// Of those that keep the bound; fp32 always does.
  void take_fastest(std::map<std::string, PreparedModel>& nets, BestReport& report,
                    PreparedModel& result) const {
    std::vector<std::pair<double, std::string>> by_time;
    for (const auto& [name, time] : report.time_us) by_time.emplace_back(time, name);
    std::ranges::sort(by_time);
    for (const auto& [time, name] : by_time) {
      report.correct = correct(nets.at(name));
      if (name != "fp32" && !keeps_bound(report.correct, report)) continue;
      report.chosen = name;
      break;
    }
    result = std::move(nets.at(report.chosen));
  }

  const PreparedModel& model_;
  const BestOptions& options_;
  Preprocessing prepare_;
  Precisions keep_;
  Ranges ranges_;
  CalibrationImages images_;
  ImageJob run_;
  std::vector<int> labels_;
  std::vector<std::string> layers_;
  bool times_layers_;  ///< BackendTraits::times_layers.
};

}  // namespace

BestReport make_best(PreparedModel& model, const Int8Options& int8, const BestOptions& options) {
  Chooser chooser(model, int8, options);
  PreparedModel result;
  BestReport report = chooser.choose(result);
  model = std::move(result);
  return report;
}

void to_json(nlohmann::json& json, const BestReport& report) {
  json = {{"schema", "hedge.best/1"},
          {"chosen", report.chosen},
          {"time_us", report.time_us},
          {"images", report.images},
          {"fp32_correct", report.fp32_correct},
          {"correct", report.correct}};
  json["layers"] = nlohmann::json::array();
  for (const BestLayer& layer : report.layers) {
    json["layers"].push_back(
        {{"name", layer.name}, {"precision", layer.precision}, {"time_us", layer.time_us}});
  }
}

}  // namespace hedge
