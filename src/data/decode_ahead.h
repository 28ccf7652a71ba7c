// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "hedge/dataset.h"

namespace hedge {

struct DecodeAheadOptions {
  int threads = 1;
  /// Images beyond this number are not decoded before they are asked for.
  std::size_t images = 0;
  /// Of pixels held at a time, about; at least two images are.
  std::size_t memory_bytes = std::size_t{64} << 20U;
  /// False: threads decode only while image() waits, a whole window of images at a time, and are
  /// idle between two of its calls, so that what runs there can be timed undisturbed. True: they
  /// keep decoding, in a window that moves on with image().
  bool overlap = false;
};

/// `dataset`, its images decoded in threads before image() is asked for them one after the other;
/// other orders work and cost time. An image that cannot be read throws from the call that asks for
/// it. A cancellation (base/cancellation.h) ends a wait for a window early: what was asked for
/// comes, the rest of the window is left. The dataset itself where it has nothing to decode.
[[nodiscard]] std::unique_ptr<Dataset> decode_ahead(std::unique_ptr<Dataset> dataset,
                                                    const DecodeAheadOptions& options);

}  // namespace hedge
