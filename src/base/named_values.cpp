// SPDX-License-Identifier: Apache-2.0
#include "base/named_values.h"

#include <fmt/format.h>

#include "base/text.h"

namespace hedge {

std::string did_you_mean(std::string_view word, std::span<const std::string> names) {
  const std::string near = nearest(word, names);
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", near);
}

Error no_such_name(std::string_view what, std::string_view word,
                   std::span<const std::string> names) {
  return bad_input(fmt::format("no {} '{}'{}; there are {}", what, printable(word, 40),
                               did_you_mean(word, names), join_words(names)));
}

}  // namespace hedge
