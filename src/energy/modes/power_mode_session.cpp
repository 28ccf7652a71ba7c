// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

/// One line a CPU would be a hundred on a server.
void warn_all(const std::vector<std::string>& lines) {
  constexpr std::size_t kShown = 4;
  for (std::size_t i = 0; i < std::min(kShown, lines.size()); ++i)
    log(LogLevel::kWarning, lines[i]);
  if (lines.size() > kShown)
    log(LogLevel::kWarning, fmt::format("... and {} more like these", lines.size() - kShown));
}

}  // namespace

PowerSession::PowerSession(const std::filesystem::path& state_file, std::filesystem::path root)
    : root_(std::move(root)), file_(state_file, root_) {
  if (!file_.lock()) {
    throw bad_input(fmt::format("another `hedge power` changes settings now ({}); wait for its end",
                                file_.path().string()));
  }
  file_.share_lock(true);
  state_ = file_.read();
  mend();
}

void PowerSession::mend() {
  if (!state_.run) return;
  const std::string what = saved_text(*state_.run);
  if (!undo()) {
    throw runtime_failure(
        fmt::format("a previous run was killed and not everything that it changed could be "
                    "restored; mend it by hand and remove {}",
                    file_.path().string()));
  }
  log(LogLevel::kWarning, fmt::format("a previous run was killed; restored {}", what));
}

bool PowerSession::undo() {
  const std::vector<std::string> lines = restore_settings(*state_.run, root_);
  warn_all(lines);
  if (!lines.empty()) return false;
  state_.run.reset();
  file_.write(state_);
  return true;
}

void PowerSession::change(const PowerRequest& request, const char* clocks_suffix) {
  const PowerPlan plan = plan_power(request, root_);
  state_.run = save_settings(plan, file_.beside(clocks_suffix), state_.set);
  file_.write(state_);
  try {
    warn_all(apply_power(plan, *state_.run));
  } catch (...) {
    (void)undo();
    throw;
  }
}

void PowerSession::set(const PowerRequest& request) {
  change(request, ".clocks");
  SavedSettings saved = std::exchange(state_.run, std::nullopt).value();
  if (state_.set) {
    state_.set = merged(*state_.set, saved);
  } else {
    saved.locked_before_file.clear();
    state_.set = std::move(saved);
  }
  file_.write(state_);
  log(LogLevel::kInfo, fmt::format("set: {}; `hedge power restore` brings back what was before",
                                   request_text(request)));
}

/// What the command leaves behind must not hold the lock.
void PowerSession::call(const std::function<void()>& body) {
  file_.share_lock(false);
  try {
    body();
  } catch (...) {
    file_.share_lock(true);
    throw;
  }
  file_.share_lock(true);
}

bool PowerSession::with(const PowerRequest& request, const std::function<void()>& body) {
  if (request.empty()) {
    call(body);
    return true;
  }
  change(request, ".run-clocks");
  log(LogLevel::kInfo, fmt::format("for this run: {}", request_text(request)));
  const std::string what = saved_text(*state_.run);
  try {
    call(body);
  } catch (...) {
    (void)undo();
    throw;
  }
  const bool restored = undo();
  if (restored && !what.empty()) log(LogLevel::kInfo, fmt::format("restored {}", what));
  return restored;
}

bool PowerSession::restore_standing() {
  if (!state_.set) {
    log(LogLevel::kInfo, "nothing to restore: no settings of `hedge power set` stand");
    return true;
  }
  const std::string what = saved_text(*state_.set);
  const std::vector<std::string> lines = restore_settings(*state_.set, root_);
  warn_all(lines);
  if (!lines.empty()) return false;
  state_.set.reset();
  file_.write(state_);
  log(LogLevel::kInfo, fmt::format("restored {}", what.empty() ? "what was before" : what));
  return true;
}

void require_rights(const PowerRequest& request, const std::filesystem::path& root,
                    const std::string& command) {
  const std::vector<std::string> lacking = lacking_rights(plan_power(request, root));
  if (lacking.empty()) return;
  throw bad_input(fmt::format("to set {} needs root: `sudo {}`", join_words(lacking), command));
}

std::string request_text(const PowerRequest& request) {
  std::vector<std::string> parts;
  const CpuRequest& cpu = request.cpu;
  if (!request.mode.empty()) parts.push_back("power mode " + request.mode);
  if (request.lock_clocks) parts.emplace_back("clocks locked");
  if (!cpu.governor.empty()) parts.push_back("CPU governor " + cpu.governor);
  const auto mhz = [](std::int64_t khz) { return static_cast<double>(khz) / 1000; };
  if (cpu.min_khz) parts.push_back(fmt::format("CPU at least {:g} MHz", mhz(*cpu.min_khz)));
  if (cpu.max_khz) parts.push_back(fmt::format("CPU at most {:g} MHz", mhz(*cpu.max_khz)));
  if (cpu.turbo) parts.push_back(fmt::format("turbo {}", *cpu.turbo ? "on" : "off"));
  if (request.gpu)
    parts.push_back(
        fmt::format("GPU clocks {} to {} MHz", request.gpu->min_mhz, request.gpu->max_mhz));
  return join_words(parts);
}

}  // namespace hedge
