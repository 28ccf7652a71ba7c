// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/power_compare.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <system_error>

#include "base/cpu_frequency.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system_files.h"
#include "cli/energy/child_process.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "energy/modes/power_mode_session.h"
#include "hedge/error.h"
#include "measure/paired_comparison.h"
#include "measure/recorded_times.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

namespace fs = std::filesystem;

/// A new folder that goes with its owner.
class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "hedge-power-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      throw runtime_failure(fmt::format("{}: {}", pattern, std::generic_category().message(errno)));
    path_ = pattern;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] fs::path file(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

struct Half {
  int status = kExitSuccess;
  std::vector<Result> results;
};

std::optional<RatioEstimate> time_ratio(const Result& locked, const Result& free) {
  if (!locked.latency_us || !free.latency_us) return std::nullopt;
  const auto a = mean_estimate(telling_latency(locked));
  const auto b = mean_estimate(telling_latency(free));
  if (!a || !b || !(a->mean > 0) || !(b->mean > 0)) return std::nullopt;
  return ratio_of_means(*a, *b);
}

void warn_where_nothing_is_free(const fs::path& root) {
  const auto cpus = read_cpu_frequencies(root);
  const bool locked = !cpus.empty() && std::all_of(cpus.begin(), cpus.end(), [](const auto& cpu) {
    return cpu.min_khz && cpu.min_khz == cpu.max_khz;
  });
  if (locked) {
    log(LogLevel::kWarning,
        "clocks are locked already, so the free run is not free: `hedge power restore` or "
        "`jetson_clocks --restore` first");
  }
}

Half run_half(PowerSession& session, const HeldSignals& held, const CompareRequest& request,
              const PowerRequest& settings, const fs::path& json) {
  Half half;
  const auto body = [&] {
    std::vector<std::string> arguments = request.arguments;
    arguments.push_back("--json=" + json.string());
    half.status = held.ending() ? kExitCancelled : run_child(request.program, arguments, held);
  };
  const bool restored = session.with(settings, body);
  if (!restored && half.status == kExitSuccess) half.status = kExitFailure;
  std::error_code error;
  if (half.status == kExitSuccess && !fs::exists(json, error)) {
    throw bad_input(fmt::format("{}: wrote no result; a program of Hedge with --json is needed",
                                request.program.string()));
  }
  if (half.status == kExitSuccess)
    half.results = results_from_text(read_text_file(json), request.program.string());
  return half;
}

void print_result(const Program& program, const char* name, const Result& result) {
  program.print("{} clocks\n", name);
  if (result.latency_us) program.print_text(latency_lines(*result.latency_us));
  if (result.energy && result.energy->mj_per_inference) {
    program.print("energy     {:.4g} mJ an inference", *result.energy->mj_per_inference);
    if (const auto& range = result.energy->ci95)
      program.print(" (95 %: {:.4g} to {:.4g})", (*range)[0], (*range)[1]);
    program.print("\n");
  }
}

void print_ratio(const Program& program, const std::optional<RatioEstimate>& ratio, const char* of,
                 const char* less, const char* more) {
  if (!ratio) return;
  program.print("locked to free  {:.4f} of the {}", ratio->ratio, of);
  if (const auto& range = ratio->interval) {
    const ComparisonVerdict verdict = verdict_apart(*ratio);
    program.print(" ({:.0f} %: {:.4f} to {:.4f}): {}", 100 * kRatioConfidence, range->lower,
                  range->upper,
                  verdict == ComparisonVerdict::kAFaster   ? less
                  : verdict == ComparisonVerdict::kBFaster ? more
                                                           : to_string(verdict));
  }
  program.print("\n");
}

void add_ratio(nlohmann::ordered_json& object, const std::string& key,
               const std::optional<RatioEstimate>& ratio) {
  if (!ratio) return;
  object[key] = ratio->ratio;
  if (ratio->interval) object[key + "_ci98"] = {ratio->interval->lower, ratio->interval->upper};
}

/// A sweep writes several results; those of one place belong together.
void report(const Program& program, const Half& free, const Half& locked) {
  if (free.results.size() != locked.results.size())
    throw runtime_failure("the two runs wrote different numbers of results");
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < free.results.size(); ++i) {
    const Result& a = free.results[i];
    const Result& b = locked.results[i];
    print_result(program, "free", a);
    print_result(program, "locked", b);
    const auto time = time_ratio(b, a);
    const auto energy = energy_ratio(b, a, false);
    print_ratio(program, time, "time", "faster", "slower");
    print_ratio(program, energy, "energy", "less", "more");
    nlohmann::ordered_json object{{"schema", "hedge.power-comparison/1"}};
    add_ratio(object, "time_ratio", time);
    add_ratio(object, "energy_ratio", energy);
    object["free"] = result_to_json(a);
    object["locked"] = result_to_json(b);
    list.push_back(std::move(object));
  }
  program.write_json(list.size() == 1 ? list[0] : list);
}

}  // namespace

int compare_clocks(const Program& program, const CompareRequest& request,
                   const std::string& state_file) {
  for (const std::string& argument : request.arguments) {
    if (argument == "--json" || argument.starts_with("--json="))
      throw bad_input("power compare: gives the command a --json of its own; leave that one out");
  }
  if (program.json_file() == "-") throw bad_input("--json=-: stdout is the command's; name a file");
  const Scratch scratch;
  const HeldSignals held;
  PowerSession session(state_file, system_root());
  warn_where_nothing_is_free(system_root());
  const Half free = run_half(session, held, request, request.both, scratch.file("free.json"));
  if (free.status != kExitSuccess) return free.status;
  PowerRequest settings = request.locked;
  settings.mode = request.both.mode;
  const Half locked = run_half(session, held, request, settings, scratch.file("locked.json"));
  if (locked.status != kExitSuccess) return locked.status;
  report(program, free, locked);
  return kExitSuccess;
}

}  // namespace hedge::cli
