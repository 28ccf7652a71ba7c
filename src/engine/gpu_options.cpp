// SPDX-License-Identifier: Apache-2.0
#include "engine/gpu_options.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

template <class Mode>
using Name = std::pair<Mode, std::string_view>;

constexpr Name<WaitMode> kWaitModes[] = {
    {WaitMode::kSpin, "spin"}, {WaitMode::kYield, "yield"}, {WaitMode::kBlock, "block"}};
constexpr Name<MemoryMode> kMemoryModes[] = {
    {MemoryMode::kAuto, "auto"},       {MemoryMode::kMapped, "mapped"},
    {MemoryMode::kManaged, "managed"}, {MemoryMode::kManagedOriginal, "managed-original"},
    {MemoryMode::kPinned, "pinned"},   {MemoryMode::kDevice, "device"}};

template <class Mode>
std::string_view name_of(std::span<const Name<Mode>> names, Mode mode) {
  for (const auto& [known, name] : names) {
    if (known == mode) return name;
  }
  return "?";
}

template <class Mode>
Mode parse(std::span<const Name<Mode>> names, std::string_view flag, std::string_view text) {
  std::vector<std::string> there;
  for (const auto& [mode, name] : names) {
    if (to_lower(text) == name) return mode;
    there.emplace_back(name);
  }
  throw bad_input(fmt::format("{}={}: there are {}", flag, printable(text), join_words(there)));
}

}  // namespace

std::string_view to_string(WaitMode mode) {
  return name_of<WaitMode>(kWaitModes, mode);
}

std::string_view to_string(MemoryMode mode) {
  return name_of<MemoryMode>(kMemoryModes, mode);
}

WaitMode parse_wait_mode(std::string_view text) {
  return parse<WaitMode>(kWaitModes, "--wait", text);
}

MemoryMode parse_memory_mode(std::string_view text) {
  return parse<MemoryMode>(kMemoryModes, "--memory", text);
}

void require_gpu(const Backend& backend, const GpuOptions& options) {
  std::vector<std::string> flags;
  if (options.wait) flags.emplace_back("--wait");
  if (options.memory) flags.emplace_back("--memory");
  if (options.cuda_graph) flags.emplace_back("--no-cuda-graph");
  if (flags.empty() || backend.traits().gpu) return;
  throw bad_input(
      fmt::format("{}: only for backends on a GPU, which {} is not: leave {} out, or build the "
                  "engine with --backend of one (hedge info lists them)",
                  join_words(flags), backend.name(), flags.size() == 1 ? "it" : "them"));
}

}  // namespace hedge
