// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "cli/program/flags.h"

namespace CLI {
class App;
}

namespace hedge::cli {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;   ///< At run time.
inline constexpr int kExitBadInput = 2;  ///< Bad usage or a bad file.
inline constexpr int kExitInvalid = 3;   ///< Measured, but --strict and the verdict is INVALID.
inline constexpr int kExitCancelled = 130;

/// What all programs share: --help, --version, --quiet, --verbose, warnings on stderr, Ctrl-C, and
/// the way from an error to an exit status. Notes and warnings wait until something is printed or
/// measured, so that flags and files that are refused before give one line, the error.
class Program {
 public:
  /// `examples` follow the flags in --help.
  Program(const std::string& name, const std::string& description, const std::string& examples);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] CLI::App& app() { return *app_; }
  [[nodiscard]] const CLI::App& app() const { return *app_; }
  /// Adds --json=FILE; `schema` is the name of what is written.
  void add_json_flag(const std::string& schema);

  /// Reads the flags, then runs `body`; returns the exit status. --json is an output by itself.
  int run(int argc, char** argv, const std::function<int()>& body);

  /// For `body`, before it reads anything, with all files that it writes: throws bad_input where
  /// one of them, or --json, is named by another flag or among the `further` files that are read,
  /// or cannot be written. From then on reading one that is not `kept` throws.
  void check_files(OutputFiles outputs, const std::vector<NamedFile>& further = {}) const;

  /// For people: to stdout, or to stderr where stdout is taken by --json=-.
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) const {
    print_text(fmt::format(format, std::forward<Args>(args)...));
  }
  void print_text(std::string_view text) const;
  /// Lets the notes and warnings out that waited, and all later ones at once.
  void show_notes() const;
  /// Empty where --json was not given.
  [[nodiscard]] const std::string& json_file() const { return json_; }
  /// Writes `text` to the file of --json; nothing without it.
  void write_json_text(std::string_view text) const;
  /// Likewise, with program, time and version behind its "schema".
  void write_json(const nlohmann::ordered_json& json) const;
  [[nodiscard]] bool quiet() const { return quiet_; }
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  int parse(int argc, char** argv);
  void take_note(LogLevel level, std::string_view message) const;

  std::string name_;
  std::unique_ptr<CLI::App> app_;
  std::string json_;
  bool quiet_ = false;
  bool verbose_ = false;
  // Threads that decode log as well.
  mutable std::mutex notes_mutex_;
  mutable std::string notes_;
  mutable bool notes_wait_ = false;
};

/// Parses `arguments` into `app`. Throws bad_input in one line; an unknown flag is answered with
/// the nearest known one. `where`, unless empty, is what the message begins with.
void parse_arguments(CLI::App& app, std::vector<std::string> arguments, const std::string& where);

/// Adds flags that take a text, of one group of --help: add("--seed", seed, "Of the draw", "N").
class TextFlags {
 public:
  /// No group: among the other options.
  explicit TextFlags(CLI::App& app, std::string group = {}) : app_(app), group_(std::move(group)) {}
  void operator()(const char* name, std::string& value, const char* text, const char* type) const;

 private:
  CLI::App& app_;
  std::string group_;
};

/// Warns of the flags given whose names begin with `prefix`: they have no effect but "for `needs`".
/// A script may pass the same flags in every case, so they are no error.
void warn_of_idle_flags(const CLI::App& app, const std::string& prefix, const std::string& needs);

/// One line on stderr, drawn over and over; nothing where stderr is no terminal or with --quiet.
/// One thread at a time.
class LiveLine {
 public:
  explicit LiveLine(const Program& program);
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;
  ~LiveLine();  ///< Wipes it.

  [[nodiscard]] bool visible() const noexcept { return visible_; }
  void show(const std::string& text);

 private:
  bool visible_;
  bool shown_ = false;
};

/// A live line that grows.
class ProgressBar {
 public:
  ProgressBar(const Program& program, std::string label, std::int64_t total);
  /// Cheap unless the display has to change; draws at most ten times a second.
  void update(std::int64_t done) {
    if (line_.visible() && done >= next_) draw(done);
  }

 private:
  void draw(std::int64_t done);

  LiveLine line_;
  std::string label_;
  std::int64_t total_;
  std::int64_t next_ = 0;
  std::int64_t drawn_ns_ = 0;
  std::int64_t begin_ns_;
};

}  // namespace hedge::cli
