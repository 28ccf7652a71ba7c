// SPDX-License-Identifier: Apache-2.0
#include "fetch/cifar10.h"

#include <fmt/format.h>

#include <list>
#include <system_error>

#include "base/cancellation.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"
#include "data/cifar_dataset.h"
#include "fetch/archive.h"
#include "fetch/download.h"
#include "fetch/part_file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kArchiveFolder = "cifar-10-batches-bin/";
constexpr const char* kChecksumFile = "cifar-10.sha256";
constexpr std::uint64_t kFileBytes = 30'730'000;
constexpr std::uint64_t kUnpackedBytes = 6 * kFileBytes;

/// Of a mirror's file of unknown length.
constexpr std::uint64_t kMostArchiveBytes = 1'000'000'000;

/// The first line; sha256sum skips it.
std::string archive_line(const std::string& sha256) {
  return fmt::format("# unpacked from an archive with SHA-256 {}", sha256);
}

/// Empty where there is no such file.
Checksums read_checksums(const fs::path& folder, const std::string& archive_sha256) {
  const fs::path file = folder / kChecksumFile;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return {};
  return parse_checksums(read_text_file(file, 1U << 16U), archive_sha256);
}

struct Present {
  std::vector<std::string> verified;
  std::vector<std::string> foreign;  ///< Not what a run unpacked, or no longer.
};

Present look_at(const fs::path& folder, const std::string& archive_sha256) {
  const Checksums checksums = read_checksums(folder, archive_sha256);
  Present present;
  for (const std::string& name : cifar10_files()) {
    const fs::path path = folder / name;
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    const auto known = checksums.find(name);
    const bool same = known != checksums.end() && fs::is_regular_file(path, error) &&
                      sha256_hex(MappedFile::open(path)->bytes()) == known->second;
    (same ? present.verified : present.foreign).push_back(name);
  }
  return present;
}

void require_space(const Cifar10Options& options, std::uint64_t there) {
  std::error_code error;
  const fs::space_info space = fs::space(options.folder, error);
  if (error) return;  // A file system that does not tell; writing will.
  const std::uint64_t needed = kUnpackedBytes + (options.bytes > there ? options.bytes - there : 0);
  if (space.available >= needed) return;
  throw runtime_failure(
      fmt::format("{}: {} MB free, {} MB are needed; make room or name another folder with --data",
                  options.folder.string(), space.available / 1'000'000, needed / 1'000'000 + 1));
}

/// Empties the part where it is not the archive, so that the next attempt begins afresh.
bool is_the_archive(const Cifar10Options& options, PartFile& part, std::string& found) {
  found = sha256_hex(MappedFile::open(part.path())->bytes());
  if (found == options.sha256) return true;
  part.restart("");
  return false;
}

bool download_verified(const Cifar10Options& options, PartFile& part) {
  const DownloadOptions how{.bytes = options.bytes,
                            .most_bytes = options.bytes != 0 ? options.bytes : kMostArchiveBytes,
                            .timeout_s = options.timeout_s,
                            .retries = options.retries,
                            .progress = options.progress};
  std::string found;
  const bool continued = part.size() > 0;
  if (!download(options.url, part, how)) return false;
  if (is_the_archive(options, part, found)) return true;
  if (continued) {
    log(LogLevel::kWarning,
        fmt::format(
            "{}: what an earlier run left was damaged or of another edition; beginning again",
            part.path().string()));
    if (!download(options.url, part, how)) return false;
    if (is_the_archive(options, part, found)) return true;
  }
  throw runtime_failure(
      fmt::format("{}: SHA-256 is {}, expected {}: damaged underway or another file; nothing was "
                  "unpacked, run again or name a mirror with --url",
                  without_credentials(options.url), found, options.sha256));
}

/// All files are written aside before the first is renamed; the checksums come last.
bool unpack(const Cifar10Options& options, const PartFile& part) {
  const auto archive = MappedFile::open(part.path());
  ArchiveOptions how{
      .wanted = {}, .most_member_bytes = kFileBytes, .most_archive_bytes = kMostArchiveBytes};
  for (const std::string& name : cifar10_files()) how.wanted.push_back(kArchiveFolder + name);
  std::list<AtomicFile> files;
  std::string checksums = archive_line(options.sha256) + "\n";
  const std::string source = without_credentials(options.url);
  read_archive(archive->bytes(), source, how,
               [&](const std::string& member, std::span<const std::byte> bytes) {
                 if (cancellation_requested()) return;
                 const std::string name = fs::path(member).filename().string();
                 const fs::path path = options.folder / name;
                 if (name.ends_with(".bin")) {
                   static_cast<void>(
                       cifar_from_bytes(bytes, nullptr, fmt::format("{}, {}", source, member)));
                 }
                 files.emplace_back(path).write(bytes);
                 checksums += fmt::format("{}  {}\n", sha256_hex(bytes), name);
               });
  if (cancellation_requested()) return false;
  for (AtomicFile& file : files) file.commit();
  write_file(options.folder / kChecksumFile, checksums);
  return true;
}

}  // namespace

Checksums parse_checksums(std::string_view text, const std::string& archive_sha256) {
  const std::vector<std::string> lines = split(text, '\n');
  if (lines.front() != archive_line(archive_sha256)) return {};
  Checksums checksums;
  for (const std::string& line : lines) {
    if (line.size() > 66) checksums[line.substr(66)] = line.substr(0, 64);
  }
  return checksums;
}

const std::vector<std::string>& cifar10_files() {
  static const std::vector<std::string> names{
      "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
      "data_batch_5.bin", "test_batch.bin",   "batches.meta.txt"};
  return names;
}

Fetched fetch_cifar10(const Cifar10Options& options) {
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error) {
    throw bad_input(fmt::format("{}: cannot be made: {}; name another folder with --data",
                                options.folder.string(), error.message()));
  }
  const Present present = look_at(options.folder, options.sha256);
  if (present.verified.size() == cifar10_files().size()) return Fetched::kWasThere;
  if (!present.foreign.empty() && !options.force) {
    throw bad_input(
        fmt::format("{}: {} there, but not as fetch-data writes {}; name another folder with "
                    "--data, or replace "
                    "with --force",
                    options.folder.string(),
                    join_words(present.foreign) + (present.foreign.size() == 1 ? " is" : " are"),
                    present.foreign.size() == 1 ? "it" : "them"));
  }
  PartFile part(options.folder / "cifar-10-binary.tar.gz.part");
  require_space(options, part.size());
  if (!download_verified(options, part) || !unpack(options, part)) return Fetched::kCancelled;
  part.restart("");  // Empty, it goes.
  return Fetched::kDone;
}

}  // namespace hedge
