// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/plan_cache.h"

#include <fmt/format.h>

#include <string_view>

#include "backends/tensorrt/logger.h"
#include "base/file.h"
#include "base/log.h"

namespace hedge::tensorrt {
namespace {

namespace fs = std::filesystem;

std::shared_ptr<const MappedFile> open_existing(const fs::path& file) {
  std::error_code error;
  return fs::exists(file, error) ? MappedFile::open(file) : nullptr;
}

/// Hedge's own is JSON; TensorRT's is no text.
bool is_hedges_own(std::span<const std::byte> bytes) {
  return !bytes.empty() && static_cast<char>(bytes.front()) == '{';
}

fs::path file_for(const fs::path& stated) {
  if (stated.empty()) return {};
  const auto present = open_existing(stated);
  if (present && !present->bytes().empty() && !is_hedges_own(present->bytes())) return stated;
  fs::path own = stated;
  own += ".tensorrt";
  return own;
}

std::unique_ptr<nvinfer1::ITimingCache> read(const nvinfer1::IBuilderConfig& config,
                                             const fs::path& file) {
  const auto present = open_existing(file);
  if (!present || present->bytes().empty()) return nullptr;
  std::unique_ptr<nvinfer1::ITimingCache> cache(
      config.createTimingCache(present->bytes().data(), present->bytes().size()));
  if (!cache) {
    log(LogLevel::kWarning, fmt::format("{}: is no timing cache of this TensorRT ({}): begins anew",
                                        file.string(), logger().take_errors()));
  }
  return cache;
}

std::unique_ptr<nvinfer1::ITimingCache> empty(const nvinfer1::IBuilderConfig& config) {
  return std::unique_ptr<nvinfer1::ITimingCache>(
      required(config.createTimingCache(nullptr, 0), "no timing cache can be had"));
}

}  // namespace

PlanCache::PlanCache(const fs::path& file) : file_(file_for(file)) {
  if (!file_.empty() && file_ != file) {
    log(LogLevel::kInfo,
        fmt::format("TensorRT's timings are in {}; {} is for those of Hedge's own kernels",
                    file_.string(), file.string()));
  }
}

void PlanCache::attach(nvinfer1::IBuilderConfig& config) {
  if (file_.empty()) return;
  cache_ = read(config, file_);
  if (cache_ && config.setTimingCache(*cache_, false)) return;
  if (cache_) {
    log(LogLevel::kWarning,
        fmt::format("{}: was timed on another GPU or by another TensorRT ({}): begins anew",
                    file_.string(), logger().take_errors()));
  }
  cache_ = empty(config);
  require(config.setTimingCache(*cache_, false), "the timing cache is not taken");
}

void PlanCache::keep(nvinfer1::IBuilderConfig& config) const {
  if (file_.empty()) return;
  const nvinfer1::ITimingCache* timed = config.getTimingCache();
  const auto all = empty(config);
  if (timed == nullptr || !all->combine(*timed, true)) {
    log(LogLevel::kWarning, fmt::format("{}: not written: {}", file_.string(),
                                        failure("the builder gives no timings").what()));
    return;
  }
  // Another build may have ended first. What does not fit together is what this one leaves out.
  if (const auto others = read(config, file_)) (void)all->combine(*others, false);
  (void)logger().take_errors();
  const std::unique_ptr<nvinfer1::IHostMemory> bytes(all->serialize());
  if (!bytes) {
    log(LogLevel::kWarning, fmt::format("{}: not written: {}", file_.string(),
                                        failure("the timings cannot be had").what()));
    return;
  }
  try {
    write_file(file_, std::string_view(static_cast<const char*>(bytes->data()), bytes->size()));
  } catch (const Error& error) {
    log(LogLevel::kWarning, fmt::format("the timing cache is not kept: {}", error.what()));
  }
}

}  // namespace hedge::tensorrt
