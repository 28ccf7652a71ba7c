// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "result/result.h"

namespace hedge {

/// The JSON object of a result, keys in the order of the schema. A number that is not finite is no
/// measurement and is left out, as is a list that holds one.
[[nodiscard]] nlohmann::ordered_json result_to_json(const Result& result);

/// Reads it back. Strict on types: a key of the schema with a value of another type is refused.
/// Tolerant of unknown keys, so that files of newer minor versions read; `config` keeps them as
/// flags. Throws bad_input with `source` (a file's name) and the JSON path
/// ("latency_us.ci95.p50[1]"); also on another schema, or when program, time or version is missing.
[[nodiscard]] Result result_from_json(const nlohmann::json& json, const std::string& source);

/// Text of a result file, indented by two spaces, with a line end: one object for one result, an
/// array for any other number (a sweep).
[[nodiscard]] std::string results_to_text(std::span<const Result> results);
[[nodiscard]] std::string result_to_text(const Result& result);

/// The opposite, of an object or an array of them. Throws bad_input: as result_from_json, and where
/// the text is no JSON (with the line and column).
[[nodiscard]] std::vector<Result> results_from_text(std::string_view text,
                                                    const std::string& source);

}  // namespace hedge
