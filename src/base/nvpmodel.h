// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

// The power modes of NVIDIA's Jetson boards: /etc/nvpmodel.conf names them, the program nvpmodel
// sets one, /var/lib/nvpmodel/status says which. Ids differ between boards and between releases
// for the same board (15W is 0 here and 2 there), names less so.

/// One line of a mode: "GPU MAX_FREQ 624750000".
struct NvpSetting {
  std::string parameter;
  std::string argument;
  std::string value;  ///< As written: numbers mostly, "on" and "auto" too.
  /// The number; absent for words, for -1 (not capped) and for what exceeds 64 bits, which caps
  /// nothing either.
  std::optional<std::int64_t> number;
};

struct NvpMode {
  int id = 0;
  std::string name;
  std::vector<NvpSetting> settings;
};

/// Where a setting goes, of a section `< PARAM TYPE=CLOCK NAME=GPU >`: "MAX_FREQ /sys/...".
struct NvpParameter {
  std::string type;
  std::string name;
  std::string argument;
  std::string path;
};

struct NvpModelConf {
  std::vector<NvpMode> modes;  ///< In the order of the file.
  std::vector<NvpParameter> parameters;
  std::optional<int> default_id;

  [[nodiscard]] const NvpMode* find(int id) const;
  /// Letters of either case; "15W" finds MODE_15W too.
  [[nodiscard]] const NvpMode* find(std::string_view name) const;
  /// Where `setting` goes; null where no section says.
  [[nodiscard]] const NvpParameter* parameter_of(const NvpSetting& setting) const;
};

/// The blocks `< POWER_MODEL ID=n NAME=text >` with their "PARAMETER ARGUMENT value" lines, the
/// blocks `< PARAM TYPE=text NAME=text >` and `< PM_CONFIG DEFAULT=n >`; the other sections are the
/// board's own. Throws bad_input with the line's number: a header without an end, a mode without id
/// or name, two modes of one id.
[[nodiscard]] NvpModelConf parse_nvpmodel_conf(std::string_view text);

/// The id in "pmode:0002" or "pmode:0002 fmode:quiet". Nothing where there is none.
[[nodiscard]] std::optional<int> parse_nvpmodel_status(std::string_view text);

/// What `nvpmodel -q` prints: "NV Power Mode: 15W" and the id on a line of its own.
struct NvpAnswer {
  std::string name;
  std::optional<int> id;
};
[[nodiscard]] NvpAnswer parse_nvpmodel_answer(std::string_view text);

/// The name of the mode that the board is in, "15W"; "mode 2" where the configuration does not
/// name it. Empty on machines without nvpmodel. Never throws.
[[nodiscard]] std::string current_power_mode(const std::filesystem::path& root);

}  // namespace hedge
