// SPDX-License-Identifier: Apache-2.0
#include "backends/tensorrt/libraries.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>

namespace hedge::tensorrt {
namespace {

/// Major versions that there are, so that the wrong one is named.
constexpr std::array kMajors{11, 10, 9, 8};

std::string file_name(std::string_view library, int major) {
  return fmt::format("lib{}.so.{}", library, major);
}

void* open(std::string_view library, int major) {
  return dlopen(file_name(library, major).c_str(), RTLD_NOW | RTLD_LOCAL);
}

template <class Function>
Function* find(void* library, const char* symbol) {
  return reinterpret_cast<Function*>(dlsym(library, symbol));
}

std::string loader_reason() {
  const char* reason = dlerror();
  return reason == nullptr ? "" : reason;
}

/// Another version than the one that the module is built for.
std::string other_version() {
  for (const int major : kMajors) {
    if (major == kHeaderMajor) continue;
    void* library = open("nvinfer", major);
    if (library == nullptr) continue;
    auto* version = find<decltype(getInferLibVersion)>(library, "getInferLibVersion");
    const std::string found = version == nullptr ? std::to_string(major) : version_text(version());
    dlclose(library);
    return found;
  }
  return {};
}

std::string reason_without_library() {
  const std::string reason = loader_reason();
  const std::string other = other_version();
  if (!other.empty()) {
    return fmt::format(
        "TensorRT {} is here, this module is built for {}: build Hedge with the headers of {} "
        "(TensorRT_ROOT), or install {}",
        other, version_text(kHeaderVersion), other, file_name("nvinfer", kHeaderMajor));
  }
  return fmt::format(
      "TensorRT {} is not here ({}); install it, or name its folder in LD_LIBRARY_PATH",
      kHeaderMajor, reason);
}

/// TensorRT's functions take interfaces as void*.
void* logger_address() {
  return static_cast<nvinfer1::ILogger*>(&logger());
}

/// A function of the library that it must have.
template <class Function>
Function* required_function(void* library, const char* symbol) {
  auto* function = find<Function>(library, symbol);
  if (function == nullptr) {
    throw runtime_failure(
        fmt::format("TensorRT's library has no {}: it is broken, install it again", symbol));
  }
  return function;
}

}  // namespace

Libraries::Libraries() {
  infer_ = open("nvinfer", kHeaderMajor);
  if (infer_ == nullptr) {
    unavailable_reason_ = reason_without_library();
    return;
  }
  auto* version = find<decltype(getInferLibVersion)>(infer_, "getInferLibVersion");
  if (version == nullptr) {
    unavailable_reason_ = fmt::format("{} does not tell its version: install TensorRT again",
                                      file_name("nvinfer", kHeaderMajor));
    return;
  }
  version_ = version();
  // Later ones of the same major version only add to the end of their interfaces.
  if (major_of(version_) != kHeaderMajor || release_of(version_) < release_of(kHeaderVersion)) {
    unavailable_reason_ = fmt::format(
        "TensorRT {} is here, this module is built for {}: build Hedge with the headers of {} "
        "(TensorRT_ROOT), or install {}",
        version_text(version_), version_text(kHeaderVersion), version_text(version_),
        version_text(kHeaderVersion));
  }
}

const Libraries& Libraries::opened() {
  static const Libraries libraries;
  return libraries;
}

std::optional<std::string> Libraries::unavailable_reason() {
  if (opened().unavailable_reason_.empty()) return std::nullopt;
  return opened().unavailable_reason_;
}

const Libraries& Libraries::get() {
  if (const auto reason = unavailable_reason()) throw bad_input(*reason);
  return opened();
}

std::unique_ptr<nvinfer1::IRuntime> Libraries::runtime() const {
  auto* create = required_function<decltype(createInferRuntime_INTERNAL)>(
      infer_, "createInferRuntime_INTERNAL");
  auto* made = static_cast<nvinfer1::IRuntime*>(create(logger_address(), kHeaderVersion));
  return std::unique_ptr<nvinfer1::IRuntime>(required(made, "no runtime can be had"));
}

std::unique_ptr<nvinfer1::IBuilder> Libraries::builder() const {
  auto* create = required_function<decltype(createInferBuilder_INTERNAL)>(
      infer_, "createInferBuilder_INTERNAL");
  auto* made = static_cast<nvinfer1::IBuilder*>(create(logger_address(), kHeaderVersion));
  return std::unique_ptr<nvinfer1::IBuilder>(required(made, "no builder can be had"));
}

std::unique_ptr<nvonnxparser::IParser> Libraries::parser(
    nvinfer1::INetworkDefinition& network) const {
  static void* const library = open("nvonnxparser", kHeaderMajor);
  if (library == nullptr) {
    throw bad_input(fmt::format(
        "{} cannot be opened ({}): engines run here, but to build one install TensorRT's ONNX "
        "parser",
        file_name("nvonnxparser", kHeaderMajor), loader_reason()));
  }
  auto* create = required_function<decltype(createNvOnnxParser_INTERNAL)>(
      library, "createNvOnnxParser_INTERNAL");
  auto* made = static_cast<nvonnxparser::IParser*>(
      create(&network, logger_address(), NV_ONNX_PARSER_VERSION));
  return std::unique_ptr<nvonnxparser::IParser>(required(made, "no ONNX parser can be had"));
}

void Libraries::load_plugins() const {
  static const bool loaded = [] {
    void* const library = open("nvinfer_plugin", kHeaderMajor);
    auto* load = library == nullptr
                     ? nullptr
                     : find<bool(void*, const char*)>(library, "initLibNvInferPlugins");
    return load != nullptr && load(logger_address(), "");
  }();
  (void)loaded;  // A plan that needs one says so itself.
}

}  // namespace hedge::tensorrt
