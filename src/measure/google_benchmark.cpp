// SPDX-License-Identifier: Apache-2.0
#include "measure/google_benchmark.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kRepetitions = 20;

std::optional<double> unit_ns(const std::string& unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  return std::nullopt;
}

/// What the file says of one name.
struct Gathered {
  std::vector<double> runs_ns;
  std::optional<double> mean_ns;
  std::optional<double> stddev_ns;
  std::size_t repetitions = 0;
};

class FileReader {
 public:
  explicit FileReader(std::string source) : source_(std::move(source)) {}

  void read(const json& file) {
    const auto list = file.find("benchmarks");
    if (list == file.end() || !list->is_array()) fail("is no file of Google Benchmark");
    for (const json& entry : *list) {
      where_ = fmt::format("benchmarks[{}]", entries_++);
      if (!entry.is_object()) fail("is no object");
      if (entry.value("error_occurred", json(false)) != json(false)) continue;
      add(entry);
    }
  }

  [[nodiscard]] std::vector<GoogleBenchmark> benchmarks() const {
    std::vector<GoogleBenchmark> all;
    for (const std::string& name : order_) {
      const Gathered& found = gathered_.at(name);
      if (!found.runs_ns.empty()) {
        all.push_back({name, mean_of(found.runs_ns)});
      } else if (found.mean_ns) {
        MeanEstimate mean{.mean = *found.mean_ns, .standard_error = 0, .count = 1};
        if (found.stddev_ns && found.repetitions > 1) {
          mean.count = found.repetitions;
          mean.standard_error = *found.stddev_ns / std::sqrt(static_cast<double>(mean.count));
        }
        all.push_back({name, mean});
      }
    }
    if (all.empty()) throw bad_input(fmt::format("{}: holds no benchmarks", source_));
    return all;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw bad_input(fmt::format("{}: {}{}", source_, where_.empty() ? "" : where_ + ": ", what));
  }

  std::string text(const json& entry, const char* key, const std::string& otherwise) const {
    const auto found = entry.find(key);
    if (found == entry.end()) return otherwise;
    if (!found->is_string()) fail(fmt::format("{} is no text", key));
    return found->get<std::string>();
  }

  void add(const json& entry) {
    const std::string name = text(entry, "run_name", text(entry, "name", ""));
    if (name.empty()) fail("has no name");
    const std::string aggregate = text(entry, "aggregate_name", "");
    if (!aggregate.empty() && aggregate != "mean" && aggregate != "stddev") return;
    const auto unit = unit_ns(text(entry, "time_unit", "ns"));
    if (!unit) fail("has a time_unit that is not ns, us, ms or s");
    const auto time = entry.find("real_time");
    if (time == entry.end() || !time->is_number()) fail("has no real_time");
    const double ns = time->get<double>() * *unit;
    if (!std::isfinite(ns) || ns < 0) fail("has a real_time that is no duration");
    if (!gathered_.contains(name)) order_.push_back(name);
    Gathered& of = gathered_[name];
    if (aggregate.empty()) {
      of.runs_ns.push_back(ns);
      return;
    }
    (aggregate == "mean" ? of.mean_ns : of.stddev_ns) = ns;
    const auto repetitions = entry.find("repetitions");
    if (repetitions != entry.end() && repetitions->is_number_unsigned()) {
      of.repetitions = repetitions->get<std::size_t>();
    }
  }

  static MeanEstimate mean_of(const std::vector<double>& values) {
    const auto n = static_cast<double>(values.size());
    MeanEstimate estimate{.mean = 0, .standard_error = 0, .count = values.size()};
    for (const double x : values) estimate.mean += x / n;
    double squares = 0;
    for (const double x : values) squares += (x - estimate.mean) * (x - estimate.mean);
    if (n > 1) estimate.standard_error = std::sqrt(squares / (n - 1) / n);
    return estimate;
  }

  std::string source_;
  std::string where_;
  std::size_t entries_ = 0;
  std::map<std::string, Gathered> gathered_;
  std::vector<std::string> order_;
};

void add_repetitions(ordered_json& list, const NamedSamples& samples, std::size_t family) {
  const std::size_t repetitions = std::min(kRepetitions, samples.ns.size());
  for (std::size_t i = 0; i < repetitions; ++i) {
    const std::size_t begin = i * samples.ns.size() / repetitions;
    const std::size_t end = (i + 1) * samples.ns.size() / repetitions;
    double mean = 0;
    for (std::size_t at = begin; at < end; ++at) {
      mean += static_cast<double>(samples.ns[at]) / static_cast<double>(end - begin);
    }
    list.push_back({{"name", samples.name},
                    {"family_index", family},
                    {"per_family_instance_index", 0},
                    {"run_name", samples.name},
                    {"run_type", "iteration"},
                    {"repetitions", repetitions},
                    {"repetition_index", i},
                    {"threads", 1},
                    {"iterations", end - begin},
                    {"real_time", mean},
                    {"cpu_time", mean},
                    {"time_unit", "ns"}});
  }
}

}  // namespace

std::vector<GoogleBenchmark> google_benchmarks(const json& file, const std::string& source) {
  FileReader reader(source);
  reader.read(file);
  return reader.benchmarks();
}

ordered_json google_benchmark_json(std::span<const NamedSamples> all, const Result& about) {
  ordered_json file;
  ordered_json& context = file["context"];
  context["date"] = about.time_utc;
  if (about.machine.hostname) context["host_name"] = *about.machine.hostname;
  context["executable"] = about.program;
  if (about.machine.cores) context["num_cpus"] = *about.machine.cores;
  if (about.machine.governor) {
    context["cpu_scaling_enabled"] = *about.machine.governor != "performance";
  }
  context["library_build_type"] = "release";
  context["hedge_version"] = about.hedge_version;
  context["hedge_note"] = "cpu_time is not measured; it repeats real_time";
  file["benchmarks"] = ordered_json::array();
  for (std::size_t i = 0; i < all.size(); ++i) add_repetitions(file["benchmarks"], all[i], i);
  return file;
}

}  // namespace hedge
