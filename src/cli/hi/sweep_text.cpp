// SPDX-License-Identifier: Apache-2.0
// What a sweep found, in lines for people.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "cli/hi/sweep_report.h"
#include "cli/program/quantity.h"

namespace hedge::cli {
namespace {

constexpr int kColumn = 9;
constexpr std::size_t kFrontLines = 12;

std::string percent(double fraction) {
  return fmt::format("{:.2f} %", 100 * fraction);
}

double fraction(std::int64_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// The point that offloads the most of those that offload no more than the share; the first one
/// where all offload more (scores that are no numbers).
const OperatingPoint& at_share(std::span<const OperatingPoint> points, double share) {
  const auto after = std::find_if(points.begin(), points.end(), [&](const OperatingPoint& point) {
    return point.share > share + 1e-12;
  });
  return after == points.begin() ? points.front() : *(after - 1);
}

/// With so many digits that what is left out is little beside the distance to 0 and to 1, between
/// which most thresholds lie, and many near an end.
std::string threshold_text(double threshold) {
  const double room = std::min(std::abs(threshold), std::abs(1 - threshold));
  int digits = 4;
  std::string text = fmt::format("{:.{}g}", threshold, digits);
  while (digits < 17 && std::abs(std::stod(text) - threshold) > 0.02 * room) {
    text = fmt::format("{:.{}g}", threshold, ++digits);
  }
  return text;
}

}  // namespace

std::span<const OperatingPoint> SweepReport::points_of(int decision) const {
  const auto is_of = [&](const OperatingPoint& point) { return point.decision == decision; };
  const auto begin = std::find_if(points.begin(), points.end(), is_of);
  const auto end = std::find_if_not(begin, points.end(), is_of);
  return {begin, end};
}

std::string name_of_point(const SweepReport& report, const OperatingPoint& point) {
  if (point.decision == kAllLocal) return "all-local";
  if (point.decision == kAllServer) return "all-server";
  return report.data.names[static_cast<std::size_t>(point.decision)];
}

std::string offload_rule(const SweepReport& report, const OperatingPoint& point) {
  if (point.decision < 0) return name_of_point(report, point);
  const auto index = static_cast<std::size_t>(point.decision);
  const Rule rule = report.data.rankings[index].decision.rule;
  const bool above = rule == Rule::kEntropy || rule == Rule::kEnergy;
  const std::string& name = report.data.names[index];
  const std::string what =
      name == name_of(rule) ? name : fmt::format("{} ({})", name_of(rule), name);
  return fmt::format("{} {} {}", what, above ? '>' : '<', threshold_text(point.point.threshold));
}

std::string point_text(const OperatingPoint& point) {
  std::string text = fmt::format("{} right", percent(point.accuracy));
  if (point.decision >= 0) text += fmt::format(", {:.1f} % offloaded", 100 * point.share);
  if (!std::isnan(point.seconds)) text += fmt::format(", {}", seconds_text(point.seconds));
  if (!std::isnan(point.joules)) text += fmt::format(", {}", joules_text(point.joules));
  return text;
}

std::string sweep_data_lines(const SweepReport& report) {
  const SweepData& data = report.data;
  const Outcomes& outcomes = data.outcomes;
  std::string text = fmt::format("scores     {}: {} images, {} classes, {}{}\n", data.source,
                                 data.images, data.classes, name_of(data.kind),
                                 data.kind_told ? ""
                                 : data.kind == ScoreKind::kSoftmax
                                     ? ", as each row sums to 1 (else give --logits)"
                                     : ", as rows do not sum to 1 (else give "
                                       "--softmax)");
  text +=
      fmt::format("right      local {}, server {}; the server alone {}, the local model alone {}\n",
                  percent(fraction(outcomes.local_correct, data.images)),
                  percent(fraction(outcomes.server_correct, data.images)),
                  percent(fraction(outcomes.gains, data.images)),
                  percent(fraction(outcomes.losses, data.images)));
  if (!data.logistic.empty()) text += fmt::format("logistic   {}\n", data.logistic);
  if (!data.left_out.empty()) text += fmt::format("left out   {}\n", data.left_out);
  std::int64_t untrusted = 0;
  for (const double confidence : data.rankings.front().confidence) {
    untrusted += std::isnan(confidence) ? 1 : 0;
  }
  if (untrusted > 0) {
    text += fmt::format("no number  {} images have scores that are none: always offloaded\n",
                        untrusted);
  }
  return text;
}

std::string cost_lines(const SweepReport& report) {
  if (report.costs.figures.empty()) return {};
  std::string text = "costs      means of one image\n";
  for (const CostFigure& figure : report.costs.figures) {
    text += fmt::format("  {:<15} {:>13}  {}{}\n", figure.name, figure.value,
                        figure.assumed ? "ASSUMED: " : "", figure.source);
  }
  const OffloadTimes times = offload_times(report.costs.model);
  text += fmt::format("  an offload adds {}: send {}, round trip {}, server {}, receive {}\n",
                      seconds_text(times.total()), seconds_text(times.send),
                      seconds_text(times.round_trip), seconds_text(times.server),
                      seconds_text(times.receive));
  if (report.costs.costs.joules) {
    text +=
        fmt::format("  and {} of the device\n", joules_text(report.costs.costs.joules->offload));
  }
  text += "  queues, lost packets and the tail (p99) are not modelled\n";
  return text;
}

std::string share_table(const SweepReport& report) {
  const SweepData& data = report.data;
  std::string text =
      "accuracy   % right at each share of offloaded images, by the threshold that comes nearest "
      "from below\n";
  text += fmt::format("{:>11}", "offloaded");
  for (const std::string& name : data.names) {
    text += fmt::format("  {:>{}}", name, std::max<std::size_t>(kColumn, name.size()));
  }
  text += fmt::format("  {:>{}}  {:>{}}", "random", kColumn, "oracle", kColumn);
  if (report.costs.costs.seconds) text += fmt::format("  {:>{}}", "latency", kColumn);
  if (report.costs.costs.joules) text += fmt::format("  {:>{}}", "energy", kColumn);
  text += "\n";
  std::vector<std::span<const OperatingPoint>> curves;
  for (std::size_t i = 0; i < data.names.size(); ++i) {
    curves.push_back(report.points_of(static_cast<int>(i)));
  }
  for (int step = 0; step <= 20; ++step) {
    const double share = step / 20.0;
    text += fmt::format("{:>9} %", 5 * step);
    for (std::size_t i = 0; i < curves.size(); ++i) {
      text += fmt::format("  {:>{}.2f}", 100 * at_share(curves[i], share).accuracy,
                          std::max<std::size_t>(kColumn, data.names[i].size()));
    }
    text += fmt::format("  {:>{}.2f}  {:>{}.2f}", 100 * random_accuracy(data.outcomes, share),
                        kColumn, 100 * oracle_accuracy(data.outcomes, share), kColumn);
    if (const auto& cost = report.costs.costs.seconds) {
      text += fmt::format("  {:>{}}", seconds_text(cost->at(share)), kColumn);
    }
    if (const auto& cost = report.costs.costs.joules) {
      text += fmt::format("  {:>{}}", joules_text(cost->at(share)), kColumn);
    }
    text += "\n";
  }
  return text;
}

std::string area_lines(const SweepReport& report) {
  const SweepData& data = report.data;
  const double random = random_area(data.outcomes);
  const double oracle = oracle_area(data.outcomes);
  std::string text =
      "area       under that curve, and its share of the way from random to oracle\n";
  const auto line = [&](const std::string& name, double area) {
    text += fmt::format("  {:<15} {:>8.2f} %", name, 100 * area);
    if (oracle > random)
      text += fmt::format("  {:>6.1f} %", 100 * (area - random) / (oracle - random));
    text += "\n";
  };
  for (std::size_t i = 0; i < data.names.size(); ++i) line(data.names[i], report.areas[i]);
  line("random", random);
  line("oracle", oracle);
  return text;
}

namespace {

std::string front_of(const SweepReport& report, std::span<const std::size_t> front,
                     std::string_view against) {
  std::string text =
      fmt::format("front      of accuracy against {}: {} point{}{}\n", against, front.size(),
                  front.size() == 1 ? "" : "s", front.size() > kFrontLines ? ", some of them" : "");
  const std::size_t lines = std::min(front.size(), kFrontLines);
  for (std::size_t line = 0; line < lines; ++line) {
    const std::size_t index = lines == 1 ? 0 : line * (front.size() - 1) / (lines - 1);
    const OperatingPoint& point = report.points[front[index]];
    text += fmt::format("  {:<22} {}\n", offload_rule(report, point), point_text(point));
  }
  return text;
}

std::string wish_text(const Wishes& wishes) {
  std::vector<std::string> bounds;
  if (wishes.max_seconds) bounds.push_back("at most " + seconds_text(*wishes.max_seconds));
  if (wishes.max_joules) bounds.push_back("at most " + joules_text(*wishes.max_joules));
  if (wishes.max_share) {
    bounds.push_back(fmt::format("at most {:g} % offloaded", 100 * *wishes.max_share));
  }
  if (wishes.min_accuracy) {
    bounds.push_back(fmt::format("at least {:g} % right", 100 * *wishes.min_accuracy));
  }
  constexpr std::string_view kObjectives[] = {"the most accurate point", "the fastest point",
                                              "the point of least energy",
                                              "the point with the fewest offloads"};
  std::string text(kObjectives[static_cast<std::size_t>(wishes.objective)]);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    text += (i == 0 ? " with " : " and ") + bounds[i];
  }
  return text;
}

std::string held_out_lines(const SweepReport& report) {
  if (!report.held_out) return {};
  const HeldOut& held = *report.held_out;
  const auto images = static_cast<std::size_t>(held.total);
  std::string text =
      fmt::format("held out   {} right (95 %: {:.2f} to {:.2f}), {:.1f} % offloaded",
                  percent(fraction(held.correct, images)), 100 * held.accuracy_ci95.lower,
                  100 * held.accuracy_ci95.upper, 100 * fraction(held.offloads, images));
  if (!std::isnan(held.seconds)) text += ", " + seconds_text(held.seconds);
  if (!std::isnan(held.joules)) text += ", " + joules_text(held.joules);
  text += fmt::format(
      "\n           expect this of new images: the choice made on {} of {} folds, counted on the "
      "one "
      "left out\n",
      held.folds - 1, held.folds);
  if (held.infeasible > 0) {
    text += fmt::format(
        "           in {} of the folds no point met the bounds; the nearest was taken\n",
        held.infeasible);
  }
  return text;
}

}  // namespace

std::string front_lines(const SweepReport& report) {
  std::string text;
  if (report.seconds_front.empty()) return front_of(report, report.share_front, "offloaded share");
  text = front_of(report, report.seconds_front, "latency");
  if (!report.joules_front.empty()) text += front_of(report, report.joules_front, "energy");
  return text;
}

std::string best_lines(const SweepReport& report) {
  const OperatingPoint& chosen = report.chosen();
  std::string text = fmt::format("asked for  {}\n", wish_text(report.wishes));
  text += report.best ? "best       " : "none       no point does that; nearest: ";
  if (chosen.decision >= 0) {
    text += fmt::format("offload {:.1f} % by {}: {} right", 100 * chosen.share,
                        offload_rule(report, chosen), percent(chosen.accuracy));
  } else {
    text += fmt::format("{}: {} right", name_of_point(report, chosen), percent(chosen.accuracy));
  }
  if (!std::isnan(chosen.seconds)) text += ", " + seconds_text(chosen.seconds);
  if (!std::isnan(chosen.joules)) text += ", " + joules_text(chosen.joules);
  if (!std::isnan(chosen.seconds)) text += " an image";
  text += fmt::format("; all-local {}; all-server {}\n", point_text(report.points[0]),
                      point_text(report.points[1]));
  text += held_out_lines(report);
  return text;
}

}  // namespace hedge::cli
