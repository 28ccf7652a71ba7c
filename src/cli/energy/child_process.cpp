// SPDX-License-Identifier: Apache-2.0
#include "cli/energy/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "energy/modes/power_mode_tool.h"
#include "hedge/error.h"

namespace hedge::cli {
namespace {

constexpr std::array<int, 4> kEndingSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/// Passes signals on until the child has ended; its status.
int attend(pid_t child, const sigset_t& signals) {
  while (true) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) return exit_status(status);
    siginfo_t info{};
    const int signal = ::sigwaitinfo(&signals, &info);
    // The terminal sends its signals to all that run on it, the child among them.
    if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL) ::kill(child, signal);
  }
}

}  // namespace

HeldSignals::HeldSignals() {
  ::sigemptyset(&held_);
  for (const int signal : kEndingSignals) ::sigaddset(&held_, signal);
  ::sigaddset(&held_, SIGCHLD);
  // Ignored by whoever started this program, children would vanish without a status.
  ::signal(SIGCHLD, SIG_DFL);
  ::sigprocmask(SIG_BLOCK, &held_, &before_);
}

HeldSignals::~HeldSignals() {
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

bool HeldSignals::ending() const {
  sigset_t pending{};
  ::sigpending(&pending);
  for (const int signal : kEndingSignals) {
    if (::sigismember(&pending, signal) == 1) return true;
  }
  return false;
}

int run_child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
              const HeldSignals& held) {
  std::array<int, 2> report{};  // Closed by exec; else it carries errno.
  if (::pipe2(report.data(), O_CLOEXEC) != 0)
    throw runtime_failure(
        fmt::format("cannot make a pipe: {}", std::generic_category().message(errno)));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::sigprocmask(SIG_SETMASK, &held.before_, nullptr);
    if (::getppid() == parent) replace_process(program, arguments);
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(report[1], &error, sizeof(error));
    ::_exit(127);
  }
  int error = child < 0 ? errno : 0;
  ::close(report[1]);
  if (child > 0 && ::read(report[0], &error, sizeof(error)) != sizeof(error)) error = 0;
  ::close(report[0]);
  const int status = child > 0 ? attend(child, held.held_) : 0;
  if (error != 0) {
    throw runtime_failure(fmt::format("{}: cannot be started: {}", program.string(),
                                      std::generic_category().message(error)));
  }
  return status;
}

}  // namespace hedge::cli
