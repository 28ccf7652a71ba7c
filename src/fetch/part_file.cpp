// SPDX-License-Identifier: Apache-2.0
#include "fetch/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

std::string reason(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): thread-safe for known codes
}

/// Locked, or -1 and errno.
int open_locked(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (fd < 0) return -1;
  struct stat status {};
  // A process that finished in between has removed the name of what was opened.
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &status) == 0 && status.st_nlink > 0) {
    return fd;
  }
  ::close(fd);
  errno = EWOULDBLOCK;
  return -1;
}

}  // namespace

PartSource parse_part_source(std::string_view text) {
  const std::vector<std::string> lines = split(text, '\n');
  // The validator goes into a header of HTTP, where a control character could begin another one.
  for (const std::string& line : lines) {
    for (const char c : line) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return {};
    }
  }
  if (lines.size() != 3 || !lines[2].empty()) return {};
  return {lines[0], lines[1]};
}

PartFile::PartFile(std::filesystem::path path) : path_(std::move(path)) {
  descriptor_ = open_locked(path_);
  if (descriptor_ < 0 && errno == EWOULDBLOCK) {
    throw runtime_failure(
        fmt::format("{}: another download writes it; wait for its end", path_.string()));
  }
  if (descriptor_ < 0)
    throw bad_input(fmt::format("{}: cannot be written: {}", path_.string(), reason(errno)));
  size_ = static_cast<std::uint64_t>(::lseek(descriptor_, 0, SEEK_END));
  std::error_code error;
  if (size_ == 0 || !std::filesystem::is_regular_file(source_path(), error)) return;
  source_ = parse_part_source(read_text_file(source_path(), 1U << 20U));
}

PartFile::~PartFile() {
  if (size_ == 0) {
    ::unlink(path_.c_str());
    ::unlink(source_path().c_str());
  }
  ::close(descriptor_);
}

std::filesystem::path PartFile::source_path() const {
  return path_.string() + ".from";
}

void PartFile::continue_from(const std::string& url) {
  if (source_.url == url) return;
  source_.url = url;
  source_.validator.clear();
}

void PartFile::set_validator(const std::string& validator) {
  if (source_.validator == validator) return;
  source_.validator = validator;
  write_source();
}

void PartFile::write_source() const {
  write_file(source_path(), source_.url + "\n" + source_.validator + "\n");
}

void PartFile::restart(const std::string& validator) {
  if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) != 0) {
    throw runtime_failure(fmt::format("{}: cannot be emptied: {}", path_.string(), reason(errno)));
  }
  size_ = 0;
  source_.validator = validator;
  write_source();
}

void PartFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      throw runtime_failure(fmt::format("{}: cannot write: {}; what is there is kept, run again",
                                        path_.string(), reason(errno)));
    }
    size_ += static_cast<std::uint64_t>(written);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace hedge
