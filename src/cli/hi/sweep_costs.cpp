// SPDX-License-Identifier: Apache-2.0
// The flags of costs and bounds, read.
#include <fmt/format.h>

#include <array>
#include <functional>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/naming.h"
#include "cli/hi/sweep_options.h"
#include "cli/program/quantity.h"
#include "hedge/error.h"
#include "hi/sweep/network_preset.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

using Parse = double (*)(const std::string&, const std::string&);

std::optional<double> stated(const char* flag, const std::string& text, Parse parse) {
  if (text.empty()) return std::nullopt;
  return parse(flag, text);
}

struct QuantityFlag {
  const char* name;
  const std::string* text;
  Parse parse;
};

std::array<QuantityFlag, 17> quantities(const SweepOptions& o) {
  return {{{"--local-latency", &o.local_latency, parse_seconds},
           {"--local-energy", &o.local_energy, parse_joules},
           {"--idle-power", &o.idle_power, parse_watts},
           {"--decision-latency", &o.decision_latency, parse_seconds},
           {"--decision-energy", &o.decision_energy, parse_joules},
           {"--bandwidth", &o.bandwidth, parse_bits_per_second},
           {"--uplink", &o.uplink, parse_bits_per_second},
           {"--downlink", &o.downlink, parse_bits_per_second},
           {"--round-trip", &o.round_trip, parse_seconds},
           {"--send-power", &o.send_power, parse_watts},
           {"--receive-power", &o.receive_power, parse_watts},
           {"--wait-power", &o.wait_power, parse_watts},
           {"--tail-energy", &o.tail_energy, parse_joules},
           {"--upload", &o.upload, parse_bytes},
           {"--answer", &o.answer, parse_bytes},
           {"--server-latency", &o.server_latency, parse_seconds},
           {"--server-energy", &o.server_energy, parse_joules}}};
}

bool states_costs(const SweepOptions& o) {
  for (const QuantityFlag& flag : quantities(o)) {
    if (!flag.text->empty()) return true;
  }
  return o.net || !o.local.empty() || !o.network.empty() || !o.server.empty();
}

void warn_of_doubt(const std::string& source, const MeasuredCost& cost) {
  if (cost.doubt.empty()) return;
  log(LogLevel::kWarning, fmt::format("{}: its verdict is INVALID: {}", source, cost.doubt));
}

class CostReader {
 public:
  CostReader(const SweepOptions& options, const RunFacts& run) : options_(options), run_(run) {}

  /// What is given and wrong comes before what is missing.
  StatedCosts read() {
    check_values();
    if (!options_.local.empty()) local_ = read_result(options_.local, options_.net);
    if (!options_.server.empty()) server_ = read_result(options_.server, false);
    read_local();
    read_network();
    read_sizes();
    read_server();
    read_idle_power();
    stated_.costs.seconds = latency_of(stated_.model);
    stated_.costs.joules = energy_of(stated_.model);
    return std::move(stated_);
  }

 private:
  void check_values() const {
    for (const QuantityFlag& flag : quantities(options_)) {
      (void)stated(flag.name, *flag.text, flag.parse);
    }
    (void)preset();
    if (options_.net && !options_.idle_power.empty()) {
      throw bad_input(
          "--idle-power: with --net energy is counted above idle; leave one of them out");
    }
  }

  [[nodiscard]] const NetworkPreset* preset() const {
    if (options_.network.empty()) return nullptr;
    return naming("--network", [&] { return &network_preset(options_.network); });
  }

  /// A doubt is told once: not again when the run has filled in what was missing.
  [[nodiscard]] MeasuredCost read_result(const std::string& file, bool above_idle) const {
    MeasuredCost cost =
        measured_cost(results_from_text(read_text_file(file), file), file, above_idle);
    if (!run_.result) warn_of_doubt(file, cost);
    return cost;
  }

  void note(std::string name, std::string value, std::string source, bool assumed = false) {
    stated_.figures.push_back({std::move(name), std::move(value), std::move(source), assumed});
  }

  void read_local() {
    CostModel& model = stated_.model;
    std::string latency_source = "--local-latency";
    std::string energy_source = "--local-energy";
    model.local_seconds = stated("--local-latency", options_.local_latency, parse_seconds);
    model.local_joules = stated("--local-energy", options_.local_energy, parse_joules);
    if (!options_.local.empty()) {
      const std::string what = fmt::format("{}: {}", options_.local, local_.what);
      if (!model.local_seconds && local_.seconds) {
        model.local_seconds = local_.seconds;
        latency_source = what;
      }
      if (!model.local_joules && local_.joules) {
        model.local_joules = local_.joules;
        energy_source =
            fmt::format("{}, {}", options_.local, options_.net ? "above idle" : "gross");
      }
    }
    if (!model.local_seconds && run_.result) {
      const char* here = "timed in this run";
      const MeasuredCost cost = measured_cost({&*run_.result, 1}, here, options_.net);
      warn_of_doubt(here, cost);
      model.local_seconds = cost.seconds;
      latency_source =
          fmt::format("{}: {}, {}", here, cost.what, cost.doubt.empty() ? "VALID" : "INVALID");
    }
    if (!model.local_seconds && run_.awaited) model.local_seconds = 0;
    if (!model.local_seconds) {
      throw bad_input(
          "--local-latency: costs need that of the local model; give it, or --local=RESULT.json of "
          "`measurements --json`");
    }
    note("local latency", seconds_text(*model.local_seconds), latency_source);
    if (model.local_joules) note("local energy", joules_text(*model.local_joules), energy_source);
    read_decision();
  }

  void read_decision() {
    CostModel& model = stated_.model;
    if (const auto seconds =
            stated("--decision-latency", options_.decision_latency, parse_seconds)) {
      model.decision_seconds = *seconds;
      note("decision", seconds_text(*seconds), "--decision-latency");
    }
    if (const auto joules = stated("--decision-energy", options_.decision_energy, parse_joules)) {
      model.decision_joules = *joules;
      note("decision", joules_text(*joules), "--decision-energy");
    }
  }

  void read_network() {
    const NetworkPreset* const preset = this->preset();
    Link& link = stated_.model.link;
    if (preset != nullptr) link = preset->link;
    const bool both = !options_.bandwidth.empty();
    if (preset == nullptr) {
      const bool rates = both || (!options_.uplink.empty() && !options_.downlink.empty());
      if (!rates || options_.round_trip.empty()) {
        throw bad_input(
            "--network: costs need the network; give a preset (wifi, lte, 5g, ble, ethernet), or "
            "--bandwidth=20Mbit/s and --round-trip=10ms");
      }
    }
    // In the order of Link, as the preset's sources are.
    std::size_t index = 0;
    const auto take = [&](const char* name, const char* flag, const std::string& text,
                          const char* wider_flag, const std::string& wider, Parse parse,
                          std::string (*show)(double), double& value) {
      const std::size_t at = index++;
      const bool own = !text.empty();
      if (own || !wider.empty()) {
        const char* given = own ? flag : wider_flag;
        value = parse(given, own ? text : wider);
        note(name, show(value), given);
      } else if (preset != nullptr) {
        const SourcedFigure& figure = preset->figures[at];
        note(name, show(value), std::string(figure.source), figure.assumed);
      } else {
        note(name, show(value), "not given", true);
      }
    };
    const std::string none;
    take("network up", "--uplink", options_.uplink, "--bandwidth", options_.bandwidth,
         parse_bits_per_second, rate_text, link.up_bits_per_second);
    take("network down", "--downlink", options_.downlink, "--bandwidth", options_.bandwidth,
         parse_bits_per_second, rate_text, link.down_bits_per_second);
    take("round trip", "--round-trip", options_.round_trip, "", none, parse_seconds, seconds_text,
         link.round_trip_seconds);
    if (!stated_.model.local_joules) return;  // Nobody asks for powers.
    take("radio sending", "--send-power", options_.send_power, "", none, parse_watts, watts_text,
         link.send_watts);
    take("radio receiving", "--receive-power", options_.receive_power, "", none, parse_watts,
         watts_text, link.receive_watts);
    take("radio waiting", "--wait-power", options_.wait_power, "", none, parse_watts, watts_text,
         link.wait_watts);
    take("radio's tail", "--tail-energy", options_.tail_energy, "", none, parse_joules, joules_text,
         link.tail_joules);
  }

  void read_sizes() {
    CostModel& model = stated_.model;
    if (const auto bytes = stated("--upload", options_.upload, parse_bytes)) {
      model.upload_bytes = *bytes;
      note("upload", fmt::format("{} bytes", *bytes), "--upload");
    } else if (run_.input_bytes > 0) {
      model.upload_bytes = static_cast<double>(run_.input_bytes);
      note("upload", fmt::format("{} bytes", run_.input_bytes), "the image, 8 bits a channel");
    } else if (!run_.awaited) {
      throw bad_input(
          "--upload: costs need the size of what is sent; give 3072bytes for a raw CIFAR-10 image, "
          "150528bytes for 224x224, or that of your JPEGs");
    }
    const bool given = !options_.answer.empty();
    if (given) model.answer_bytes = parse_bytes("--answer", options_.answer);
    note("answer", fmt::format("{} bytes", model.answer_bytes),
         given ? "--answer" : "a class as 16 bits; headers of protocols are left out", !given);
  }

  void read_server() {
    CostModel& model = stated_.model;
    std::string source = "--server-latency";
    model.server_seconds = stated("--server-latency", options_.server_latency, parse_seconds);
    if (!model.server_seconds && !options_.server.empty()) {
      model.server_seconds = server_.seconds;
      source = fmt::format("{}: {}", options_.server, server_.what);
    }
    if (!model.server_seconds) {
      throw bad_input(
          "--server-latency: costs need that of the server; give it, or --server=RESULT.json of "
          "`measurements --json`");
    }
    note("server latency", seconds_text(*model.server_seconds), source);
    if (const auto joules = stated("--server-energy", options_.server_energy, parse_joules)) {
      model.server_joules = *joules;
      note("server energy", joules_text(*joules), "--server-energy");
    }
  }

  void read_idle_power() {
    CostModel& model = stated_.model;
    if (const auto watts = stated("--idle-power", options_.idle_power, parse_watts)) {
      model.idle_watts = watts;
      note("idle power", watts_text(*watts), "--idle-power");
    } else if (local_.idle_watts) {
      model.idle_watts = local_.idle_watts;
      note("idle power", watts_text(*local_.idle_watts), options_.local);
    } else if (model.local_joules && !options_.net) {
      note("idle power", "unknown", "while the device sends and waits the radio alone is counted",
           true);
    }
  }

  const SweepOptions& options_;
  const RunFacts& run_;
  MeasuredCost local_;
  MeasuredCost server_;
  StatedCosts stated_;
};

/// Nothing where --minimize was not given.
std::optional<Objective> stated_objective(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text == "latency") return Objective::kSeconds;
  if (text == "energy") return Objective::kJoules;
  if (text == "offload") return Objective::kShare;
  throw bad_input(fmt::format("--minimize={}: give latency, energy or offload", text));
}

Wishes stated_bounds(const SweepOptions& options) {
  return {.max_seconds = stated("--max-latency", options.max_latency, parse_seconds),
          .max_joules = stated("--max-energy", options.max_energy, parse_joules),
          .max_share = stated("--max-offload", options.max_offload, parse_share),
          .min_accuracy = stated("--min-accuracy", options.min_accuracy, parse_share)};
}

void require_known(const Wishes& wishes, const Costs& costs) {
  const bool by_latency = wishes.max_seconds || wishes.objective == Objective::kSeconds;
  if (by_latency && !costs.seconds) {
    throw bad_input(fmt::format(
        "{}: latency is not known; give --network and --server-latency, and with --scores "
        "--local-latency and --upload",
        wishes.max_seconds ? "--max-latency" : "--minimize=latency"));
  }
  const bool by_energy = wishes.max_joules || wishes.objective == Objective::kJoules;
  if (by_energy && !costs.joules) {
    throw bad_input(
        fmt::format("{}: energy is not known; give --local-energy, or --local=RESULT.json "
                    "of `measurements --energy --json`",
                    wishes.max_joules ? "--max-energy" : "--minimize=energy"));
  }
}

}  // namespace

StatedTerms stated_terms(const SweepOptions& options, const RunFacts& run) {
  StatedTerms terms{.costs = {}, .wishes = stated_bounds(options)};
  const std::optional<Objective> objective = stated_objective(options.minimize);
  if (states_costs(options)) terms.costs = CostReader(options, run).read();
  const Costs& costs = terms.costs.costs;
  const Objective cheapest = costs.seconds ? Objective::kSeconds : Objective::kShare;
  terms.wishes.objective =
      objective.value_or(terms.wishes.min_accuracy ? cheapest : Objective::kAccuracy);
  require_known(terms.wishes, costs);
  return terms;
}

}  // namespace hedge::cli
