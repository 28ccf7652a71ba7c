// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace hedge {

/// A network between device and server. Powers are the radio's own, above the device's idle power.
struct Link {
  double up_bits_per_second = 0;
  double down_bits_per_second = 0;
  double round_trip_seconds = 0;
  double send_watts = 0;
  double receive_watts = 0;
  double wait_watts = 0;   ///< Between sending and receiving.
  double tail_joules = 0;  ///< After an exchange, until the radio sleeps again.
};

/// A figure of a preset and where it comes from.
struct SourcedFigure {
  std::string_view what;    ///< "up", "round trip", ...
  std::string_view source;  ///< Publication or page, or why it was assumed.
  bool assumed = false;     ///< No source was found that could be read.
};

/// Figures to begin with, until the user's own network is measured.
struct NetworkPreset {
  std::string_view name;  ///< "wifi", "lte", "5g", "ble", "ethernet".
  Link link;
  std::span<const SourcedFigure> figures;  ///< One for each of Link's, in its order.
};

[[nodiscard]] std::span<const NetworkPreset> network_presets() noexcept;
/// Throws bad_input with the names that there are.
[[nodiscard]] const NetworkPreset& network_preset(std::string_view name);

}  // namespace hedge
