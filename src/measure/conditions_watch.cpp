// SPDX-License-Identifier: Apache-2.0
#include "measure/conditions_watch.h"

#include <algorithm>
#include <utility>

namespace hedge {
namespace {

// Ticks are 10 ms: over a quarter of a second one of them is 4 %.
constexpr std::int64_t kLoadWindow_ns = 1'000'000'000;

template <class T>
void extend(Extremes<T>& extremes, T value) {
  extremes.min = std::min(extremes.min, value);
  extremes.max = std::max(extremes.max, value);
}

template <class T>
void extend(std::optional<Extremes<T>>& extremes, T value) {
  if (!extremes) extremes = Extremes<T>{value, value};
  extend(*extremes, value);
}

template <class T>
void extend(std::map<std::string, Extremes<T>>& all, const std::string& key, T value) {
  extend(all.try_emplace(key, Extremes<T>{value, value}).first->second, value);
}

}  // namespace

void ConditionsRange::add(const Conditions& sample) {
  ++samples;
  for (const CpuFrequency& cpu : sample.cpus) {
    if (cpu.current_khz) extend(cpu_khz, *cpu.current_khz);
  }
  for (const auto& [zone, degrees] : sample.celsius) extend(celsius, zone, degrees);
  for (const auto& [type, state] : sample.cooling) {
    std::int64_t& most = most_cooling[type];
    most = std::max(most, state);
  }
  for (const NvidiaGpu& gpu : sample.nvidia) {
    for (const std::string& reason : gpu.slowed_by) ++gpu_slowed_by[gpu.name][reason];
  }
  if (!first_) {
    first_ = mark_ = sample;
    return;
  }
  if (latest_) add_working_clocks();
  latest_ = sample;
  seconds = static_cast<double>(sample.time_ns - first_->time_ns) * 1e-9;
  for (const auto& [name, count] : sample.throttle_events) {
    const auto before = first_->throttle_events.find(name);
    if (before != first_->throttle_events.end())
      throttle_events[name] = std::max<std::int64_t>(count - before->second, 0);
  }
  if (const auto shares = cpu_shares(*first_, sample)) others = shares->others;
  if (sample.time_ns - mark_->time_ns >= kLoadWindow_ns) {
    if (const auto shares = cpu_shares(*mark_, sample))
      most_others = std::max(most_others.value_or(0), shares->others);
    mark_ = sample;
  }
  // The rest at the end, below a second, is in the mean alone: which no window is to be below.
  if (most_others && others) most_others = std::max(*most_others, *others);
}

void ConditionsRange::add_working_clocks() {
  std::int64_t fastest = 0;
  for (const CpuFrequency& cpu : latest_->cpus) {
    fastest = std::max(fastest, cpu.current_khz.value_or(0));
  }
  if (fastest > 0) extend(busiest_cpu_khz, fastest);
  for (const DeviceClock& gpu : latest_->gpus) {
    if (gpu.current_hz) extend(gpu_hz, gpu.name, *gpu.current_hz);
  }
  for (const NvidiaGpu& gpu : latest_->nvidia) {
    if (gpu.sm_hz) extend(gpu_hz, gpu.name, *gpu.sm_hz);
    if (gpu.memory_hz) extend(gpu_hz, gpu.name + " memory", *gpu.memory_hz);
  }
}

ConditionsWatch::ConditionsWatch(std::filesystem::path root, std::chrono::nanoseconds period)
    : root_(std::move(root)),
      period_(std::max(period, std::chrono::nanoseconds(1'000'000))),
      thread_([this] { run(); }) {}

ConditionsWatch::~ConditionsWatch() {
  end_thread();
}

ConditionsRange ConditionsWatch::stop() {
  end_thread();
  return std::move(range_);
}

void ConditionsWatch::end_thread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void ConditionsWatch::run() {
  const Conditions first = snapshot_conditions(root_);
  range_.add(first);
  auto deadline = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  while (true) {
    deadline += period_;
    // Where a sample took longer than the period, the missed ones are left out.
    deadline = std::max(deadline, std::chrono::steady_clock::now());
    if (wake_.wait_until(lock, deadline, [this] { return ending_; })) break;
    lock.unlock();
    range_.add(sample_conditions(first, root_));
    lock.lock();
  }
  lock.unlock();
  range_.add(snapshot_conditions(root_));
}

}  // namespace hedge
