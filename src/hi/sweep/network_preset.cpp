// SPDX-License-Identifier: Apache-2.0
#include "hi/sweep/network_preset.h"

#include <array>
#include <string>
#include <vector>

#include "base/named_values.h"

namespace hedge {
namespace {

// "5G in the wild" is Narayanan et al., "A Variegated Look at 5G in the Wild", SIGCOMM 2021; the
// figures are means and medians over its published dataset, github.com/SIGCOMM21-5G/artifact at
// commit 35aaf28: powers above the phone's baseline (its `hardware_power`, `avg_power_baseline`)
// while iPerf sent or received, rates and latencies of Speedtest with servers within 50 km.
#define HEDGE_5G "Narayanan et al., SIGCOMM 2021, dataset: "

constexpr std::string_view kNoTail = "left out: the radio's tail after an exchange (--tail-energy)";

constexpr Link kWifiLink{.up_bits_per_second = 46.2e6,
                         .down_bits_per_second = 52.6e6,
                         .round_trip_seconds = 5e-3,
                         .send_watts = 1.295,
                         .receive_watts = 0.4625,
                         .wait_watts = 0.0037,
                         .tail_joules = 0};
constexpr std::string_view kSiliconLabs =
    "Silicon Labs, SiWT917 on a Raspberry Pi 4, 2.4 GHz, 20 MHz, TCP: Expected Results";
#define HEDGE_PIXEL "power profile of Google's Pixel 2 XL (AOSP, device/google/taimen): "
constexpr std::array<SourcedFigure, 7> kWifi{{
    {"up", kSiliconLabs},
    {"down", kSiliconLabs},
    {"round trip",
     "a quiet network; on a busy campus the median was 20 ms (Pei et al., INFOCOM 2016)", true},
    {"sending", HEDGE_PIXEL "350 mA, 3.7 V"},
    {"receiving", HEDGE_PIXEL "125 mA, 3.7 V"},
    {"waiting", HEDGE_PIXEL "idle 1 mA, 3.7 V"},
    {"tail", kNoTail, true},
}};
#undef HEDGE_PIXEL

constexpr Link kLteLink{.up_bits_per_second = 33.7e6,
                        .down_bits_per_second = 81.8e6,
                        .round_trip_seconds = 22e-3,
                        .send_watts = 2.73,
                        .receive_watts = 2.37,
                        .wait_watts = 1.9,
                        .tail_joules = 0};
constexpr std::array<SourcedFigure, 7> kLte{{
    {"up", HEDGE_5G "Verizon 4G, median of 9 tests"},
    {"down", HEDGE_5G "Verizon 4G, median of 9 tests"},
    {"round trip", HEDGE_5G "Verizon 4G, median of 9 tests"},
    {"sending", HEDGE_5G "T-Mobile, on 4G, mean of 117 s"},
    {"receiving", HEDGE_5G "T-Mobile, on 4G, mean of 82 s"},
    {"waiting", HEDGE_5G "T-Mobile, on 4G, extrapolated to no throughput"},
    {"tail", kNoTail, true},
}};

constexpr Link k5gLink{.up_bits_per_second = 57.1e6,
                       .down_bits_per_second = 123.2e6,
                       .round_trip_seconds = 15e-3,
                       .send_watts = 2.60,
                       .receive_watts = 2.68,
                       .wait_watts = 2.0,
                       .tail_joules = 0};
constexpr std::array<SourcedFigure, 7> k5g{{
    {"up", HEDGE_5G "Verizon 5G low band, median of 28 tests"},
    {"down", HEDGE_5G "Verizon 5G low band, median of 28 tests"},
    {"round trip", HEDGE_5G "Verizon 5G low band, median of 28 tests"},
    {"sending", HEDGE_5G "Verizon 5G low band, mean of 2803 s"},
    {"receiving", HEDGE_5G "Verizon 5G low band, mean of 2447 s"},
    {"waiting", HEDGE_5G "Verizon 5G low band, extrapolated to no throughput"},
    {"tail", kNoTail, true},
}};

constexpr Link kBleLink{.up_bits_per_second = 1.3274e6,
                        .down_bits_per_second = 1.3274e6,
                        .round_trip_seconds = 50e-3,
                        .send_watts = 0.0153,
                        .receive_watts = 0.0159,
                        .wait_watts = 0,
                        .tail_joules = 0};
constexpr std::string_view kNordic =
    "Nordic's formula (S140 specification, data throughput): 34 packets of 244 bytes each 50 ms, "
    "2M PHY";
constexpr std::array<SourcedFigure, 7> kBle{{
    {"up", kNordic},
    {"down", kNordic},
    {"round trip", "two waits of half an interval of 50 ms", true},
    {"sending", "TI CC2340R5, data sheet SWRS272: 5.1 mA at 0 dBm, 3.0 V"},
    {"receiving", "TI CC2340R5, data sheet SWRS272: 5.3 mA, 3.0 V"},
    {"waiting", "asleep between two connection events", true},
    {"tail", "none: asleep between two connection events", true},
}};

constexpr Link kEthernetLink{.up_bits_per_second = 941e6,
                             .down_bits_per_second = 941e6,
                             .round_trip_seconds = 0.5e-3,
                             .send_watts = 0,
                             .receive_watts = 0,
                             .wait_watts = 0,
                             .tail_joules = 0};
constexpr std::string_view kAlwaysOn =
    "a link sends idle symbols all the time (TI SSZTAM3): its 0.45 to 1 W are in the idle power";
constexpr std::array<SourcedFigure, 7> kEthernet{{
    {"up", "mpr-projects.com, RPi NAS part 3: iperf3, gigabit, Raspberry Pi 4"},
    {"down", "mpr-projects.com, RPi NAS part 3: iperf3, gigabit, Raspberry Pi 4"},
    {"round trip", "one switch", true},
    {"sending", kAlwaysOn},
    {"receiving", kAlwaysOn},
    {"waiting", kAlwaysOn},
    {"tail", "none: the link is always up"},
}};
#undef HEDGE_5G

constexpr std::array<NetworkPreset, 5> kPresets{{{"wifi", kWifiLink, kWifi},
                                                 {"lte", kLteLink, kLte},
                                                 {"5g", k5gLink, k5g},
                                                 {"ble", kBleLink, kBle},
                                                 {"ethernet", kEthernetLink, kEthernet}}};

}  // namespace

std::span<const NetworkPreset> network_presets() noexcept {
  return kPresets;
}

const NetworkPreset& network_preset(std::string_view name) {
  std::vector<std::string> names;
  for (const NetworkPreset& preset : kPresets) {
    if (preset.name == name) return preset;
    names.emplace_back(preset.name);
  }
  throw no_such_name("network", name, names);
}

}  // namespace hedge
