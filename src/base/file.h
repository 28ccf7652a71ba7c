// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

/// A whole file mapped read-only. The bytes stay valid as long as the object lives.
class MappedFile {
 public:
  /// Throws bad_input: no such file, a directory, no permission. An empty file maps to no bytes.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  MappedFile(const std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

  const std::byte* data_;
  std::size_t size_;
};

/// Reads a small text file. Throws bad_input as MappedFile::open does, and above `max_bytes`.
std::string read_text_file(const std::filesystem::path& path, std::size_t max_bytes = 64U << 20U);

/// A file written aside (same folder, temporary name) and renamed by commit(): readers see the old
/// file or the whole new one. Without commit() the destructor removes it.
class AtomicFile {
 public:
  /// A link is followed. Throws bad_input when the folder is missing or not writable, and where
  /// something other than a regular file has the name.
  explicit AtomicFile(std::filesystem::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Throws runtime_failure (a full disk among others), naming the file.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Flushes, synchronises to disk, renames. Throws runtime_failure; the old file then still
  /// stands.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

/// AtomicFile with one piece of text. A path of a device or pipe (/dev/stdout) is written directly.
void write_file(const std::filesystem::path& path, std::string_view text);

/// For before long work: throws bad_input where write_file() would find a missing or read-only
/// folder.
void require_writable(const std::filesystem::path& path);

/// A file, and the flag that names it.
struct NamedFile {
  std::string flag;
  std::string path;
};

/// For programs, before anything is read: from now on MappedFile::open and read_text_file refuse
/// with bad_input, naming the flag, what writing one of these would replace. That finds what no
/// flag names: the images of a folder, a model's external tensors. Takes the place of the list
/// before.
void refuse_to_read(std::vector<NamedFile> outputs);

}  // namespace hedge
