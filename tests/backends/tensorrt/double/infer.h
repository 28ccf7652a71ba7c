// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "backends/cuda/emulation/control.h"
#include "tensorrt_stubs.h"

namespace hedge_double {

class HostMemoryDouble final : public nvinfer1::IHostMemory, public nvinfer1::apiv::HostMemoryStub {
 public:
  explicit HostMemoryDouble(std::vector<char> bytes) : bytes_(std::move(bytes)) { mImpl = this; }
  void* data() const noexcept override { return const_cast<char*>(bytes_.data()); }
  std::size_t size() const noexcept override { return bytes_.size(); }

 private:
  std::vector<char> bytes_;
  Alive alive_{"host memory"};
};

/// Of the GPU that runs, as CUDA's runtime says.
[[nodiscard]] std::string gpu_name();
/// HEDGE_DOUBLE_DLA_CORES; default 0, as on an Orin Nano.
[[nodiscard]] int dla_cores();

}  // namespace hedge_double
