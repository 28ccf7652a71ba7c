// SPDX-License-Identifier: Apache-2.0
#include "double/plan_file.h"

#include <NvInferRuntime.h>
#include <fmt/format.h>

#include <array>
#include <cstring>

namespace hedge_double {
namespace {

constexpr std::size_t kHeader = 28;

/// Major, minor, patch.
std::array<unsigned char, 3> version_bytes() {
  return {NV_TENSORRT_MAJOR, NV_TENSORRT_MINOR, NV_TENSORRT_PATCH};
}

}  // namespace

std::vector<char> write_plan(const PlanFile& plan) {
  const std::string summary = plan.summary.dump();
  const std::array<std::uint64_t, 2> lengths{summary.size(), plan.onnx.size()};
  std::string bytes(kHeader, '\0');
  bytes.replace(0, 4, "ftrt");
  std::memcpy(bytes.data() + 24, version_bytes().data(), 3);
  bytes.append(reinterpret_cast<const char*>(lengths.data()), sizeof lengths);
  bytes += summary + plan.onnx;
  return {bytes.begin(), bytes.end()};
}

std::optional<PlanFile> read_plan(const void* data, std::size_t size, std::string& reason) {
  const std::string_view bytes(static_cast<const char*>(data), size);
  const auto version = version_bytes();
  if (!bytes.starts_with("ftrt")) {
    reason =
        "Serialization assertion stdVersionRead == kSERIALIZATION_VERSION failed. Magic tag "
        "does not match";
    return std::nullopt;
  }
  std::array<std::uint64_t, 2> lengths{};
  const std::size_t begin = kHeader + sizeof lengths;
  if (size >= begin) std::memcpy(lengths.data(), bytes.data() + kHeader, sizeof lengths);
  if (size < begin || size != begin + lengths[0] + lengths[1]) {
    reason = "Serialization assertion size > 0 failed.";
    return std::nullopt;
  }
  if (std::memcmp(bytes.data() + 24, version.data(), version.size()) != 0) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[24 + i]); };
    reason = fmt::format(
        "The engine plan file is not compatible with this version of TensorRT, expecting library "
        "version {}.{}.{} got {}.{}.{}, please rebuild.",
        version[0], version[1], version[2], at(0), at(1), at(2));
    return std::nullopt;
  }
  return PlanFile{nlohmann::json::parse(bytes.substr(begin, lengths[0])),
                  std::string(bytes.substr(begin + lengths[0]))};
}

}  // namespace hedge_double
