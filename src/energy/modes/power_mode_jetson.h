// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/nvpmodel.h"

namespace hedge {

// Power modes and locked clocks of Jetson boards, by the vendor's programs nvpmodel and
// jetson_clocks. Clocks are unlocked before a mode is set and locked after it, for a mode that is
// set under locked clocks does not reach them.

/// The modes in /etc/nvpmodel.conf below `root`. Throws bad_input where there is no such file or
/// program (no Jetson), or where it is broken.
[[nodiscard]] NvpModelConf read_nvpmodel_conf(const std::filesystem::path& root);

/// The mode by name, or where no name is `text`, by id. Throws bad_input naming those there are.
[[nodiscard]] const NvpMode& find_mode(const NvpModelConf& conf, const std::string& text);

/// "15W"; "mode 5" where the configuration does not name it.
[[nodiscard]] std::string name_of(const NvpModelConf& conf, std::optional<int> id);

/// "15W (0), 7W (1) and MAXN (2)".
[[nodiscard]] std::string mode_list(const NvpModelConf& conf);

/// The mode that the board is in, of nvpmodel's status file, else of `nvpmodel -q`. Nothing where
/// neither tells.
[[nodiscard]] std::optional<int> current_mode_id(const std::filesystem::path& root);

/// `nvpmodel -m id`, then reads back: the mode, and for its caps of clocks and its CPUs that are on
/// or off whether they hold. Returns a line for each that does not. A question whether to reboot is
/// answered no and told. Throws runtime_failure where nvpmodel fails or the mode is still another.
[[nodiscard]] std::vector<std::string> set_power_mode(const NvpModelConf& conf, int id,
                                                      const std::filesystem::path& root);

/// Where the settings of `mode` do not hold, a line each. Files that are not there are passed over.
[[nodiscard]] std::vector<std::string> mode_mismatches(const NvpModelConf& conf,
                                                       const NvpMode& mode,
                                                       const std::filesystem::path& root);

[[nodiscard]] bool has_jetson_clocks();
/// `jetson_clocks --store file`, then `jetson_clocks`. Throws runtime_failure.
void lock_jetson_clocks(const std::filesystem::path& file);
/// `jetson_clocks --restore file` and removes the file; nothing where there is none, for then
/// nothing was locked yet. Throws runtime_failure.
void unlock_jetson_clocks(const std::filesystem::path& file);

/// CPUs and GPUs whose clock may still move, a line each: a lock that did not take.
[[nodiscard]] std::vector<std::string> unlocked_clocks(const std::filesystem::path& root);

}  // namespace hedge
