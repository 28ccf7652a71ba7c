// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "hedge/error.h"

namespace hedge {

/// What `function` returns; an error that it throws gets `name` (of the file that it reads) in
/// front, once.
template <class Function>
auto naming(const std::string& name, Function function) {
  try {
    return function();
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    throw Error(error.kind(), fmt::format("{}: {}", name, error.what()));
  }
}

}  // namespace hedge
