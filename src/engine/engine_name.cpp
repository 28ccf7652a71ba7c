// SPDX-License-Identifier: Apache-2.0
#include "engine/engine_name.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "data/dataset_names.h"

namespace hedge {
namespace {

constexpr std::array<std::string_view, 7> kPrecisions{"fp32", "tf32", "fp16", "bf16",
                                                      "int8", "fp8",  "best"};

/// The part behind the last '_', and what is before it. A name is never eaten up: its first part
/// stays the model.
struct LastPart {
  std::string_view rest;
  std::string_view part;
};
std::optional<LastPart> last_part(std::string_view name) {
  const std::size_t position = name.rfind('_');
  if (position == std::string_view::npos || position == 0) return std::nullopt;
  return LastPart{name.substr(0, position), name.substr(position + 1)};
}

/// The last part, or the last two: aliases may hold a '_' themselves (cifar_10).
void take_dataset(std::string_view& rest, EngineName& name) {
  auto last = last_part(rest);
  for (int parts = 1; last && parts <= 2; ++parts) {
    name.dataset = canonical_dataset(rest.substr(last->rest.size() + 1));
    if (!name.dataset.empty()) {
      rest = last->rest;
      return;
    }
    last = last_part(last->rest);
  }
}

}  // namespace

EngineName parse_engine_name(const std::filesystem::path& path) {
  std::string base = path.filename().string();
  for (const std::string_view extension : {".engine", ".onnx", ".plan", ".trt"}) {
    if (base.size() > extension.size() && to_lower(base).ends_with(extension)) {
      base.resize(base.size() - extension.size());
      break;
    }
  }
  EngineName name;
  std::string_view rest = base;
  // export-qdq's models keep the name of what they were made of.
  if (const auto last = last_part(rest); last && last->part == "qdq") rest = last->rest;
  if (const auto last = last_part(rest)) {
    const std::string precision = to_lower(last->part);
    if (std::find(kPrecisions.begin(), kPrecisions.end(), precision) != kPrecisions.end()) {
      name.precision = precision;
      rest = last->rest;
    }
  }
  take_dataset(rest, name);
  if (rest.starts_with("EE_")) {
    const auto last = last_part(rest.substr(3));
    if (last && last->part.size() == 1 && last->part[0] >= '0' && last->part[0] <= '2') {
      name.branch = last->part[0] - '0';
      rest.remove_suffix(2);
    }
  }
  name.model = std::string(rest);
  return name;
}

std::span<const std::string_view> known_precisions() {
  return kPrecisions;
}

}  // namespace hedge
