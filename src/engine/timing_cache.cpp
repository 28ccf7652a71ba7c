// SPDX-License-Identifier: Apache-2.0
#include "engine/timing_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "hedge/error.h"

namespace hedge {
namespace {

using nlohmann::json;

constexpr std::string_view kSchema = "hedge.timing-cache/1";

std::string key_of(const std::string& depends_on) {
  return sha256_hex(std::as_bytes(std::span(depends_on)));
}

/// Of text none has a zero byte; of TensorRT's timing cache, which goes by this name as well, all
/// have.
bool is_binary(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  const auto file = MappedFile::open(path);
  const auto start = file->bytes().first(std::min<std::size_t>(file->bytes().size(), 4096));
  return std::ranges::find(start, std::byte{0}) != start.end();
}

std::filesystem::path file_for(std::filesystem::path stated) {
  if (!is_binary(stated)) return stated;
  log(LogLevel::kInfo,
      fmt::format("{} is binary, as TensorRT's timings are; those of Hedge's own kernels are in "
                  "{}.hedge",
                  stated.string(), stated.string()));
  return stated += ".hedge";
}

}  // namespace

TimingCache::TimingCache(std::filesystem::path path) : path_(file_for(std::move(path))) {
  (void)read();
}

std::map<std::string, TacticWords> TimingCache::read() const {
  if (path_.empty() || !std::filesystem::exists(path_)) return {};
  try {
    json cache = json::parse(read_text_file(path_));
    if (cache.at("schema") == kSchema) {
      cache.erase("schema");
      return cache.get<std::map<std::string, TacticWords>>();
    }
  } catch (const json::exception&) {
    // Refused below, together with other schemas.
  }
  throw bad_input(fmt::format(
      "{}: is not a timing cache of Hedge; delete it or name another with --timing_cache",
      path_.string()));
}

std::optional<TacticWords> TimingCache::find(const std::string& depends_on) const {
  const auto all = read();
  const auto found = all.find(key_of(depends_on));
  if (found == all.end()) return std::nullopt;
  return found->second;
}

void TimingCache::keep(const std::string& depends_on, const TacticWords& tactics) const {
  if (path_.empty()) return;
  auto all = read();
  all[key_of(depends_on)] = tactics;
  json cache = all;
  cache["schema"] = kSchema;
  try {
    write_file(path_, cache.dump(1) + "\n");
  } catch (const Error& error) {
    log(LogLevel::kWarning, fmt::format("the timing cache is not kept: {}", error.what()));
  }
}

}  // namespace hedge
