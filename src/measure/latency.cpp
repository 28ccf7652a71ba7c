// SPDX-License-Identifier: Apache-2.0
#include "measure/latency.h"

namespace hedge {

std::int64_t warm_up(ExecutionContext& context, std::int64_t runs) {
  std::int64_t done = 0;
  for (; done < runs && !cancellation_requested(); ++done) context.infer();
  return done;
}

}  // namespace hedge
