// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace hedge {

enum class RailKind : std::uint8_t {
  kPower,   ///< Watts, of the moment or averaged since the sensor's last refresh.
  kEnergy,  ///< Joules of a counter, which only its differences mean something of.
};

/// One quantity that a meter reads: a supply rail, a GPU, a package.
struct Rail {
  std::string name;
  RailKind kind = RailKind::kPower;
  /// False for what is a part of another rail, or contains one: shown, never added.
  bool in_total = true;
  /// Smallest step of the value, watts or joules; 0 where it is not known.
  double resolution = 0;
  /// Where a counter starts again from 0, joules.
  std::optional<double> wraps_at;
  /// Readings have time stamps of the meter's own, so that each is a sample. Else one that repeats
  /// the value before is the same sample, read once more.
  bool stamped = false;
};

inline constexpr double kNoReading = std::numeric_limits<double>::quiet_NaN();

struct RailReading {
  std::int64_t time_ns = 0;   ///< Of the sample, on the clock of SteadyClock.
  double value = kNoReading;  ///< Watts or joules as the rail's kind says. Unknown is never zero.
};

/// What a meter is, for people.
struct MeterFacts {
  std::string name;        ///< As --meter takes it.
  std::string covers;      ///< What is seen, and what is not.
  std::string gain_error;  ///< Its calibration, which no statistics recover.
};

/// A source of power or energy readings. One thread at a time.
class PowerMeter {
 public:
  PowerMeter() = default;
  PowerMeter(const PowerMeter&) = delete;
  PowerMeter& operator=(const PowerMeter&) = delete;
  virtual ~PowerMeter() = default;

  [[nodiscard]] virtual const MeterFacts& facts() const noexcept = 0;
  [[nodiscard]] virtual std::span<const Rail> rails() const noexcept = 0;
  /// Writes one reading a rail, in the order of rails(). A rail that does not answer (vanished,
  /// EAGAIN) gives kNoReading. Neither allocates nor throws. Reads do not wait for the sensor: more
  /// often than it refreshes, they give the same value again.
  virtual void read(std::span<RailReading> readings) noexcept = 0;
};

}  // namespace hedge
