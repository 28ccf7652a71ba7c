// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace hedge {

/// A file of /sys that holds one number or word, kept open: reading it again allocates nothing.
class SensorFile {
 public:
  SensorFile() = default;
  /// Never throws; error() tells why it is not open.
  explicit SensorFile(const std::filesystem::path& path);
  SensorFile(SensorFile&& other) noexcept;
  SensorFile& operator=(SensorFile&& other) noexcept;
  ~SensorFile();

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] int error() const noexcept { return error_; }
  /// Nothing where the sensor does not answer, or not with a number.
  [[nodiscard]] std::optional<std::int64_t> read() const noexcept;
  /// Its text without blanks around it, as much as fits into `buffer`; empty likewise.
  [[nodiscard]] std::string_view read_text(std::span<char> buffer) const noexcept;

 private:
  int descriptor_ = -1;
  int error_ = 0;
};

}  // namespace hedge
