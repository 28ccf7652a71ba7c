// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/decision_text.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kShown = 40;

double share_of(const std::string& text) {
  if (const auto share = parse_share(text)) return *share;
  throw bad_input(fmt::format("'{}' is no share; give it as random:0.3 or random:30%",
                              printable(text, kShown)));
}

double threshold_of(Rule rule, const std::string& text) {
  Decision decision{.rule = rule};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, decision.threshold);
  if (error != std::errc{} || stop != end) {
    throw bad_input(
        fmt::format("'{}' is no threshold of {}", printable(text, kShown), name_of(rule)));
  }
  require_sensible(decision);
  return decision.threshold;
}

}  // namespace

bool is_decision_text(const std::string& text) {
  return find_rule(text.substr(0, text.find(':'))).has_value();
}

StatedDecision parse_decision(const std::string& text) {
  const std::size_t colon = text.find(':');
  const bool stated = colon != std::string::npos;
  const std::string value = stated ? text.substr(colon + 1) : "";
  StatedDecision read;
  const Rule rule = rule_named(text.substr(0, colon));
  read.decision.rule = rule;
  if (rule == Rule::kRandom) {
    if (!stated) throw bad_input("states no share; give it as random:0.3 or random:30%");
    read.decision.share = share_of(value);
  } else if (stated) {
    if (!has_threshold(rule)) throw bad_input(fmt::format("{} has no threshold", name_of(rule)));
    read.decision.threshold = threshold_of(rule, value);
    read.has_threshold = true;
  }
  return read;
}

}  // namespace hedge
