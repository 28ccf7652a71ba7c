// SPDX-License-Identifier: Apache-2.0
#include "cli/measuring/compare_files.h"

#include <fmt/format.h>

#include "base/log.h"
#include "cli/measuring/measuring_options.h"
#include "measure/paired_comparison.h"
#include "result/result_json.h"

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
  if (times.result && times.result->validity) {
    json["validity"] = validity_json(*times.result->validity);
  }
  return json;
}

/// Of both together, reasons named by file; nothing where one did not say and the other is VALID.
std::optional<Validity> validity_of(const RecordedTimes& a, const RecordedTimes& b) {
  Validity both;
  bool known = true;
  for (const auto& [name, times] : {std::pair("A", &a), std::pair("B", &b)}) {
    if (!times->result || !times->result->validity) {
      known = false;
      continue;
    }
    const Validity& validity = *times->result->validity;
    if (validity.verdict == Verdict::kValid) continue;
    both.verdict = Verdict::kInvalid;
    for (const std::string& reason : validity.reasons) {
      both.reasons.push_back(fmt::format("{}: {}", name, reason));
    }
    log(LogLevel::kWarning,
        fmt::format("{} is INVALID: {}", name,
                    validity.reasons.empty() ? "no reason is given" : validity.reasons.front()));
  }
  if (!known && both.verdict == Verdict::kValid) return std::nullopt;
  return both;
}

void warn_of_lone_mean(const std::string& file, const RecordedTimes& times) {
  if (times.mean_ns.count > 1) return;
  log(LogLevel::kWarning,
      fmt::format("{}: one mean and nothing about its spread, so nothing can be said of a "
                  "difference; record samples (`measurements --samples=FILE`) or repetitions",
                  file));
}

nlohmann::ordered_json compare_energies(const Program& program, const Result& a, const Result& b,
                                        const char* doubt) {
  nlohmann::ordered_json json;
  if (!a.energy && !b.energy) return json;
  for (const bool net : {false, true}) {
    const char* const name = net ? "net" : "gross";
    const auto ratio = energy_ratio(a, b, net);
    if (!ratio) {
      program.print("energy     {}, above 0, is not known of both\n", name);
      continue;
    }
    program.print("{}, {}, an inference: {}{}\n", ratio_text(*ratio, "energy"), name,
                  energy_verdict(*ratio), doubt);
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

nlohmann::ordered_json validity_json(const Validity& validity) {
  Result holder = make_result("compare");
  holder.validity = validity;
  return result_to_json(holder).at("validity");
}

std::string_view energy_verdict(const RatioEstimate& ratio) {
  const ComparisonVerdict verdict = verdict_apart(ratio);
  if (verdict == ComparisonVerdict::kAFaster) return "A takes less";
  if (verdict == ComparisonVerdict::kBFaster) return "B takes less";
  return to_string(verdict);
}

int compare_files(const Program& program, const std::string& a_file, const std::string& b_file,
                  const RecordedChoice& choice, bool strict) {
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
  const std::optional<Validity> validity = validity_of(a, b);
  const bool invalid = validity && validity->verdict == Verdict::kInvalid;
  const char* const doubt = invalid ? kOnInvalid : "";
  program.show_notes();
  print_side(program, "A", a_file, a);
  print_side(program, "B", b_file, b);
  program.print("{}, {}: {}{}\n", ratio_text(ratio), samples ? "of trimmed means" : "of means",
                to_string(verdict_apart(ratio)), doubt);
  nlohmann::ordered_json energy;
  if (a.result && b.result) energy = compare_energies(program, *a.result, *b.result, doubt);
  program.print(
      "note       measured apart: what changed between the two runs (clocks, temperature,\n"
      "           neighbours) is in the ratio, and differences up to {:g} % get no verdict;\n"
      "           hedge compare A.engine B.engine runs them in turn\n",
      100 * kApartMargin);
  nlohmann::ordered_json json{
      {"schema", "hedge.comparison/1"}, {"paired", false}, {"ratio", ratio.ratio}};
  if (ratio.interval) json["ratio_ci98"] = {ratio.interval->lower, ratio.interval->upper};
  json["margin"] = kApartMargin;
  json["verdict"] = to_string(verdict_apart(ratio));
  if (validity) json["validity"] = validity_json(*validity);
  if (!energy.is_null()) json["energy"] = std::move(energy);
  json["a"] = side(a_file, a);
  json["b"] = side(b_file, b);
  program.write_json(json);
  return validity ? status_of(*validity, strict) : kExitSuccess;
}

}  // namespace hedge::cli
