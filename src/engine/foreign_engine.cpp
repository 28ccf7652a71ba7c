// SPDX-License-Identifier: Apache-2.0
#include "engine/foreign_engine.h"

#include <fmt/format.h>

#include <utility>

#include "base/naming.h"
#include "engine/backend.h"
#include "engine/engine_name.h"

namespace hedge {
namespace {

constexpr const char* kUnknownPrecision = "unknown";

EngineContainer named(ForeignEngineReader::ForeignEngine engine, const std::string& backend,
                      const std::filesystem::path& path) {
  EngineContainer container{
      .info = std::move(engine.info), .layer_choices = {}, .sections = std::move(engine.sections)};
  const EngineName name = parse_engine_name(path);
  EngineInfo& info = container.info;
  info.backend = backend;
  info.model = name.model;
  info.dataset = name.dataset;
  info.trained_on = name.dataset;
  info.precision = name.precision.empty() ? kUnknownPrecision : name.precision;
  info.source_file = path.filename().string();
  return container;
}

}  // namespace

std::optional<EngineContainer> read_foreign_engine(std::span<const std::byte> bytes,
                                                   std::shared_ptr<const void> owner,
                                                   const std::filesystem::path& path) {
  for (const BackendStatus& status : list_backends()) {
    const auto* reader = dynamic_cast<const ForeignEngineReader*>(status.backend);
    if (reader == nullptr || !reader->recognizes(bytes)) continue;
    if (!status.unavailable_reason.empty()) {
      throw bad_input(fmt::format("{}: is a {}, and backend '{}' cannot run here: {}",
                                  path.string(), reader->file_kind(), status.name,
                                  status.unavailable_reason));
    }
    return naming(path.string(),
                  [&] { return named(reader->read(bytes, std::move(owner)), status.name, path); });
  }
  return std::nullopt;
}

}  // namespace hedge
