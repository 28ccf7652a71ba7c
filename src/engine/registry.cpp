// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/module.h"
#include "base/text.h"
#include "engine/backend.h"

namespace hedge {
namespace {

const std::string kModulePrefix = "backend-";

/// Opens a backend's module once; modules stay open.
const Backend& load_backend(const std::string& name) {
  static std::mutex mutex;
  static std::map<std::string, const Backend*> loaded;
  const std::lock_guard lock(mutex);
  const Backend*& backend = loaded[name];
  if (backend == nullptr) {
    const auto module = Module::load(kModulePrefix + name);
    backend = module->function<const Backend*()>("hedge_backend")();
  }
  return *backend;
}

BackendStatus status_of(const std::string& name) {
  try {
    const Backend& backend = load_backend(name);
    return {name, &backend, backend.unavailable_reason().value_or("")};
  } catch (const Error& error) {
    return {name, nullptr, error.what()};
  }
}

}  // namespace

std::vector<BackendStatus> list_backends() {
  std::vector<BackendStatus> backends;
  for (const std::string& module : Module::present(kModulePrefix)) {
    backends.push_back(status_of(module.substr(kModulePrefix.size())));
  }
  const auto priority = [](const BackendStatus& status) {
    return status.backend != nullptr ? status.backend->priority() : -1000;
  };
  std::stable_sort(backends.begin(), backends.end(),
                   [&](const auto& a, const auto& b) { return priority(a) > priority(b); });
  return backends;
}

const Backend& require_backend(const std::string& name) {
  std::vector<std::string> names;
  for (const std::string& module : Module::present(kModulePrefix)) {
    names.push_back(module.substr(kModulePrefix.size()));
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw bad_input(fmt::format("backend '{}' is not installed; there are {}", name,
                                names.empty() ? "none" : join_words(names)));
  }
  const BackendStatus status = status_of(name);
  if (!status.unavailable_reason.empty()) {
    throw bad_input(
        fmt::format("backend '{}' cannot run here: {}", name, status.unavailable_reason));
  }
  return *status.backend;
}

void require_pixels(const Backend& backend) {
  if (backend.traits().takes_pixels) return;
  throw bad_input(fmt::format(
      "backend {} preprocesses on the CPU alone; leave --preprocess-on=gpu out", backend.name()));
}

const Backend& default_backend() {
  std::string reasons;
  for (const BackendStatus& status : list_backends()) {
    if (status.backend != nullptr && status.backend->priority() < 0) continue;
    if (status.unavailable_reason.empty()) return *status.backend;
    reasons += fmt::format("; {}: {}", status.name, status.unavailable_reason);
  }
  throw bad_input(fmt::format("no backend can run here{}", reasons));
}

}  // namespace hedge
