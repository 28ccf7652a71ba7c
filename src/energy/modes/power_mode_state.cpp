// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/naming.h"
#include "base/system_files.h"
#include "hedge/error.h"

namespace hedge {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kSchema = "hedge.power-state/1";

std::string reason(int error) {
  return std::generic_category().message(error);
}

// ---------------------------------------------------------------------------------------- JSON

ordered_json to_json(const SavedSettings& saved) {
  ordered_json object = ordered_json::object();
  for (const SavedSettings::Cpu& cpu : saved.cpus) {
    ordered_json entry{{"cpu", cpu.cpu}};
    if (!cpu.governor.empty()) entry["governor"] = cpu.governor;
    if (cpu.min_khz) entry["min_khz"] = *cpu.min_khz;
    if (cpu.max_khz) entry["max_khz"] = *cpu.max_khz;
    object["cpus"].push_back(std::move(entry));
  }
  if (saved.turbo) object["turbo"] = *saved.turbo;
  if (saved.mode_id) object["mode_id"] = *saved.mode_id;
  const auto text = [&](const char* key, const std::string& value) {
    if (!value.empty()) object[key] = value;
  };
  text("mode_name", saved.mode_name);
  text("clocks_file", saved.clocks_file);
  text("locked_before_file", saved.locked_before_file);
  text("gpu", saved.gpu);
  return object;
}

template <class T>
std::optional<T> integer_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  return naming(key, [&] { return json_integer<T>(*found); });
}

std::string text_at(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (!found->is_string()) throw bad_input(fmt::format("{}: a text is needed", key));
  return found->get<std::string>();
}

SavedSettings::Cpu cpu_from_json(const json& object) {
  if (!object.is_object()) throw bad_input("cpus: objects are needed");
  SavedSettings::Cpu cpu;
  const auto number = integer_at<int>(object, "cpu");
  if (!number || *number < 0) throw bad_input("cpus: one without a number");
  cpu.cpu = *number;
  cpu.governor = text_at(object, "governor");
  cpu.min_khz = integer_at<std::int64_t>(object, "min_khz");
  cpu.max_khz = integer_at<std::int64_t>(object, "max_khz");
  return cpu;
}

SavedSettings saved_from_json(const json& object) {
  if (!object.is_object()) throw bad_input("settings: an object is needed");
  SavedSettings saved;
  if (const auto cpus = object.find("cpus"); cpus != object.end()) {
    if (!cpus->is_array()) throw bad_input("cpus: a list is needed");
    for (const json& cpu : *cpus) saved.cpus.push_back(cpu_from_json(cpu));
  }
  if (const auto turbo = object.find("turbo"); turbo != object.end()) {
    if (!turbo->is_boolean()) throw bad_input("turbo: true or false is needed");
    saved.turbo = turbo->get<bool>();
  }
  saved.mode_id = integer_at<int>(object, "mode_id");
  saved.mode_name = text_at(object, "mode_name");
  saved.clocks_file = text_at(object, "clocks_file");
  saved.locked_before_file = text_at(object, "locked_before_file");
  saved.gpu = text_at(object, "gpu");
  return saved;
}

// --------------------------------------------------------------------------------------- files

/// Whether files can be made in the folder, or the folder itself where it is missing.
bool usable(const fs::path& folder) {
  std::error_code error;
  const fs::path present = fs::exists(folder, error) ? folder : folder.parent_path();
  return ::access(present.c_str(), W_OK | X_OK) == 0;
}

fs::path default_path(const fs::path& root) {
  const fs::path system = root / "run/hedge";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe)
  const bool own = !usable(system) && runtime != nullptr && *runtime != '\0' &&
                   usable(fs::path(runtime) / "hedge");
  return (own ? fs::path(runtime) / "hedge" : system) / "power.json";
}

void synchronise_folder(const fs::path& folder) {
  const int file =
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

/// What the file says is done with this user's rights.
void require_own(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return;
  const bool foreign = status.st_uid != ::geteuid() && status.st_uid != 0;
  if (foreign || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    throw bad_input(
        fmt::format("{}: {}, so it is not trusted; look at it and remove it", path.string(),
                    foreign ? "belongs to another user" : "can be written by other users"));
  }
}

/// Whether the process that took the lock last is there; its number stands in the file.
bool owner_lives(const fs::path& lock_file) {
  const auto owner = read_system_integer(lock_file);
  return owner && *owner > 0 && std::in_range<pid_t>(*owner) &&
         (::kill(static_cast<pid_t>(*owner), 0) == 0 || errno == EPERM);
}

}  // namespace

std::string power_state_to_text(const PowerState& state) {
  ordered_json object{{"schema", kSchema}};
  if (state.set) object["set"] = to_json(*state.set);
  if (state.run) object["run"] = to_json(*state.run);
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

PowerState power_state_from_text(std::string_view text) {
  json object;
  try {
    object = json::parse(text);
  } catch (const json::exception& error) {
    throw bad_input(fmt::format("is no JSON: {}", json_reason(error)));
  }
  if (!object.is_object() || object.value("schema", json()) != kSchema)
    throw bad_input(fmt::format("is no power state (\"schema\": \"{}\")", kSchema));
  PowerState state;
  if (const auto set = object.find("set"); set != object.end()) state.set = saved_from_json(*set);
  if (const auto run = object.find("run"); run != object.end()) state.run = saved_from_json(*run);
  return state;
}

PowerStateFile::PowerStateFile(const fs::path& path, const fs::path& root)
    : path_(path.empty() ? default_path(root) : fs::absolute(path)) {}

PowerStateFile::~PowerStateFile() {
  if (lock_ >= 0) ::close(lock_);
}

fs::path PowerStateFile::beside(const std::string& suffix) const {
  fs::path file = path_;
  file += suffix;
  return file;
}

bool PowerStateFile::lock() {
  const fs::path file = beside(".lock");
  std::error_code ignored;
  fs::create_directory(file.parent_path(), ignored);
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (lock_ < 0) {
    throw bad_input(fmt::format("{}: {}; name a state file in a folder of yours with --state=FILE",
                                file.string(), reason(errno)));
  }
  constexpr int kTries = 200;
  for (int i = 0; i < kTries; ++i) {
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) {
      const std::string owner = std::to_string(::getpid());
      if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, owner.data(), owner.size(), 0) < 0) break;
      return true;
    }
    if (owner_lives(file)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ::close(std::exchange(lock_, -1));
  return false;
}

void PowerStateFile::share_lock(bool with_programs) const {
  if (lock_ >= 0) ::fcntl(lock_, F_SETFD, with_programs ? 0 : FD_CLOEXEC);
}

bool PowerStateFile::locked_by_other() const {
  if (lock_ >= 0) return false;
  const int file = ::open(beside(".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return false;
  const bool held = ::flock(file, LOCK_SH | LOCK_NB) != 0;
  ::close(file);
  return held && owner_lives(beside(".lock"));
}

PowerState PowerStateFile::read() const {
  std::error_code error;
  if (!fs::exists(path_, error)) return {};
  require_own(path_);
  return naming(path_.string(), [&] {
    try {
      return power_state_from_text(read_text_file(path_, 4U << 20U));
    } catch (const Error& broken) {
      throw bad_input(fmt::format(
          "{}; what was to be restored is lost: look at the settings and remove the file",
          broken.what()));
    }
  });
}

void PowerStateFile::write(const PowerState& state) const {
  if (state.empty()) {
    std::error_code error;
    fs::remove(path_, error);
    if (error)
      throw runtime_failure(
          fmt::format("{}: cannot be removed: {}", path_.string(), error.message()));
  } else {
    const mode_t mask = ::umask(022);  // Whatever the user's mask is, it must be trusted later.
    try {
      write_file(path_, power_state_to_text(state));
    } catch (...) {
      ::umask(mask);
      throw;
    }
    ::umask(mask);
  }
  synchronise_folder(path_.parent_path());
}

}  // namespace hedge
