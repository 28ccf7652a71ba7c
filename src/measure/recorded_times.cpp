// SPDX-License-Identifier: Apache-2.0
#include "measure/recorded_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/naming.h"
#include "base/text.h"
#include "hedge/error.h"
#include "measure/google_benchmark.h"
#include "result/result_json.h"
#include "stats/series.h"

namespace hedge {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 1U << 30U;
constexpr double kLongestNs = 1e15;  ///< Eleven days; beyond it, a broken file.

/// A duration in nanoseconds; below half of one it counts as none.
std::int64_t nanoseconds(double value, double unit_ns, const std::string& where) {
  const double ns = value * unit_ns;
  if (!(ns >= 0) || ns > kLongestNs) {
    throw bad_input(fmt::format("{}: {} is no duration", where, value));
  }
  return std::llround(ns);
}

RecordedTimes of_samples(std::string what, std::vector<std::int64_t> samples,
                         const std::string& source) {
  if (samples.empty()) throw bad_input(fmt::format("{}: holds no times", source));
  const SeriesMean mean = mean_of_series(samples);
  return {.what = std::move(what),
          .samples_ns = std::move(samples),
          .mean_ns = {mean.mean, mean.standard_error, mean.batches},
          .result = {}};
}

double number_at(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) {
    throw bad_input(fmt::format("{}: has no number '{}'", where, key));
  }
  return found->get<double>();
}

// ---- Hedge

/// Of a 95 % interval by Student's t with count - 1 degrees of freedom. It may be cut at one end.
MeanEstimate behind(const Range& ci95, double mean, std::size_t count) {
  const double t =
      boost::math::quantile(boost::math::students_t(static_cast<double>(count - 1)), 0.975);
  return {mean, std::max(ci95[1] - mean, mean - ci95[0]) / t, count};
}

RecordedTimes of_latency(const Result& result, const LatencyResult& latency,
                         const std::string& source) {
  const auto mean = mean_estimate(latency);
  if (!mean) throw bad_input(fmt::format("{}: holds no latency", source));
  const std::string scope = latency.scope.value_or("latency");
  return {.what = fmt::format("{} of {}", scope, result.model.file.value_or(result.program)),
          .samples_ns = {},
          .mean_ns = *mean,
          .result = result,
          .scope = scope};
}

RecordedTimes of_result(const Result& result, const std::string& source) {
  if (!result.latency_us) throw bad_input(fmt::format("{}: holds no latency", source));
  return of_latency(result, telling_latency(result), source);
}

RecordedTimes of_samples_json(const json& object, const std::string& source) {
  const auto found = object.find("latency_ns");
  if (found == object.end()) throw bad_input(fmt::format("{}: has no latency_ns", source));
  auto samples = naming(source, [&] { return json_integers<std::int64_t>(*found); });
  for (const std::int64_t ns : samples) (void)nanoseconds(static_cast<double>(ns), 1, source);
  return of_samples("samples", std::move(samples), source);
}

/// A number of the line, by its place among the commas.
std::int64_t field(std::string_view line, std::size_t place, const std::string& where) {
  for (; place > 0; --place) {
    const std::size_t comma = line.find(',');
    line = comma == line.npos ? std::string_view() : line.substr(comma + 1);
  }
  const auto value = parse_integer<std::int64_t>(line.substr(0, line.find(',')));
  if (!value || *value < 0) throw bad_input(fmt::format("{}: no whole number", where));
  return *value;
}

RecordedTimes of_samples_csv(std::string_view text, const std::string& source) {
  std::vector<std::int64_t> samples;
  bool paced = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = trim(line);
    if (number == 1) {
      paced = line == "index,scheduled_ns,begin_ns,end_ns,after_idle";
      if (!paced && line != "repetition,index,latency_ns") {
        throw bad_input(fmt::format("{}: is neither JSON nor a file of --samples (first line '{}')",
                                    source, printable(line.substr(0, 60))));
      }
      continue;
    }
    if (line.empty()) continue;
    const std::string where = fmt::format("{}: line {}", source, number);
    const std::int64_t ns =
        paced ? field(line, 3, where) - field(line, 2, where) : field(line, 2, where);
    samples.push_back(nanoseconds(static_cast<double>(ns), 1, where));
  }
  return of_samples(paced ? "service times" : "samples", std::move(samples), source);
}

// ---- trtexec

RecordedTimes of_trtexec(const json& list, const std::string& source,
                         const RecordedChoice& choice) {
  if (choice.trtexec_time != "latency" && choice.trtexec_time != "compute") {
    throw bad_input(
        fmt::format("--trtexec_time={}: there are latency and compute", choice.trtexec_time));
  }
  const std::string key = choice.trtexec_time + "Ms";
  std::vector<std::int64_t> samples;
  for (const json& times : list) {
    const std::string where = fmt::format("{}: [{}]", source, samples.size());
    samples.push_back(nanoseconds(number_at(times, key.c_str(), where), 1e6, where));
  }
  return of_samples("trtexec's " + choice.trtexec_time, std::move(samples), source);
}

// ---- Google Benchmark

RecordedTimes of_google_benchmark(const json& object, const std::string& source,
                                  const RecordedChoice& choice) {
  const std::vector<GoogleBenchmark> all = google_benchmarks(object, source);
  std::string names;
  std::set<std::string> known;
  for (const GoogleBenchmark& benchmark : all) {
    if (known.insert(benchmark.name).second) names += (names.empty() ? "" : ", ") + benchmark.name;
  }
  if (choice.benchmark.empty() && known.size() > 1) {
    throw bad_input(fmt::format("{}: holds several benchmarks; name one with --benchmark: {}",
                                source, printable(names)));
  }
  const auto chosen = std::find_if(all.begin(), all.end(), [&](const GoogleBenchmark& benchmark) {
    return choice.benchmark.empty() || benchmark.name == choice.benchmark;
  });
  if (chosen == all.end()) {
    throw bad_input(fmt::format("{}: has no benchmark '{}'; there are: {}", source,
                                choice.benchmark, printable(names)));
  }
  RecordedTimes times{.what = printable(chosen->name) + " of Google Benchmark",
                      .samples_ns = {},
                      .mean_ns = chosen->mean_ns,
                      .result = {}};
  if (!(times.mean_ns.mean > 0) || times.mean_ns.mean > kLongestNs) {
    throw bad_input(
        fmt::format("{}: {}: {} ns is no duration", source, times.what, times.mean_ns.mean));
  }
  return times;
}

RecordedTimes of_json(const json& value, const std::string& source, const RecordedChoice& choice) {
  if (value.is_object() && value.contains("benchmarks")) {
    return of_google_benchmark(value, source, choice);
  }
  if (value.is_object() && value.value("schema", json()) == "hedge.samples/1") {
    return of_samples_json(value, source);
  }
  if (value.is_array() && !value.empty() && value[0].is_object() && !value[0].contains("schema")) {
    return of_trtexec(value, source, choice);
  }
  if (value.is_array() && value.empty()) {
    throw bad_input(fmt::format("{}: holds no times", source));
  }
  if (value.is_array() && value.size() > 1) {
    throw bad_input(fmt::format("{}: holds {} results; keep one of them", source, value.size()));
  }
  return of_result(result_from_json(value.is_array() && !value.empty() ? value[0] : value, source),
                   source);
}

/// Where the file says it lies, or beside the result.
std::optional<fs::path> samples_beside(const std::string& samples_file, const fs::path& result) {
  std::error_code error;
  for (const fs::path& path : {fs::path(samples_file), result.parent_path() / samples_file}) {
    if (fs::is_regular_file(path, error)) return path;
  }
  return std::nullopt;
}

/// With the samples of `latency`, a part of the result in the file, where they are found.
RecordedTimes with_samples(const Result& result, const LatencyResult& latency,
                           const std::string& file, const RecordedChoice& choice) {
  RecordedTimes times = of_latency(result, latency, file);
  const auto samples = latency.samples_file ? samples_beside(*latency.samples_file, file)
                                            : std::optional<fs::path>();
  if (!samples) return times;
  RecordedTimes recorded =
      recorded_times_from_text(read_text_file(*samples, kMostBytes), samples->string(), choice);
  times.samples_ns = std::move(recorded.samples_ns);
  times.mean_ns = recorded.mean_ns;
  return times;
}

}  // namespace

const LatencyResult& telling_latency(const Result& result) {
  const bool loop_alone = !result.latency_us->mean_ci95 && result.per_iteration_us;
  return loop_alone ? *result.per_iteration_us : *result.latency_us;
}

RecordedTimes recorded_times_from_text(std::string_view text, const std::string& source,
                                       const RecordedChoice& choice) {
  const std::string_view begin = text.substr(0, std::min<std::size_t>(text.size(), 64));
  const std::string_view first = trim(begin);
  if (!first.starts_with('{') && !first.starts_with('[')) return of_samples_csv(text, source);
  json value;
  try {
    value = json::parse(text);
  } catch (const json::exception& error) {
    throw bad_input(fmt::format("{}: is no JSON: {}", source, json_reason(error)));
  }
  return of_json(value, source, choice);
}

RecordedTimes read_recorded_times(const std::string& file, const RecordedChoice& choice) {
  RecordedTimes times = recorded_times_from_text(read_text_file(file, kMostBytes), file, choice);
  if (!times.result) return times;
  const Result& result = *times.result;
  if (result.per_iteration_us) {  // Samples say more than the loop's mean.
    RecordedTimes each = with_samples(result, *result.per_iteration_us, file, choice);
    if (!each.samples_ns.empty()) return each;
  }
  return with_samples(result, telling_latency(result), file, choice);
}

std::pair<RecordedTimes, RecordedTimes> read_comparable_times(const std::string& a_file,
                                                              const std::string& b_file,
                                                              const RecordedChoice& choice) {
  RecordedTimes a = read_recorded_times(a_file, choice);
  RecordedTimes b = read_recorded_times(b_file, choice);
  const auto give_way = [&](RecordedTimes& times, const std::string& file,
                            const std::string& scope) {
    const Result result = *times.result;
    for (const auto* latency : {&result.latency_us, &result.per_iteration_us}) {
      if (*latency && (*latency)->scope == scope && times.scope != scope) {
        times = with_samples(result, **latency, file, choice);
      }
    }
  };
  if (!a.result || !b.result || a.scope == b.scope) return {std::move(a), std::move(b)};
  give_way(a, a_file, b.scope);
  give_way(b, b_file, a.scope);
  if (a.scope != b.scope) {
    throw bad_input(fmt::format(
        "{} is timed as '{}' and {} as '{}', which cannot be compared: a loop's time is without "
        "the timer's; measure both alike (measurements --timing=loop, each or both)",
        a_file, a.scope, b_file, b.scope));
  }
  return {std::move(a), std::move(b)};
}

std::optional<MeanEstimate> mean_estimate(const LatencyResult& latency) {
  if (!latency.mean) return std::nullopt;
  if (!latency.mean_ci95) return MeanEstimate{.mean = *latency.mean * 1000, .count = 0};
  // Batches as mean_of_series makes them of that many independent ones.
  const double count = static_cast<double>(latency.stretches.value_or(latency.count.value_or(0)));
  const double independent = count / std::max(latency.autocorrelation_time.value_or(1), 1.0);
  const bool batched = count == 0 || count >= 20;
  const double batches = batched ? std::clamp(independent / 10, 10.0, 200.0) : std::max(count, 2.0);
  const Range& us = *latency.mean_ci95;
  return behind({us[0] * 1000, us[1] * 1000}, *latency.mean * 1000,
                static_cast<std::size_t>(batches));
}

namespace {

/// Of one side of energy_ratio, mJ an inference.
std::optional<MeanEstimate> energy_estimate(const Result& result, bool net) {
  if (!result.energy) return std::nullopt;
  const EnergyResult& energy = *result.energy;
  const auto& mean = net ? energy.mj_per_inference_net : energy.mj_per_inference;
  const auto& ci95 = net ? energy.net_ci95 : energy.ci95;
  if (!mean || !(*mean > 0)) return std::nullopt;
  const MeanEstimate unknown{.mean = *mean, .standard_error = 0, .count = 0};
  if (!ci95 || !result.latency_us) return unknown;
  const auto latency = mean_estimate(telling_latency(result));
  if (!latency || !(latency->mean > 0)) return unknown;
  const auto count =
      static_cast<std::size_t>(std::max<std::int64_t>(energy.distinct_samples.value_or(2), 2));
  const MeanEstimate of_time{1, latency->standard_error / latency->mean, latency->count};
  return product_of_means(behind(*ci95, *mean, count), of_time);
}

}  // namespace

std::optional<RatioEstimate> energy_ratio(const Result& a, const Result& b, bool net) {
  const auto of_a = energy_estimate(a, net);
  const auto of_b = energy_estimate(b, net);
  if (!of_a || !of_b) return std::nullopt;
  return ratio_of_means(*of_a, *of_b);
}

std::vector<std::string> different_conditions(const Result& a, const Result& b) {
  std::vector<std::string> found;
  const auto compare = [&](const char* what, const auto& left, const auto& right) {
    if (left && right && *left != *right) {
      found.push_back(fmt::format("{}: {} and {}", what, *left, *right));
    }
  };
  compare("machine", a.machine.hostname, b.machine.hostname);
  compare("CPU", a.machine.cpu, b.machine.cpu);
  compare("GPU", a.machine.gpu, b.machine.gpu);
  compare("governor", a.machine.governor, b.machine.governor);
  compare("power mode", a.machine.power_mode, b.machine.power_mode);
  compare("batch", a.config.batch, b.config.batch);
  compare("threads", a.config.threads, b.config.threads);
  compare("dataset", a.model.dataset, b.model.dataset);
  const auto meter = [](const Result& result) {
    return result.energy ? result.energy->meter : std::nullopt;
  };
  compare("meter", meter(a), meter(b));
  const auto rate = [](const Result& result) {
    return std::optional(
        result.paced ? fmt::format("{:g} requests a second", result.paced->rate_per_s.value_or(0))
                     : std::string("one after the other"));
  };
  compare("load", rate(a), rate(b));
  return found;
}

}  // namespace hedge
