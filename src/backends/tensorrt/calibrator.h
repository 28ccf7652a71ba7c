// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>

#include "backends/gpu/device.h"
#include "backends/tensorrt/compat.h"
#include "engine/backend.h"

namespace hedge::tensorrt {

/// Feeds TensorRT's entropy calibrator from our images. TensorRT reads its cache where that is of
/// its own version, and asks for images otherwise.
class Calibrator final : public EntropyCalibrator {
 public:
  /// `batch` and `elements` are those of the network's input.
  Calibrator(const NativeCalibration& images, std::int64_t batch, std::size_t elements);

  std::int32_t getBatchSize() const noexcept override { return batch_; }
  bool getBatch(void* bindings[], char const* names[], std::int32_t count) noexcept override;
  void const* readCalibrationCache(std::size_t& length) noexcept override;
  void writeCalibrationCache(void const* cache, std::size_t length) noexcept override;

  /// Throws what went wrong in one of these, which TensorRT must not see.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const NativeCalibration& images_;
  std::int32_t batch_;
  std::size_t elements_;
  gpu::Memory host_, device_;
  std::string cache_;  ///< As read: TensorRT keeps its address.
  std::exception_ptr failure_;
};

}  // namespace hedge::tensorrt
