// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/energy_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "cli/energy/energy_text.h"

namespace hedge::cli {
namespace {

constexpr std::int64_t kEvery_ns = 500'000'000;
constexpr std::int64_t kMeanOver_ns = 2'000'000'000;

}  // namespace

EnergyWatch::EnergyWatch(const Program& program, MeteredLoad& load, std::string unit,
                         std::int64_t duration_ns)
    : line_(program),
      load_(load),
      unit_(std::move(unit)),
      begin_ns_(SteadyClock::now_ns()),
      end_ns_(duration_ns > 0 ? begin_ns_ + duration_ns : std::numeric_limits<std::int64_t>::max()),
      drawn_ns_(begin_ns_),
      drawn_done_(load.done()) {
  if (line_.visible() || duration_ns > 0) thread_ = std::thread([this] { run(); });
}

EnergyWatch::~EnergyWatch() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EnergyWatch::run() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    const std::int64_t now = SteadyClock::now_ns();
    if (now >= end_ns_) {
      load_.stop_work();
      return;
    }
    const std::int64_t next = std::min(line_.visible() ? now + kEvery_ns : end_ns_, end_ns_);
    const auto when = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(next));
    if (wake_.wait_until(lock, when, [this] { return ended_; })) return;
    if (line_.visible()) draw(SteadyClock::now_ns());
  }
}

void EnergyWatch::draw(std::int64_t now_ns) {
  const std::int64_t done = load_.done();
  const double rate = static_cast<double>(done - drawn_done_) * 1e9 /
                      static_cast<double>(std::max<std::int64_t>(now_ns - drawn_ns_, 1));
  drawn_ns_ = now_ns;
  drawn_done_ = done;
  const auto watts = load_.recent_watts(std::min(kMeanOver_ns, now_ns - begin_ns_));
  std::string power = "? W";
  if (watts && rate > 0) {
    power = fmt::format("{:.3f} W  {} each", *watts, fine_joules_text(*watts / rate));
  }
  line_.show(fmt::format("{:.1f} {}s/s  {}  {:.0f} s", rate, unit_, power,
                         static_cast<double>(now_ns - begin_ns_) * 1e-9));
}

}  // namespace hedge::cli
