// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/calibrator.h"

#include <fmt/format.h>

#include "base/cancellation.h"
#include "base/file.h"
#include "hedge/error.h"

namespace hedge::tensorrt {

Calibrator::Calibrator(const NativeCalibration& images, std::int64_t batch, std::size_t elements)
    : images_(images), batch_(static_cast<std::int32_t>(batch)), elements_(elements) {}

bool Calibrator::getBatch(void* bindings[], char const* /*names*/[], std::int32_t count) noexcept
    try {
  if (cancellation_requested()) throw runtime_failure("cancelled while calibrating");
  if (count != 1) throw runtime_failure(fmt::format("TensorRT calibrates {} inputs", count));
  const std::size_t bytes = elements_ * sizeof(float);
  if (!device_) {
    host_ = gpu::pinned_memory(bytes);
    device_ = gpu::device_memory(bytes);
  }
  if (!images_.next({reinterpret_cast<float*>(host_.get()), elements_})) return false;
  gpu::check(cudaMemcpy(device_.get(), host_.get(), bytes, cudaMemcpyHostToDevice),
             "copying calibration images");
  bindings[0] = device_.get();
  return true;
} catch (...) {
  failure_ = std::current_exception();
  return false;
}

void const* Calibrator::readCalibrationCache(std::size_t& length) noexcept try {
  length = 0;
  std::error_code error;
  if (!std::filesystem::exists(images_.cache, error)) return nullptr;
  cache_ = read_text_file(images_.cache);
  length = cache_.size();
  return cache_.data();
} catch (...) {
  failure_ = std::current_exception();
  return nullptr;
}

void Calibrator::writeCalibrationCache(void const* cache, std::size_t length) noexcept try {
  if (failure_ || images_.cache.empty()) return;  // Of half the images none is kept.
  write_file(images_.cache, {static_cast<const char*>(cache), length});
} catch (...) {
  failure_ = std::current_exception();
}

}  // namespace hedge::tensorrt
