// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/builder_cache.h"

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

/// Of a file whose name is ours, what is in it is TensorRT's, of whatever version.
constexpr const char* kOwnExtension = ".tensorrt";

fs::path file_for(const fs::path& stated) {
  if (stated.empty()) return {};
  const auto present = open_existing(stated);
  if (present && !present->bytes().empty() && !is_hedges_own(present->bytes())) return stated;
  fs::path own = stated;
  own += kOwnExtension;
  return own;
}

/// Nothing where there is no file or an empty one. On what TensorRT refuses, throws bad_input, or
/// warns where the name is ours.
std::unique_ptr<nvinfer1::ITimingCache> read(const nvinfer1::IBuilderConfig& config,
                                             const fs::path& file) {
  const auto present = open_existing(file);
  if (!present || present->bytes().empty()) return nullptr;
  if (auto* cache = config.createTimingCache(present->bytes().data(), present->bytes().size())) {
    return std::unique_ptr<nvinfer1::ITimingCache>(cache);
  }
  if (file.extension() == kOwnExtension) {
    log(LogLevel::kWarning, fmt::format("{}: is no timing cache of this TensorRT ({}): begins anew",
                                        file.string(), logger().take_errors()));
    return nullptr;
  }
  throw refusal(fmt::format("{} is no timing cache of this version", file.string()),
                "delete it or name another with --timing_cache");
}

std::unique_ptr<nvinfer1::ITimingCache> empty(const nvinfer1::IBuilderConfig& config) {
  return std::unique_ptr<nvinfer1::ITimingCache>(
      required(config.createTimingCache(nullptr, 0), "no timing cache can be had"));
}

void write(const nvinfer1::IBuilderConfig& config, const fs::path& file) {
  const auto& timed = *required(config.getTimingCache(), "the builder gives no timings");
  const auto all = empty(config);
  require(all->combine(timed, true), "the builder's timings cannot be copied");
  // Another build may have ended first. What does not fit together is what this one leaves out.
  if (const auto others = read(config, file)) (void)all->combine(*others, false);
  const std::unique_ptr<nvinfer1::IHostMemory> bytes(
      required(all->serialize(), "the timings cannot be had"));
  write_file(file, std::string_view(static_cast<const char*>(bytes->data()), bytes->size()));
}

}  // namespace

BuilderCache::BuilderCache(const fs::path& file) : file_(file_for(file)) {
  if (!file_.empty() && file_ != file) {
    log(LogLevel::kInfo,
        fmt::format("TensorRT's timings are in {}; {} is for those of Hedge's own kernels",
                    file_.string(), file.string()));
  }
}

void BuilderCache::attach(nvinfer1::IBuilderConfig& config) {
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

void BuilderCache::keep(nvinfer1::IBuilderConfig& config) const {
  if (file_.empty()) return;
  try {
    write(config, file_);
  } catch (const Error& error) {
    log(LogLevel::kWarning, fmt::format("the timing cache is not kept: {}", error.what()));
  }
}

}  // namespace hedge::tensorrt
