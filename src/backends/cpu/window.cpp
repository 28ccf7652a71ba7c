// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "backends/cpu/compiler.h"

namespace hedge::cpu {

Window window_of(const Node& node, const Dims& kernel, const Shape& in, const Shape& out) {
  Window window{.kernel = kernel,
                .strides = node.attributes.get_ints("strides", {1, 1}),
                .dilations = node.attributes.get_ints("dilations", {1, 1}),
                .pad_begin = {0, 0},
                .pad_end = {0, 0}};
  const auto mode = node.attributes.get_string("auto_pad", "NOTSET");
  const auto pads = node.attributes.get_ints("pads", {0, 0, 0, 0});
  const bool given = mode == "NOTSET" && node.attributes.get_int("ceil_mode", 0) == 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = (kernel[i] - 1) * window.dilations[i] + 1;
    const std::int64_t total = (out[i + 2] - 1) * window.strides[i] + reach - in[i + 2];
    window.dilations[i] -= 1;
    if (given) {
      window.pad_begin[i] = pads[i];
      window.pad_end[i] = pads[i + 2];
    } else {
      const std::int64_t all = std::max<std::int64_t>(total, 0);
      window.pad_begin[i] = mode == "NOTSET"       ? pads[i]
                            : mode == "SAME_LOWER" ? (all + 1) / 2
                            : mode == "SAME_UPPER" ? all / 2
                                                   : 0;
      window.pad_end[i] = std::max<std::int64_t>(total - window.pad_begin[i], 0);
    }
  }
  return window;
}

}  // namespace hedge::cpu
