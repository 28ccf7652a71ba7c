// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_tool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostOutput = 256U << 10U;

bool is_executable(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
      throw runtime_failure(fmt::format("cannot make a pipe: {}", reason(errno)));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_read();
    close_write();
  }
  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  void close_read() { close(ends_[0]); }
  void close_write() { close(ends_[1]); }

 private:
  static void close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

/// Appends what is there; false at the end of the file.
bool drain(int file, std::string& output) {
  std::array<char, 4096> block{};
  while (true) {
    const ssize_t bytes = ::read(file, block.data(), block.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return errno == EAGAIN;
    if (bytes == 0) return false;
    if (output.size() < kMostOutput) output.append(block.data(), static_cast<std::size_t>(bytes));
  }
}

/// Reads until the process has ended; a daemon that it leaves behind may hold the pipe for longer.
int collect(pid_t process, int file, std::string& output, Clock::time_point deadline) {
  int status = 0;
  bool open = true;
  while (true) {
    if (open) {
      pollfd ready{file, POLLIN, 0};
      ::poll(&ready, 1, 20);
      open = drain(file, output);
    }
    // With its output closed it is about to end.
    const pid_t ended = ::waitpid(process, &status, WNOHANG);
    if (ended == process) break;
    if (Clock::now() > deadline) {
      ::kill(process, SIGKILL);
      ::waitpid(process, &status, 0);
      return -1;
    }
    if (!open) ::usleep(1000);
  }
  if (open) drain(file, output);
  return exit_status(status);
}

}  // namespace

std::optional<fs::path> find_program(const std::string& name) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string::npos)
    return is_executable(name) ? std::optional<fs::path>(name) : std::nullopt;
  const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  for (const std::string& folder : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    // An empty folder means the current one; whoever wants that names it.
    if (!folder.empty() && is_executable(fs::path(folder) / name)) return fs::path(folder) / name;
  }
  return std::nullopt;
}

std::string ToolAnswer::last_line() const {
  std::string last;
  for (const std::string& line : split(output, '\n')) {
    if (!trim(line).empty()) last = printable(trim(line));
  }
  return last;
}

int exit_status(int wait_status) {
  if (WIFEXITED(wait_status)) return WEXITSTATUS(wait_status);
  return 128 + (WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0);
}

void replace_process(const fs::path& program, const std::vector<std::string>& arguments) {
  std::vector<char*> pointers{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
}

ToolAnswer run_tool(const fs::path& program, const std::vector<std::string>& arguments,
                    std::chrono::seconds limit) {
  Pipe input;
  Pipe output;
  constexpr std::string_view kAnswer = "no\n";
  if (::write(input.write_end(), kAnswer.data(), kAnswer.size()) < 0)
    throw runtime_failure(fmt::format("cannot write to a pipe: {}", reason(errno)));
  ::fcntl(output.read_end(), F_SETFL, O_NONBLOCK);
  const pid_t process = ::fork();
  if (process < 0)
    throw runtime_failure(
        fmt::format("{}: cannot be started: {}", program.string(), reason(errno)));
  if (process == 0) {
    ::dup2(input.read_end(), STDIN_FILENO);
    ::dup2(output.write_end(), STDOUT_FILENO);
    ::dup2(output.write_end(), STDERR_FILENO);
    sigset_t children{};  // A script waits for its own.
    ::sigemptyset(&children);
    ::sigaddset(&children, SIGCHLD);
    ::sigprocmask(SIG_UNBLOCK, &children, nullptr);
    replace_process(program, arguments);
    ::_exit(127);
  }
  input.close_write();
  output.close_write();
  ToolAnswer answer;
  answer.status = collect(process, output.read_end(), answer.output, Clock::now() + limit);
  if (answer.status < 0)
    throw runtime_failure(fmt::format("{}: has not ended after {} s and was killed",
                                      program.string(), limit.count()));
  return answer;
}

}  // namespace hedge
