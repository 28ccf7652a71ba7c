// SPDX-License-Identifier: Apache-2.0
#include "cli/program/program.h"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <vector>

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/named_values.h"
#include "base/text.h"
#include "hedge/error.h"
#include "result/result.h"

namespace hedge::cli {
namespace {

/// The first Ctrl-C asks for an end, the second one has its usual effect.
void cancel_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { request_cancellation(); };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// What a foreign file or a file's name has put into a message does not reach the terminal raw.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return printable(text, std::string::npos);
}

}  // namespace

void TextFlags::operator()(const char* name, std::string& value, const char* text,
                           const char* type) const {
  CLI::Option* const option = app_.add_option(name, value, text)->type_name(type);
  if (!group_.empty()) option->group(group_);
}

void warn_of_idle_flags(const CLI::App& app, const std::string& prefix, const std::string& needs) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0 && option->get_name().starts_with(prefix)) {
      names.push_back(option->get_name());
    }
  }
  if (names.empty()) return;
  log(LogLevel::kWarning, fmt::format("{} without effect: for {}", join_words(names), needs));
}

void parse_arguments(CLI::App& app, std::vector<std::string> arguments, const std::string& where) {
  const std::string at = where.empty() ? "" : where + ": ";
  // CLI11 would take the next argument for the value of `--flag=`.
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool empty_value = argument.starts_with("--") && argument.ends_with('=');
    if (!empty_value && !argument.empty()) continue;
    throw bad_input(fmt::format("{}{}: the value is empty; state one or leave the flag out", at,
                                empty_value ? argument.substr(0, argument.size() - 1)
                                : i > 0     ? arguments[i - 1]
                                            : "the first argument"));
  }
  app.allow_extras();
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back.
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    throw;
  } catch (const CLI::CallForVersion&) {
    throw;
  } catch (const CLI::ParseError& error) {
    throw bad_input(fmt::format("{}{} (--help lists the flags)", at, one_line(error.what())));
  }
  const std::vector<std::string> extras = app.remaining();
  if (extras.empty()) return;
  const std::string flag = extras.front().substr(0, extras.front().find('='));
  if (!flag.starts_with('-')) {
    throw bad_input(fmt::format("{}what is '{}'? (--help lists what can be given)", at, flag));
  }
  throw bad_input(fmt::format("{}unknown flag {}{}; --help lists them", at, flag,
                              did_you_mean(flag, long_names(app))));
}

Program::Program(const std::string& name, const std::string& description,
                 const std::string& examples)
    : name_(name), app_(std::make_unique<CLI::App>(description, name)) {
  app_->footer("\n" + examples);
  app_->set_help_flag("-h,--help", "Print this text");
  app_->set_version_flag("--version", "Hedge " HEDGE_VERSION);
  app_->add_flag("--quiet", quiet_, "No notes, warnings or progress");
  app_->add_flag("-v,--verbose", verbose_, "Say what is done in detail");
  app_->get_formatter()->column_width(34);
}

Program::~Program() = default;

void Program::add_json_flag(const std::string& schema) {
  app_->add_option("--json", json_,
                   fmt::format("Write the result ({}) to FILE; - is stdout", schema))
      ->type_name("FILE");
}

int Program::parse(int argc, char** argv) {
  try {
    parse_arguments(*app_, std::vector<std::string>(argv + 1, argv + argc), "");
  } catch (const CLI::ParseError& help) {  // --help or --version
    app_->exit(help);
    return kExitSuccess;
  }
  return -1;
}

int Program::run(int argc, char** argv, const std::function<int()>& body) {
  try {
    if (const int status = parse(argc, argv); status >= 0) return status;
    set_log_sink([this](LogLevel level, std::string_view message) { take_note(level, message); });
    notes_wait_ = !verbose_;
    cancel_on_signals();
    check_files({});
    const int status = body();
    show_notes();
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw runtime_failure("stdout: cannot be written (disk full?)");
    return status;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kBadInput) show_notes();
    fmt::print(stderr, "{}: error: {}\n", name_, one_line(error.what()));
    if (cancellation_requested())
      return kExitCancelled;  // It failed for lack of anything measured.
    return error.kind() == ErrorKind::kBadInput ? kExitBadInput : kExitFailure;
  } catch (const std::bad_alloc&) {
    show_notes();
    fmt::print(stderr, "{}: error: out of memory\n", name_);
  } catch (const std::exception& error) {
    show_notes();
    fmt::print(stderr, "{}: error: {}\n", name_, one_line(error.what()));
  }
  return kExitFailure;
}

void Program::check_files(OutputFiles outputs, const std::vector<NamedFile>& further) const {
  outputs.written.push_back({"--json", json_});
  std::vector<NamedFile> stated = stated_files(*app_);
  stated.insert(stated.end(), further.begin(), further.end());
  require_distinct(outputs, stated);
  std::erase_if(outputs.written,
                [](const NamedFile& file) { return file.path.empty() || file.path == "-"; });
  for (const NamedFile& file : outputs.written) require_writable(file.path);
  refuse_to_read(std::move(outputs.written));
}

void Program::take_note(LogLevel level, std::string_view message) const {
  if (quiet_ || (level == LogLevel::kDebug && !verbose_)) return;
  const auto line = fmt::format("{}{}\n", level == LogLevel::kWarning ? "warning: " : "",
                                one_line(std::string(message)));
  const std::lock_guard lock(notes_mutex_);
  if (notes_wait_) {
    notes_ += line;
  } else {
    fmt::print(stderr, "{}", line);
  }
}

void Program::show_notes() const {
  const std::lock_guard lock(notes_mutex_);
  fmt::print(stderr, "{}", notes_);
  notes_.clear();
  notes_wait_ = false;
}

void Program::print_text(std::string_view text) const {
  show_notes();
  std::FILE* stream = json_ == "-" ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), stream);
}

void Program::write_json_text(std::string_view text) const {
  if (json_.empty()) return;
  if (json_ == "-") {
    std::fwrite(text.data(), 1, text.size(), stdout);
  } else {
    write_file(json_, text);
  }
}

void Program::write_json(const nlohmann::ordered_json& json) const {
  // The schema first, then what made it.
  nlohmann::ordered_json stamped;
  if (const auto schema = json.find("schema"); schema != json.end()) {
    const Result stamp = make_result(name());
    stamped = {{"schema", *schema},
               {"program", stamp.program},
               {"time_utc", stamp.time_utc},
               {"hedge_version", stamp.hedge_version}};
  }
  stamped.update(json);
  // Names of foreign files may hold what is no UTF-8.
  write_json_text(stamped.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
                  "\n");
}

LiveLine::LiveLine(const Program& program)
    : visible_(!program.quiet() && isatty(STDERR_FILENO) == 1) {}

LiveLine::~LiveLine() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void LiveLine::show(const std::string& text) {
  if (!visible_) return;
  shown_ = true;
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
}

ProgressBar::ProgressBar(const Program& program, std::string label, std::int64_t total)
    : line_(program),
      label_(std::move(label)),
      total_(std::max<std::int64_t>(total, 1)),
      begin_ns_(SteadyClock::now_ns()) {
  program.show_notes();
}

void ProgressBar::draw(std::int64_t done) {
  constexpr std::int64_t kEvery_ns = 100'000'000;
  constexpr int kWidth = 30;
  const std::int64_t now = SteadyClock::now_ns();
  next_ = done + std::max<std::int64_t>(1, total_ / 1000);
  if (now - std::max(drawn_ns_, begin_ns_) < kEvery_ns) return;
  drawn_ns_ = now;
  const auto filled = static_cast<int>(done * kWidth / total_);
  const double left = static_cast<double>(now - begin_ns_) * 1e-9 *
                      static_cast<double>(total_ - done) /
                      static_cast<double>(std::max<std::int64_t>(done, 1));
  line_.show(fmt::format("{} [{}{}] {} of {}, {:.0f} s left", label_, std::string(filled, '='),
                         std::string(kWidth - filled, ' '), done, total_, left));
}

}  // namespace hedge::cli
