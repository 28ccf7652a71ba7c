// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/tensor.h"
#include "hedge/engine.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hedge::cli {

/// The largest batch.
inline constexpr std::int64_t kMostImages = 4096;
inline constexpr std::int64_t kMostThreads = 1024;

/// A whole number given to a flag. Throws bad_input naming flag, text and range: no number, out of
/// range.
[[nodiscard]] std::int64_t parse_count(const std::string& flag, const std::string& text,
                                       std::int64_t low, std::int64_t high);

/// A number, with or without a point, likewise.
[[nodiscard]] double parse_number(const std::string& flag, const std::string& text, double low,
                                  double high);

/// The original's --maxBatchSize; nothing where it was not given. Throws bad_input for a larger
/// batch.
void require_batch_within(const std::string& max_batch_size,
                          const std::vector<std::int64_t>& batches);

/// "4", which is 4:4:4, or "1:4:8". Throws bad_input where the numbers fall.
[[nodiscard]] BatchRange parse_batches(const std::string& flag, const std::string& text);

/// "1,2,4,8".
[[nodiscard]] std::vector<std::int64_t> parse_counts(const std::string& flag,
                                                     const std::string& text, std::int64_t low,
                                                     std::int64_t high);

/// `--shape`: "1x3x224x224", "NAME:1x3x224x224", or several with names, separated by commas. Names
/// may hold colons. Throws bad_input naming the flag.
[[nodiscard]] std::map<std::string, Shape> parse_shapes(const std::string& text);

/// `--iterations`: 0 and "all" mean `all` of them.
[[nodiscard]] std::int64_t parse_iterations(const std::string& text, std::int64_t all);

/// The files that a run writes. An empty path (the flag was not given) and `-` are none.
struct OutputFiles {
  std::vector<NamedFile> written;  ///< And not read.
  std::vector<NamedFile> kept{};   ///< Read and written, as caches are.
};

/// What the flags given to `app` may name as files: each value, and what follows a prefix in it
/// (csv:FILE, npy:X.npy,Y.npy), whatever flag it belongs to. Flags are called `where` + their name.
[[nodiscard]] std::vector<NamedFile> stated_files(const CLI::App& app,
                                                  const std::string& where = "");

/// Throws bad_input where a file that is to be written is named by a second flag, whose file would
/// be lost. Any two of `stated` may be one: the labels are a server that is always right.
void require_distinct(const OutputFiles& outputs, const std::vector<NamedFile>& stated);

/// The flags that were added to `app` when it had `before` already, but for --labels, which
/// programs have in another meaning without them.
[[nodiscard]] std::vector<const CLI::Option*> flags_since(const CLI::App& app, std::size_t before);

[[nodiscard]] std::vector<const CLI::Option*> flags_named(const CLI::App& app,
                                                          std::initializer_list<const char*> names);

/// Throws bad_input that names the first of them that was given, and why it is of no use.
void refuse_given(const std::vector<const CLI::Option*>& flags, std::string_view why);

inline constexpr std::string_view kForRunningAModel =
    "is for running a model; with --scores its scores are there";

/// Splits a line as a shell would, as far as blanks and quotes go.
[[nodiscard]] std::vector<std::string> split_command_line(const std::string& line);

}  // namespace hedge::cli
