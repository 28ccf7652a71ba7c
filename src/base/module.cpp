// SPDX-License-Identifier: Apache-2.0
#include "base/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>

#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::string_view kPrefix = "libhedge-";
constexpr std::string_view kSuffix = ".so";

std::string last_loader_error() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "unknown reason";
}

}  // namespace

const char* module_abi() noexcept {
  return HEDGE_MODULE_ABI;
}

std::vector<std::filesystem::path> module_folders() {
  if (const char* path = std::getenv("HEDGE_MODULE_PATH"); path != nullptr && *path != '\0') {
    std::vector<std::filesystem::path> folders;
    for (const auto& folder : split(path, ':')) folders.emplace_back(folder);
    return folders;
  }
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&module_abi), &info) == 0 ||
      info.dli_fname == nullptr) {
    return {};
  }
  std::error_code error;
  auto self = std::filesystem::canonical(info.dli_fname, error);
  if (error) self = info.dli_fname;
  return {self.parent_path(), self.parent_path() / "hedge"};
}

std::vector<std::string> Module::present(const std::string& prefix) {
  std::set<std::string> names;
  for (const auto& folder : module_folders()) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      std::string file = entry.path().filename().string();
      if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) continue;
      file = file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size());
      if (file.starts_with(prefix)) names.insert(file);
    }
  }
  return {names.begin(), names.end()};
}

std::shared_ptr<const Module> Module::load(const std::string& name) {
  const std::string file = fmt::format("{}{}{}", kPrefix, name, kSuffix);
  std::string searched;
  for (const auto& folder : module_folders()) {
    const auto path = folder / file;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      searched += fmt::format("{}{}", searched.empty() ? "" : ", ", folder.string());
      continue;
    }
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) throw runtime_failure(fmt::format("{}: {}", file, last_loader_error()));
    std::shared_ptr<const Module> module(new Module(file, handle));
    auto* abi = module->function<const char*()>("hedge_module_abi");
    if (std::string_view(abi()) != module_abi()) {
      throw runtime_failure(
          fmt::format("{}: is of another build ({}) than these programs ({}); build both again",
                      path.string(), abi(), module_abi()));
    }
    return module;
  }
  throw runtime_failure(fmt::format("{} is not installed (looked in {})", file, searched));
}

void* Module::find(const char* symbol) const {
  void* address = ::dlsym(handle_, symbol);
  if (address == nullptr) throw runtime_failure(fmt::format("{}: {}", name_, last_loader_error()));
  return address;
}

}  // namespace hedge
