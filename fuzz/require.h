// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string_view>

#include "hedge/error.h"

/// What must hold of anything that a parser accepts; libFuzzer keeps the input that ends in abort.
inline void require(bool condition) {
  if (!condition) std::abort();
}

/// A parser may refuse its input: as bad input, in one line, whatever that holds.
template <class Function>
void accept_bad_input(const Function& function) {
  try {
    function();
  } catch (const hedge::Error& error) {
    require(error.kind() == hedge::ErrorKind::kBadInput);
    require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}
