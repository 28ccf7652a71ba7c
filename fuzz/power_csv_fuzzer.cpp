// SPDX-License-Identifier: Apache-2.0
// Logs of external power meters, which come from other machines.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "energy/integrate.h"
#include "energy/marker.h"
#include "energy/power_csv.h"
#include "hedge/error.h"
#include "require.h"

namespace {

void check_error(const hedge::Error& error) {
  require(error.kind() == hedge::ErrorKind::kBadInput);
  require(std::string_view(error.what()).find('\n') == std::string_view::npos);
}

/// What was read can be integrated and searched, whatever it is.
void use(const hedge::PowerRecording& recording) {
  require(recording.samples.size() >= 2);
  for (std::size_t i = 0; i < recording.samples.size(); ++i) {
    require(std::isfinite(recording.samples[i].watts));
    require(i == 0 || recording.samples[i].time_ns > recording.samples[i - 1].time_ns);
  }
  const std::int64_t first = recording.samples.front().time_ns;
  const std::int64_t last = recording.samples.back().time_ns;
  const hedge::RailTrace trace = hedge::trace_of(recording, -first);
  const hedge::RailEnergy energy = hedge::integrate(trace, {0, last - first});
  require(!energy.joules || std::isfinite(*energy.joules));
  require(!energy.half_width || *energy.half_width >= 0);

  constexpr std::int64_t kChip_ns = 200'000'000;
  std::vector<hedge::LoadSegment> segments;
  for (const bool busy : hedge::kMarkerChips) {
    const auto begin = static_cast<std::int64_t>(segments.size()) * kChip_ns;
    segments.push_back({{begin, begin + kChip_ns}, busy});
  }
  // A search of years would be honest work, and none for a fuzzer.
  constexpr std::int64_t kMinute_ns = 60'000'000'000;
  if (last - first > kMinute_ns) return;
  const hedge::MarkerMatch match = hedge::find_marker(recording, segments, "fuzz");
  require(match.correlation <= 1.0001);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  bool sound = true;
  try {
    (void)hedge::check_power_csv(text, "fuzz");
  } catch (const hedge::Error& error) {
    check_error(error);
    sound = false;
  }
  try {
    use(hedge::parse_power_csv(text, "fuzz"));
    require(sound);  // What is taken in the end was not refused before.
  } catch (const hedge::Error& error) {
    check_error(error);
  }
  return 0;
}
