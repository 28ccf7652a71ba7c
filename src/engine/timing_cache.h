// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace hedge {

/// For each kind of layer, the tactic to take, in the backend's own words.
using TacticWords = std::map<std::string, std::string>;

/// A file of what tuners have found out, each net (or whatever else a tuner looks at) under the
/// SHA-256 of all that the choice depends on. One file serves all backends.
class TimingCache {
 public:
  /// Empty: nothing is found or kept. Where `path` is a binary file, such as TensorRT's timing
  /// cache, ours is PATH.hedge beside it. Throws bad_input on another file that is not a timing
  /// cache.
  explicit TimingCache(std::filesystem::path path);
  [[nodiscard]] std::optional<TacticWords> find(const std::string& depends_on) const;
  /// Warns where the file cannot be written.
  void keep(const std::string& depends_on, const TacticWords& tactics) const;

 private:
  [[nodiscard]] std::map<std::string, TacticWords> read() const;
  std::filesystem::path path_;
};

}  // namespace hedge
