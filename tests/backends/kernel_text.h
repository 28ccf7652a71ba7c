// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "backends/cpu/dnnl_compat.h"

namespace hedge::test {

/// Whether what a step's kernel text ("Conv jit:avx2 + relu") names is there for speed.
inline bool is_fast(const std::string& kernel) {
  const std::size_t begin = kernel.find(' ') + 1;
  const auto found =
      cpu::implementation_class(kernel.substr(begin, kernel.find(' ', begin) - begin));
  if (found == cpu::ImplementationClass::kSimple) return kernel.starts_with("Concat ");
  return found != cpu::ImplementationClass::kReference;
}

}  // namespace hedge::test
