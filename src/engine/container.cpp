// SPDX-License-Identifier: Apache-2.0
#include "engine/container.h"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "engine/engine_info_json.h"
#include "engine/foreign_engine.h"

static_assert(std::endian::native == std::endian::little, "engine files are little-endian");

namespace hedge {
namespace {

using nlohmann::json;

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kAlignment = 64;
constexpr std::uint32_t kMaxSections = 64;
// As PNG's: a line end of either kind, and an end-of-file, so that a text transfer shows.
constexpr std::array<char, 8> kMagic{'H', 'E', 'D', 'G', 'E', '\r', '\n', '\x1a'};

struct Preamble {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t section_count = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t metadata_bytes = 0;
  std::uint64_t header_checksum = 0;  ///< Preamble (this field 0), table, metadata, padding.
  std::array<std::uint64_t, 3> reserved{};
};
static_assert(sizeof(Preamble) == 64);

struct TableEntry {
  std::array<char, 32> name{};
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t checksum = 0;  ///< The section and its padding.
  std::uint64_t reserved = 0;
};
static_assert(sizeof(TableEntry) == 64);

constexpr std::uint64_t round_up(std::uint64_t n) {
  return (n + kAlignment - 1) / kAlignment * kAlignment;
}

std::uint64_t checksum(std::span<const std::byte> bytes) {
  return XXH64(bytes.data(), bytes.size(), 0);
}

std::vector<std::byte> padded(std::span<const std::byte> bytes) {
  std::vector<std::byte> copy(bytes.begin(), bytes.end());
  copy.resize(round_up(copy.size()));
  return copy;
}

template <class T>
void append(std::vector<std::byte>& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// Preamble, table and metadata, padded.
std::vector<std::byte> make_header(const EngineContainer& container, const std::string& metadata) {
  Preamble preamble;
  preamble.section_count = static_cast<std::uint32_t>(container.sections.size());
  preamble.metadata_bytes = metadata.size();
  std::uint64_t offset =
      round_up(sizeof(Preamble) + container.sections.size() * sizeof(TableEntry) + metadata.size());
  std::vector<TableEntry> table;
  for (const Section& section : container.sections) {
    TableEntry entry;
    section.name.copy(entry.name.data(), entry.name.size() - 1);
    entry.offset = offset;
    entry.bytes = section.bytes.size();
    entry.checksum = checksum(padded(section.bytes));
    offset += round_up(entry.bytes);
    table.push_back(entry);
  }
  preamble.file_bytes = offset;

  std::vector<std::byte> header;
  append(header, preamble);
  for (const TableEntry& entry : table) append(header, entry);
  const auto text = std::as_bytes(std::span(metadata));
  header.insert(header.end(), text.begin(), text.end());
  header.resize(round_up(header.size()));
  preamble.header_checksum = checksum(header);
  std::memcpy(header.data(), &preamble, sizeof preamble);
  return header;
}

/// As far as there are bytes.
bool begins_with_magic(std::span<const std::byte> bytes) {
  const std::size_t given = std::min(bytes.size(), kMagic.size());
  return given == 0 || std::memcmp(bytes.data(), kMagic.data(), given) == 0;
}

Preamble read_preamble(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.empty()) throw bad_input(fmt::format("{}: is empty; build the engine again", name));
  Preamble preamble;
  const std::size_t given = std::min(bytes.size(), sizeof preamble);
  if (!begins_with_magic(bytes)) {
    throw bad_input(fmt::format(
        "{}: is not a Hedge engine (the first bytes differ); build one with build_engine", name));
  }
  if (given < sizeof preamble) {
    throw bad_input(
        fmt::format("{}: truncated after {} bytes; build the engine again", name, given));
  }
  std::memcpy(&preamble, bytes.data(), sizeof preamble);
  if (preamble.version > kVersion) {
    throw bad_input(fmt::format(
        "{}: engine format {} is newer than this Hedge (format {}); update Hedge or build it again",
        name, preamble.version, kVersion));
  }
  if (preamble.file_bytes != bytes.size()) {
    throw bad_input(fmt::format("{}: {}: {} bytes of {}; build or copy the engine again", name,
                                bytes.size() < preamble.file_bytes ? "truncated" : "wrong size",
                                bytes.size(), preamble.file_bytes));
  }
  return preamble;
}

Error corrupted(const std::string& name, std::string_view what) {
  return bad_input(fmt::format("{}: corrupted: {}; build or copy the engine again", name, what));
}

/// Checks everything up to the first section and returns its bytes.
std::span<const std::byte> read_header(std::span<const std::byte> bytes, const Preamble& preamble,
                                       const std::string& name) {
  const std::uint64_t table_bytes = std::uint64_t{preamble.section_count} * sizeof(TableEntry);
  if (preamble.version != kVersion || preamble.section_count > kMaxSections ||
      preamble.metadata_bytes > bytes.size()) {
    throw corrupted(name, "the header is impossible");
  }
  const std::uint64_t size = round_up(sizeof(Preamble) + table_bytes + preamble.metadata_bytes);
  if (size > bytes.size()) throw corrupted(name, "the header is impossible");
  std::vector<std::byte> header(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  Preamble unsigned_preamble = preamble;
  unsigned_preamble.header_checksum = 0;
  std::memcpy(header.data(), &unsigned_preamble, sizeof unsigned_preamble);
  if (checksum(header) != preamble.header_checksum) {
    throw corrupted(name, "the checksum of the header does not fit");
  }
  return bytes.first(static_cast<std::size_t>(size));
}

}  // namespace

void save_container(const EngineContainer& container, const std::filesystem::path& path) {
  if (container.sections.size() > kMaxSections) throw runtime_failure("too many sections");
  const json metadata{{"engine", container.info}, {"layer_choices", container.layer_choices}};
  AtomicFile file(path);
  file.write(make_header(container, metadata.dump(-1, ' ', false, json::error_handler_t::replace)));
  for (const Section& section : container.sections) file.write(padded(section.bytes));
  file.commit();
}

EngineContainer load_container(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  if (!begins_with_magic(file->bytes())) {
    if (auto foreign = read_foreign_engine(file->bytes(), file, path)) return *std::move(foreign);
  }
  return parse_container(file->bytes(), file, path.string());
}

EngineContainer parse_container(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                const std::string& name) {
  const Preamble preamble = read_preamble(bytes, name);
  const auto header = read_header(bytes, preamble, name);

  EngineContainer container;
  std::uint64_t expected = header.size();
  for (std::uint32_t i = 0; i < preamble.section_count; ++i) {
    TableEntry entry;
    std::memcpy(&entry, header.data() + sizeof(Preamble) + i * sizeof(TableEntry), sizeof entry);
    if (entry.name.back() != '\0' || entry.offset != expected || entry.bytes > bytes.size() ||
        entry.offset + round_up(entry.bytes) > bytes.size()) {
      throw corrupted(name, "the section table is impossible");
    }
    const auto stored = bytes.subspan(entry.offset, round_up(entry.bytes));
    if (checksum(stored) != entry.checksum) {
      throw corrupted(name,
                      fmt::format("the checksum of section '{}' does not fit", entry.name.data()));
    }
    container.sections.push_back({entry.name.data(), stored.first(entry.bytes), owner});
    expected += round_up(entry.bytes);
  }
  if (expected != bytes.size()) throw corrupted(name, "the sections do not fill the file");

  const auto* text = reinterpret_cast<const char*>(header.data()) + sizeof(Preamble) +
                     preamble.section_count * sizeof(TableEntry);
  try {
    const json metadata = json::parse(text, text + preamble.metadata_bytes);
    metadata.at("engine").get_to(container.info);
    container.layer_choices = metadata.at("layer_choices");
  } catch (const json::exception& error) {
    throw corrupted(name, fmt::format("the metadata cannot be read: {}", json_reason(error)));
  } catch (const Error& error) {
    throw corrupted(name, error.what());
  }
  return container;
}

}  // namespace hedge
