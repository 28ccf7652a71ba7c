// SPDX-License-Identifier: Apache-2.0
// `hedge NAME ...` runs the program hedge-NAME beside it, as git does.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/named_values.h"

namespace {

namespace fs = std::filesystem;

std::vector<std::string> programs_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("hedge-") && access(entry.path().c_str(), X_OK) == 0 &&
        entry.is_regular_file(error)) {
      names.push_back(name.substr(6));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

void print_usage(const std::vector<std::string>& programs) {
  fmt::print(
      "Hedge: what a correct answer costs on an edge device, and when to ask a server\n\n"
      "Usage: hedge NAME [flags]; hedge NAME --help tells more\n\nPrograms:\n");
  for (const std::string& name : programs) fmt::print("  {}\n", name);
}

}  // namespace

int main(int argc, char** argv) {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  const std::vector<std::string> programs = programs_in(folder);
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--version") {
    fmt::print("Hedge " HEDGE_VERSION "\n");
    return 0;
  }
  if (name.empty() || name == "help" || name == "--help" || name == "-h") {
    print_usage(programs);
    return name.empty() ? 2 : 0;
  }
  // The original's names have underscores, ours have hyphens; both are understood.
  const auto plain = [](std::string text) {
    std::replace(text.begin(), text.end(), '-', '_');
    return text;
  };
  const auto found =
      std::find_if(programs.begin(), programs.end(),
                   [&](const std::string& program) { return plain(program) == plain(name); });
  if (found == programs.end()) {
    fmt::print(stderr, "hedge: error: no program '{}'{}; hedge --help lists them\n", name,
               hedge::did_you_mean(name, programs));
    return 2;
  }
  const std::string path = (folder / ("hedge-" + *found)).string();
  execv(path.c_str(), argv + 1);
  fmt::print(stderr, "hedge: error: {}: {}\n", path, std::strerror(errno));
  return 1;
}
