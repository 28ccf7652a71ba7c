// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace hedge {

/// The program of that name in the folders of $PATH, or the file where `name` holds a slash.
/// Nothing where there is none that may be executed.
[[nodiscard]] std::optional<std::filesystem::path> find_program(const std::string& name);

struct ToolAnswer {
  int status = 0;      ///< Exit status; 128 + N after signal N.
  std::string output;  ///< Standard output and error together, at most 256 KiB.
  /// The last line of output that is not empty, for messages.
  [[nodiscard]] std::string last_line() const;
};

/// Runs a vendor's program to its end. It reads "no" where it asks something (nvpmodel: whether to
/// reboot) and inherits the signal mask but for SIGCHLD. Throws runtime_failure where it cannot be
/// started and where it has not ended after `limit` (it is killed then).
[[nodiscard]] ToolAnswer run_tool(const std::filesystem::path& program,
                                  const std::vector<std::string>& arguments,
                                  std::chrono::seconds limit = std::chrono::seconds(60));

/// Starts `program` as the last act of a child process made by fork(); returns only where that
/// fails, with errno set. `arguments` is without the program's name.
void replace_process(const std::filesystem::path& program,
                     const std::vector<std::string>& arguments);

/// Exit status of what waitpid() tells, 128 + N after signal N.
[[nodiscard]] int exit_status(int wait_status);

}  // namespace hedge
