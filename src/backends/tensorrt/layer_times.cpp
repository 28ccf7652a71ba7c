// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/layer_times.h"

#include "base/text.h"

namespace hedge::tensorrt {

void LayerTimes::reportLayerTime(char const* name, float milliseconds) noexcept try {
  if (heard_ == names_.size()) {  // The first inference.
    names_.push_back(printable(name == nullptr ? "" : name));
    milliseconds_.push_back(0);
  }
  milliseconds_[heard_++] = milliseconds;
} catch (...) {  // TensorRT must not see it; the caller misses the layer.
}

}  // namespace hedge::tensorrt
