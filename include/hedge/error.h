// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace hedge {

/// Who can mend it: the caller (bad usage, bad file) or nobody from here (the machine, a bug).
enum class ErrorKind {
  kBadInput,  ///< Programs exit with status 2.
  kRuntime,   ///< Programs exit with status 1.
};

/// The only exception that Hedge throws on purpose. The message is one line that says what was
/// wrong, where (file, offset, node, flag) and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// `throw bad_input(fmt::format(...))`.
[[nodiscard]] inline Error bad_input(const std::string& message) {
  return {ErrorKind::kBadInput, message};
}

/// `throw runtime_failure(fmt::format(...))`.
[[nodiscard]] inline Error runtime_failure(const std::string& message) {
  return {ErrorKind::kRuntime, message};
}

}  // namespace hedge
