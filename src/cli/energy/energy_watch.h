// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "cli/program/program.h"
#include "measure/metered_run.h"

namespace hedge::cli {

/// While it lives: the live line on a terminal (rate, watts, energy of one call), twice a second in
/// a thread of its own, and the end of the work after `duration_ns` (0: none).
class EnergyWatch {
 public:
  EnergyWatch(const Program& program, MeteredLoad& load, std::string unit,
              std::int64_t duration_ns);
  EnergyWatch(const EnergyWatch&) = delete;
  EnergyWatch& operator=(const EnergyWatch&) = delete;
  ~EnergyWatch();

 private:
  void run();
  void draw(std::int64_t now_ns);

  LiveLine line_;
  MeteredLoad& load_;
  std::string unit_;
  std::int64_t begin_ns_;
  std::int64_t end_ns_;
  std::int64_t drawn_ns_;
  std::int64_t drawn_done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace hedge::cli
