// SPDX-License-Identifier: Apache-2.0
#include "cli/compare_files.h"

#include <fmt/format.h>

#include "base/log.h"
#include "measure/paired_comparison.h"

namespace hedge::cli {
namespace {

void print_side(const Program& program, const char* name, const std::string& file,
                const RecordedTimes& times) {
  program.print("{}  {}\n", name, file);
  program.print("times      {}", times.what);
  if (!times.samples_ns.empty()) program.print(", {} samples", times.samples_ns.size());
  program.print("\nlatency    mean {:.3f} us", times.mean_ns.mean / 1000);
  if (times.mean_ns.count > 1) {
    program.print(", standard error {:.3f}, from {} {}", times.mean_ns.standard_error / 1000,
                  times.mean_ns.count, times.samples_ns.empty() ? "values" : "batches");
  }
  program.print("\n");
  if (times.samples_ns.empty()) return;
  const Summary summary = summarize(times.samples_ns);
  program.print(
      "           p50 {:.2f}   p90 {:.2f}   p99 {:.2f}   min {:.2f}   max {:.2f} us\n",
      static_cast<double>(summary.p50_ns) / 1000, static_cast<double>(summary.p90_ns) / 1000,
      static_cast<double>(summary.p99_ns) / 1000, static_cast<double>(summary.min_ns) / 1000,
      static_cast<double>(summary.max_ns) / 1000);
}

MeanEstimate trimmed_mean(const std::vector<std::int64_t>& samples_ns) {
  return trimmed_mean_of_series(std::vector<double>(samples_ns.begin(), samples_ns.end()),
                                kRatioTrimmed);
}

nlohmann::ordered_json side(const std::string& file, const RecordedTimes& times) {
  nlohmann::ordered_json json{
      {"file", file}, {"times", times.what}, {"mean_us", times.mean_ns.mean / 1000}};
  if (times.mean_ns.count > 1) json["standard_error_us"] = times.mean_ns.standard_error / 1000;
  if (!times.samples_ns.empty()) json["samples"] = times.samples_ns.size();
  return json;
}

void warn_of_lone_mean(const std::string& file, const RecordedTimes& times) {
  if (times.mean_ns.count > 1) return;
  log(LogLevel::kWarning,
      fmt::format("{}: one mean and nothing about its spread, so nothing can be said of a "
                  "difference; record samples (--samples=FILE) or repetitions",
                  file));
}

nlohmann::ordered_json compare_energies(const Program& program, const Result& a, const Result& b) {
  nlohmann::ordered_json json;
  if (!a.energy && !b.energy) return json;
  for (const bool net : {false, true}) {
    const char* const name = net ? "net" : "gross";
    const auto ratio = energy_ratio(a, b, net);
    if (!ratio) {
      program.print("energy     {}, above 0, is not known of both\n", name);
      continue;
    }
    program.print("{}, {}, an inference: {}\n", ratio_text(*ratio, "energy"), name,
                  energy_verdict(*ratio));
    json[name] = {{"ratio", ratio->ratio}, {"verdict", energy_verdict(*ratio)}};
    if (ratio->interval)
      json[name]["ratio_ci98"] = {ratio->interval->lower, ratio->interval->upper};
  }
  return json;
}

}  // namespace

bool is_recorded(const std::string& file) {
  return file.ends_with(".json") || file.ends_with(".csv");
}

std::string ratio_text(const RatioEstimate& ratio, const char* of) {
  std::string text = fmt::format("A to B     {:.4f} of the {}", ratio.ratio, of);
  if (ratio.interval) {
    text += fmt::format(" ({:.0f} %: {:.4f} to {:.4f})", 100 * kRatioConfidence,
                        ratio.interval->lower, ratio.interval->upper);
  }
  return text;
}

std::string_view energy_verdict(const RatioEstimate& ratio) {
  switch (verdict_of(ratio)) {
    case ComparisonVerdict::kAFaster:
      return "A takes less";
    case ComparisonVerdict::kBFaster:
      return "B takes less";
    case ComparisonVerdict::kNoDifference:
      break;
  }
  return to_string(ComparisonVerdict::kNoDifference);
}

int compare_files(const Program& program, const std::string& a_file, const std::string& b_file,
                  const RecordedChoice& choice) {
  const auto [a, b] = read_comparable_times(a_file, b_file, choice);
  const bool samples = !a.samples_ns.empty() && !b.samples_ns.empty();
  const RatioEstimate ratio =
      samples ? ratio_of_means(trimmed_mean(a.samples_ns), trimmed_mean(b.samples_ns))
              : ratio_of_means(a.mean_ns, b.mean_ns);
  warn_of_lone_mean(a_file, a);
  warn_of_lone_mean(b_file, b);
  if (a.result && b.result) {
    for (const std::string& difference : different_conditions(*a.result, *b.result)) {
      log(LogLevel::kWarning, "measured under other conditions: " + difference);
    }
  }
  program.show_notes();
  print_side(program, "A", a_file, a);
  print_side(program, "B", b_file, b);
  program.print("{}, {}: {}\n", ratio_text(ratio), samples ? "of trimmed means" : "of means",
                to_string(verdict_of(ratio)));
  nlohmann::ordered_json energy;
  if (a.result && b.result) energy = compare_energies(program, *a.result, *b.result);
  program.print(
      "note       measured apart: what changed between the two runs (clocks, temperature,\n"
      "           neighbours) is in the ratio; hedge compare A.engine B.engine runs them in "
      "turn\n");
  nlohmann::ordered_json json{
      {"schema", "hedge.comparison/1"}, {"paired", false}, {"ratio", ratio.ratio}};
  if (ratio.interval) json["ratio_ci98"] = {ratio.interval->lower, ratio.interval->upper};
  json["verdict"] = to_string(verdict_of(ratio));
  if (!energy.is_null()) json["energy"] = std::move(energy);
  json["a"] = side(a_file, a);
  json["b"] = side(b_file, b);
  program.write_json(json);
  return kExitSuccess;
}

}  // namespace hedge::cli
