// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

/// Settings as they were before a change, enough to bring them back. Written to the state file
/// before anything is changed.
struct SavedSettings {
  struct Cpu {
    int cpu = 0;
    std::string governor;
    std::optional<std::int64_t> min_khz;
    std::optional<std::int64_t> max_khz;
    bool operator==(const Cpu&) const = default;
  };
  std::vector<Cpu> cpus;
  std::optional<bool> turbo;
  std::optional<int> mode_id;  ///< nvpmodel's.
  std::string mode_name;
  std::string clocks_file;         ///< Of `jetson_clocks --store`; empty where nothing is locked.
  std::string locked_before_file;  ///< That of an earlier lock which stood and is to stand again.
  std::string gpu;                 ///< "all" or an index where nvidia-smi locked clocks.
  bool operator==(const SavedSettings&) const = default;

  [[nodiscard]] bool empty() const { return *this == SavedSettings{}; }
};

/// What the state file holds.
struct PowerState {
  std::optional<SavedSettings> set;  ///< From before `set`: stands until `restore`.
  std::optional<SavedSettings> run;  ///< From before a change under way. Left over: it was killed.
  bool operator==(const PowerState&) const = default;

  [[nodiscard]] bool empty() const { return !set && !run; }
};

[[nodiscard]] std::string power_state_to_text(const PowerState& state);
/// Throws bad_input: no JSON, another schema, a value of the wrong type.
[[nodiscard]] PowerState power_state_from_text(std::string_view text);

/// The state file of this machine and the lock beside it. A process that changes settings holds the
/// lock to its end, however that comes; so a `run` in the file without a lock is one that was
/// killed.
class PowerStateFile {
 public:
  /// `path`, or where that is empty /run/hedge/power.json below `root`; without the right to write
  /// there, $XDG_RUNTIME_DIR/hedge/power.json. Throws bad_input where neither is to be had.
  PowerStateFile(const std::filesystem::path& path, const std::filesystem::path& root);
  PowerStateFile(const PowerStateFile&) = delete;
  PowerStateFile& operator=(const PowerStateFile&) = delete;
  ~PowerStateFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// A file beside the state file, for what `jetson_clocks --store` writes.
  [[nodiscard]] std::filesystem::path beside(const std::string& suffix) const;

  /// False where another process changes settings. One that was killed is none, but a program that
  /// it had started (nvpmodel) shares the lock and is waited for, 10 s at most. Throws bad_input
  /// where the folder cannot be written.
  [[nodiscard]] bool lock();
  /// Whether programs that are started share the lock.
  void share_lock(bool with_programs) const;
  /// Whether another process changes settings now.
  [[nodiscard]] bool locked_by_other() const;
  /// Nothing stored where the file is missing. Throws bad_input where it cannot be read, is broken,
  /// or could have been written by another user: what it says is done with this user's rights.
  [[nodiscard]] PowerState read() const;
  /// Written aside, synchronised, renamed; removed where the state is empty.
  void write(const PowerState& state) const;

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace hedge
