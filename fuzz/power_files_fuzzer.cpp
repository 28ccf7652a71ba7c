// SPDX-License-Identifier: Apache-2.0
// What power modes are read from: nvpmodel's configuration, status and answer, nvidia-smi's CSV,
// and the state file. Each input is taken as each of them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/nvpmodel.h"
#include "energy/modes/power_mode_gpu.h"
#include "energy/modes/power_mode_state.h"
#include "require.h"

namespace {

void read_configuration(const std::string& text) {
  const hedge::NvpModelConf conf = hedge::parse_nvpmodel_conf(text);
  for (const hedge::NvpMode& mode : conf.modes) {
    require(mode.id >= 0 && !mode.name.empty());
    require(conf.find(mode.id) == &mode);
    require(conf.find(mode.name) != nullptr);
    for (const hedge::NvpSetting& setting : mode.settings) {
      require(setting.number != -1);
      (void)conf.parameter_of(setting);
    }
  }
}

void read_state(const std::string& text) {
  const hedge::PowerState state = hedge::power_state_from_text(text);
  require(hedge::power_state_from_text(hedge::power_state_to_text(state)) == state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  accept_bad_input([&] { read_configuration(text); });
  accept_bad_input([&] { read_state(text); });
  require(hedge::parse_nvpmodel_status(text).value_or(0) >= 0);
  require(hedge::parse_nvpmodel_answer(text).name.find('\n') == std::string::npos);
  for (const hedge::GpuClocks& gpu : hedge::parse_nvidia_clocks(text))
    require(gpu.index.size() < 1000);
  return 0;
}
