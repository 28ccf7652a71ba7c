// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>

/// What must hold of anything that a parser accepts; libFuzzer keeps the input that ends in abort.
inline void require(bool condition) {
  if (!condition) std::abort();
}
