// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "hedge/error.h"

namespace hedge {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string reason(int error) {
  return std::strerror(
      error);  // NOLINT(concurrency-mt-unsafe): glibc's is thread-safe for known codes
}

/// An output that would replace a file. The file is told by its number, since links and relative
/// paths are other names of it.
struct Replaced {
  NamedFile output;
  dev_t device;
  ino_t number;
};

std::mutex replaced_mutex;
std::vector<Replaced> replaced;

/// Nothing where no regular file has the name.
std::optional<struct stat> regular_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return status;
}

/// Of a file that is open for reading.
void require_not_replaced(const struct stat& opened) {
  const std::lock_guard lock(replaced_mutex);
  for (const auto& [output, device, number] : replaced) {
    if (opened.st_dev != device || opened.st_ino != number) continue;
    // Once the output is written, its old number may be another file's.
    const auto now = regular_file(output.path);
    if (!now || now->st_dev != device || now->st_ino != number) continue;
    throw bad_input(
        fmt::format("{}={}: this run reads that file and would overwrite it; name another",
                    output.flag, output.path));
  }
}

/// Opens a regular file for reading and tells its size.
std::pair<Descriptor, std::size_t> open_regular(const std::filesystem::path& path) {
  // Opening a pipe must not wait for a writer.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    throw bad_input(fmt::format("{}: {}", path.string(), reason(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    throw bad_input(fmt::format("{}: is {}, a file is needed", path.string(),
                                S_ISDIR(status.st_mode) ? "a directory" : "no regular file"));
  }
  require_not_replaced(status);
  return {std::move(file), static_cast<std::size_t>(status.st_size)};
}

void write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw runtime_failure(fmt::format("{}: cannot write: {}", path.string(), reason(errno)));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const auto [descriptor, size] = open_regular(path);
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(nullptr, 0));
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor.get(), 0);
  if (data == MAP_FAILED) {
    throw runtime_failure(fmt::format("{}: cannot map: {}", path.string(), reason(errno)));
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  if (bytes.size() > max_bytes) {
    throw bad_input(fmt::format("{}: {} bytes, at most {} are read from a text file", path.string(),
                                bytes.size(), max_bytes));
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code error;
  const auto status = std::filesystem::status(path_, error);
  if (std::filesystem::is_directory(status)) {
    throw bad_input(fmt::format("{}: is a directory, a file name is needed", path_.string()));
  }
  // Renaming over a device or a pipe would replace it.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw bad_input(fmt::format("{}: is no regular file; name another", path_.string()));
  }
  // A link stays, and what it names is replaced.
  if (std::filesystem::is_symlink(path_, error)) {
    const auto target = std::filesystem::weakly_canonical(path_, error);
    if (!error) path_ = target;
  }
  std::string pattern = path_.string() + ".XXXXXX";
  descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor_ < 0) {
    throw bad_input(
        fmt::format("{}: cannot be written in this folder: {}", path_.string(), reason(errno)));
  }
  temporary_ = pattern;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(descriptor_, 0666U & ~mask);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all(descriptor_, bytes, path_);
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text)));
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) {
    throw runtime_failure(fmt::format("{}: cannot write: {}", path_.string(), reason(errno)));
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw runtime_failure(fmt::format("{}: cannot be replaced: {}", path_.string(), reason(errno)));
  }
  ::close(std::exchange(descriptor_, -1));
}

namespace {

bool is_device_or_pipe(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

}  // namespace

void write_file(const std::filesystem::path& path, std::string_view text) {
  if (is_device_or_pipe(path)) {
    const Descriptor device(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (device.get() < 0) throw bad_input(fmt::format("{}: {}", path.string(), reason(errno)));
    write_all(device.get(), std::as_bytes(std::span(text)), path);
    return;
  }
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void require_writable(const std::filesystem::path& path) {
  if (!is_device_or_pipe(path)) const AtomicFile probe(path);
}

void refuse_to_read(std::vector<NamedFile> outputs) {
  std::vector<Replaced> found;
  for (NamedFile& output : outputs) {
    const auto status = regular_file(output.path);
    if (status) found.push_back({std::move(output), status->st_dev, status->st_ino});
  }
  const std::lock_guard lock(replaced_mutex);
  replaced = std::move(found);
}

}  // namespace hedge
