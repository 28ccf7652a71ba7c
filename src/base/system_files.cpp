// SPDX-License-Identifier: Apache-2.0
#include "base/system_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <system_error>

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 4U << 20U;

std::int64_t number_after(std::string_view name, std::size_t prefix) {
  const std::string_view rest = name.substr(prefix);
  const std::string_view digits = rest.substr(0, rest.find_first_not_of("0123456789"));
  return parse_integer<std::int64_t>(digits).value_or(std::numeric_limits<std::int64_t>::max());
}

}  // namespace

fs::path system_root() {
  const char* root = std::getenv("HEDGE_SYSFS_ROOT");  // NOLINT(concurrency-mt-unsafe)
  return root != nullptr && *root != '\0' ? root : "/";
}

SystemText try_read_system_file(const fs::path& path) {
  SystemText result;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return {{}, errno};
  std::array<char, 4096> block{};
  while (result.text.size() < kMostBytes) {
    const ssize_t bytes = ::read(file, block.data(), block.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) result = {{}, errno};
    if (bytes <= 0) break;
    result.text.append(block.data(), static_cast<std::size_t>(bytes));
  }
  ::close(file);
  return result;
}

std::string read_system_file(const fs::path& path) {
  return try_read_system_file(path).text;
}

std::string read_system_line(const fs::path& path) {
  const std::string text = read_system_file(path);
  return std::string(trim(std::string_view(text).substr(0, text.find('\n'))));
}

std::optional<std::int64_t> read_system_integer(const fs::path& path) {
  return parse_integer<std::int64_t>(read_system_line(path));
}

std::vector<fs::path> list_system_entries(const fs::path& folder, std::string_view prefix) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(prefix)) found.emplace_back(number_after(name, prefix.size()), *entry);
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> paths;
  paths.reserve(found.size());
  for (auto& [number, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::string value_of(std::string_view text, char separator, std::string_view key) {
  std::string found;
  for_each_pair(text, separator, [&](std::string_view name, std::string_view value) {
    if (found.empty() && name == key) found = value;
  });
  return found;
}

}  // namespace hedge
