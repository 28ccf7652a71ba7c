// SPDX-License-Identifier: Apache-2.0
#include "energy/sensor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace hedge {

SensorFile::SensorFile(const std::filesystem::path& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)),
      error_(descriptor_ < 0 ? errno : 0) {}

SensorFile::SensorFile(SensorFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), error_(other.error_) {}

SensorFile& SensorFile::operator=(SensorFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(error_, other.error_);
  return *this;
}

SensorFile::~SensorFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string_view SensorFile::read_text(std::span<char> buffer) const noexcept {
  // From the beginning each time, which makes the driver read the sensor again.
  const ssize_t bytes = ::pread(descriptor_, buffer.data(), buffer.size(), 0);
  if (bytes <= 0) return {};
  return trim(std::string_view(buffer.data(), static_cast<std::size_t>(bytes)));
}

std::optional<std::int64_t> SensorFile::read() const noexcept {
  std::array<char, 64> buffer{};
  return parse_integer<std::int64_t>(read_text(buffer));
}

}  // namespace hedge
