// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace hedge {

/// Modules and programs must come from the same build; each module exports
/// `extern "C" const char* hedge_module_abi()` that returns HEDGE_MODULE_ABI. A literal, compiled
/// into each: a function of libhedge would be compared with itself.
#define HEDGE_MODULE_ABI HEDGE_VERSION " " HEDGE_BUILD_TYPE " " __VERSION__

/// That of libhedge.
[[nodiscard]] const char* module_abi() noexcept;

/// A shared library of Hedge's own that is opened when first needed (a backend, the ONNX importer),
/// so that its vendor's libraries cost nothing where it is not used.
class Module {
 public:
  /// Opens `libhedge-<name>.so`. Throws runtime_failure with the loader's own reason.
  static std::shared_ptr<const Module> load(const std::string& name);
  /// Names of the modules present, sorted, that begin with `prefix` ("backend-").
  static std::vector<std::string> present(const std::string& prefix);

  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module() = default;  // never closed: vendors' libraries do not survive dlclose

  /// Throws runtime_failure when the symbol is missing.
  template <class Function>
  [[nodiscard]] Function* function(const char* symbol) const {
    return reinterpret_cast<Function*>(find(symbol));
  }

 private:
  Module(std::string name, void* handle) : name_(std::move(name)), handle_(handle) {}
  [[nodiscard]] void* find(const char* symbol) const;

  std::string name_;
  void* handle_;
};

/// Folders that are searched, first hit wins: $HEDGE_MODULE_PATH, else the folder of libhedge
/// itself, else its sub-folder `hedge/`.
[[nodiscard]] std::vector<std::filesystem::path> module_folders();

}  // namespace hedge
