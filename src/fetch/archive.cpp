// SPDX-License-Identifier: Apache-2.0
#include "fetch/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using Reader = std::unique_ptr<archive, decltype(&archive_read_free)>;

/// ARCHIVE_WARN concerns what is not used here (names in unknown character sets, attributes).
void require(int status, archive* reader, const std::string& name) {
  if (status >= ARCHIVE_WARN) return;
  const char* reason = archive_error_string(reader);
  throw runtime_failure(fmt::format("{}: damaged or no .tar.gz: {}", name,
                                    reason != nullptr ? reason : "unknown error"));
}

bool leads_outside(const std::filesystem::path& path) {
  return path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end();
}

std::vector<std::byte> read_member(archive* reader, archive_entry* entry, const std::string& where,
                                   const ArchiveOptions& options) {
  if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr)
    throw runtime_failure(fmt::format("{}: is no regular file", where));
  const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
  if (size > options.most_member_bytes) {
    throw runtime_failure(fmt::format("{}: {} bytes, at most {} are expected", where, size,
                                      options.most_member_bytes));
  }
  std::vector<std::byte> bytes(size);
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const la_ssize_t count =
        archive_read_data(reader, bytes.data() + filled, bytes.size() - filled);
    if (count < 0) require(static_cast<int>(count), reader, where);
    if (count <= 0) throw runtime_failure(fmt::format("{}: cut short", where));
    filled += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace

void read_archive(std::span<const std::byte> bytes, const std::string& name,
                  const ArchiveOptions& options,
                  const std::function<void(const std::string&, std::span<const std::byte>)>& take) {
  const Reader reader(archive_read_new(), archive_read_free);
  if (reader == nullptr) throw runtime_failure("libarchive cannot be initialised");
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_tar(reader.get());
  require(archive_read_open_memory(reader.get(), bytes.data(), bytes.size()), reader.get(), name);

  std::vector<std::string> missing = options.wanted;
  std::uint64_t total = 0;
  archive_entry* entry = nullptr;
  for (;;) {
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    require(status, reader.get(), name);
    const char* path = archive_entry_pathname(entry);
    const std::filesystem::path stated = path != nullptr ? path : "";
    const std::string member = stated.lexically_normal().string();  // Without "./".
    const std::string where = fmt::format("{}, member {}", name, printable(stated.string(), 100));
    if (leads_outside(stated)) {
      throw runtime_failure(
          fmt::format("{}: leads out of the folder; nothing of this archive is used", where));
    }
    const std::int64_t size = archive_entry_size(entry);
    if (size < 0) throw runtime_failure(fmt::format("{}: has a negative size", where));
    total += static_cast<std::uint64_t>(size);
    if (total > options.most_archive_bytes) {
      throw runtime_failure(fmt::format("{}: the archive unpacks to more than {} bytes", where,
                                        options.most_archive_bytes));
    }
    if (std::find(options.wanted.begin(), options.wanted.end(), member) == options.wanted.end())
      continue;
    if (std::erase(missing, member) == 0)
      throw runtime_failure(fmt::format("{}: is there twice", where));
    take(member, read_member(reader.get(), entry, where, options));
  }
  if (!missing.empty())
    throw runtime_failure(fmt::format("{}: has no member {}", name, join_words(missing)));
}

}  // namespace hedge
