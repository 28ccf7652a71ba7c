// SPDX-License-Identifier: Apache-2.0
#include "measure/latency.h"

namespace hedge {

void merge_pairs(std::vector<LoopTiming>& stretches) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < stretches.size(); i += 2) {
    LoopTiming merged = stretches[i];
    if (i + 1 < stretches.size()) {
      merged.iterations += stretches[i + 1].iterations;
      merged.total_ns += stretches[i + 1].total_ns;
    }
    stretches[kept++] = merged;
  }
  stretches.resize(kept);
}

}  // namespace hedge
