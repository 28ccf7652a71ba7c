// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace hedge {

/// What stands in `<name>.from`: an address, and the validator of what came from it.
struct PartSource {
  std::string url;
  std::string validator;
};
/// Both are empty where the text is none that a download wrote: then what is there is asked for
/// without a validator, and its checksum tells.
[[nodiscard]] PartSource parse_part_source(std::string_view text);

/// A file that a download grows, kept between runs. Beside it `<name>.from` holds the address and
/// the validator (ETag or Last-Modified) of what is there: bytes of two editions must not be
/// joined.
class PartFile {
 public:
  /// Opens or creates it. Throws bad_input where the folder cannot be written, runtime_failure
  /// where another process is at it.
  explicit PartFile(std::filesystem::path path);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();  ///< Leaves a file with bytes in it, removes an empty one.

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// Empty where the server gave none.
  [[nodiscard]] const std::string& validator() const noexcept { return source_.validator; }

  /// Bytes that came from elsewhere stay, a mirror has the same; only the validator goes.
  void continue_from(const std::string& url);
  /// The edition of what is there and of what follows.
  void set_validator(const std::string& validator);
  /// Empties it; the bytes that follow are of the edition that `validator` names.
  void restart(const std::string& validator);
  /// Throws runtime_failure (a full disk among others).
  void append(std::span<const std::byte> bytes);

 private:
  [[nodiscard]] std::filesystem::path source_path() const;
  void write_source() const;

  std::filesystem::path path_;
  PartSource source_;
  std::uint64_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace hedge
