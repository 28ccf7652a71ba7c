// SPDX-License-Identifier: Apache-2.0
#include "energy/sampler.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/clock.h"

namespace hedge {

void ProgressLog::add(std::int64_t time_ns, std::int64_t done) {
  constexpr std::size_t kMostEntries = 1U << 20U;
  // While nothing is done, the first and the last entry tell it all.
  const std::size_t n = entries_.size();
  if (n >= 2 && entries_[n - 1].done == done && entries_[n - 2].done == done) {
    entries_[n - 1].time_ns = time_ns;
    return;
  }
  entries_.push_back({time_ns, done});
  if (entries_.size() < kMostEntries) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < entries_.size(); i += 2) entries_[kept++] = entries_[i];
  entries_.resize(kept);
}

void ProgressLog::insert(std::int64_t time_ns, std::int64_t done) {
  const auto after =
      std::upper_bound(entries_.begin(), entries_.end(), time_ns,
                       [](std::int64_t t, const Entry& entry) { return t < entry.time_ns; });
  entries_.insert(after, {time_ns, done});
}

std::optional<double> ProgressLog::at(std::int64_t time_ns) const {
  if (entries_.empty()) return std::nullopt;
  const auto after =
      std::lower_bound(entries_.begin(), entries_.end(), time_ns,
                       [](const Entry& entry, std::int64_t t) { return entry.time_ns < t; });
  if (after == entries_.end()) return static_cast<double>(entries_.back().done);
  if (after == entries_.begin()) return static_cast<double>(after->done);
  const Entry& before = *(after - 1);
  const double part = static_cast<double>(time_ns - before.time_ns) /
                      static_cast<double>(after->time_ns - before.time_ns);
  return static_cast<double>(before.done) + part * static_cast<double>(after->done - before.done);
}

std::int64_t reading_deadline_ns(std::int64_t start_ns, std::int64_t k, std::int64_t period_ns) {
  constexpr double kGolden = 0.6180339887498949;
  const double phase = static_cast<double>(k) * kGolden;
  const double shift = (phase - std::floor(phase)) / 2 * static_cast<double>(period_ns);
  return start_ns + k * period_ns + static_cast<std::int64_t>(shift);
}

std::int64_t gap_for_period(std::int64_t period_ns) {
  constexpr std::int64_t kLeast_ns = 250'000'000;
  return std::max(10 * period_ns, kLeast_ns);
}

MeterReader::MeterReader(PowerMeter* meter, std::int64_t period_ns) : meter_(meter) {
  if (meter == nullptr) return;
  readings_.resize(meter->rails().size());
  for (const Rail& rail : meter->rails()) {
    recording_.rails.emplace_back(rail, gap_for_period(period_ns));
  }
}

void MeterReader::read(std::int64_t now_ns, std::int64_t done) {
  recording_.progress.add(now_ns, done);
  if (meter_ == nullptr) return;
  meter_->read(readings_);
  for (std::size_t i = 0; i < readings_.size(); ++i) recording_.rails[i].add(readings_[i]);
}

namespace {

std::vector<bool> counting_rails(const PowerMeter* meter) {
  std::vector<bool> counts;
  if (meter == nullptr) return counts;
  for (const Rail& rail : meter->rails()) counts.push_back(rail.in_total);
  return counts;
}

}  // namespace

Sampler::Sampler(PowerMeter* meter, const std::atomic<std::int64_t>& done, const Options& options)
    : options_(options),
      counts_(counting_rails(meter)),
      reader_(meter, options.period_ns),
      thread_([this, &done] { run(done); }) {}

Sampler::~Sampler() {
  if (thread_.joinable()) (void)stop();
}

Recording Sampler::stop() {
  {
    const std::lock_guard lock(wake_mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  reader_.recording().late_readings = late_readings_;
  return std::move(reader_.recording());
}

void Sampler::keep_to_last_cpu() const {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  if (CPU_COUNT(&allowed) <= options_.load_threads) return;
  int last = CPU_SETSIZE - 1;
  while (last > 0 && !CPU_ISSET(last, &allowed)) --last;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(last, &one);
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
}

void Sampler::run(const std::atomic<std::int64_t>& done) {
  keep_to_last_cpu();
  const std::int64_t start = SteadyClock::now_ns();
  const auto read = [&] {
    const std::lock_guard lock(mutex_);
    reader_.read(SteadyClock::now_ns(), done.load(std::memory_order_relaxed));
  };
  for (std::int64_t k = 0;;) {
    const std::int64_t deadline = reading_deadline_ns(start, k, options_.period_ns);
    const auto when = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(deadline));
    {
      std::unique_lock lock(wake_mutex_);
      if (wake_.wait_until(lock, when, [this] { return stop_; })) break;
    }
    read();
    // Deadlines that passed meanwhile, because a reading takes long or no CPU was free, are not
    // made up for: a meter that is slower than its period would never let this thread rest.
    ++k;
    const std::int64_t passed = (SteadyClock::now_ns() - start) / options_.period_ns;
    if (passed >= k) {
      k = passed + 1;
      ++late_readings_;
    }
  }
  read();  // Closes what is open.
}

std::vector<std::optional<double>> Sampler::recent_rail_watts(std::int64_t span_ns) const {
  const std::lock_guard lock(mutex_);
  const std::int64_t now = SteadyClock::now_ns();
  std::vector<std::optional<double>> watts;
  for (const RailTrace& rail : reader_.recording().rails) {
    const RailEnergy energy = integrate(rail, {now - span_ns, now});
    watts.push_back(energy.joules ? std::optional(*energy.joules / energy.seconds) : std::nullopt);
  }
  return watts;
}

std::optional<double> Sampler::recent_watts(std::int64_t span_ns) const {
  const std::vector<std::optional<double>> rails = recent_rail_watts(span_ns);
  if (rails.empty()) return std::nullopt;
  double watts = 0;
  for (std::size_t i = 0; i < rails.size(); ++i) {
    if (!counts_[i]) continue;
    if (!rails[i]) return std::nullopt;
    watts += *rails[i];
  }
  return watts;
}

TotalEnergy total_energy(std::span<const RailTrace> rails, std::span<const RailEnergy> energies) {
  TotalEnergy total;
  double joules = 0;
  double variance = 0;
  bool bounded = true;
  bool any = false;
  for (std::size_t i = 0; i < rails.size(); ++i) {
    if (!rails[i].rail().in_total) continue;
    any = true;
    if (!energies[i].joules) {
      total.unknown_reason =
          fmt::format("{}: {}", rails[i].rail().name, energies[i].unknown_reason);
      return total;
    }
    joules += *energies[i].joules;
    bounded = bounded && energies[i].half_width.has_value();
    const double half = energies[i].half_width.value_or(0);
    variance += half * half;
  }
  if (!any) {
    total.unknown_reason = "no rail was read";
    return total;
  }
  total.joules = joules;
  if (bounded) total.half_width = std::sqrt(variance);
  return total;
}

}  // namespace hedge
