// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "backends/tensorrt/compat.h"

namespace hedge::tensorrt {

/// TensorRT's timing cache as a file, as trtexec's --timingCacheFile has it.
class BuilderCache {
 public:
  /// `file` is what --timing_cache says: taken where it holds TensorRT's cache. Otherwise ours is
  /// FILE.tensorrt beside it, because the name is also that of what Hedge's own tuners find
  /// (engine/timing_cache.h). Empty: none is read or kept.
  explicit BuilderCache(const std::filesystem::path& file);

  /// Gives the builder what was timed before. Warns where that is of another GPU, and begins anew
  /// then. Throws bad_input where TensorRT does not know the file as a timing cache: nothing says
  /// that it may be replaced.
  void attach(nvinfer1::IBuilderConfig& config);
  /// Writes what the builder has now together with what other builds have written meanwhile; aside,
  /// then renamed. Warns where it cannot be written.
  void keep(nvinfer1::IBuilderConfig& config) const;

 private:
  std::filesystem::path file_;
  std::unique_ptr<nvinfer1::ITimingCache> cache_;
};

}  // namespace hedge::tensorrt
