// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "builder/quantization_report.h"

namespace hedge::cli {

/// A line a layer, then what became of the model; for people.
[[nodiscard]] std::string quantization_text(const QuantizationReport& report);

}  // namespace hedge::cli
