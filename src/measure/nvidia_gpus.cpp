// SPDX-License-Identifier: Apache-2.0
#include "measure/nvidia_gpus.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "energy/nvml_library.h"

namespace hedge {
namespace {

constexpr int kSmClock = 1;      // NVML_CLOCK_SM
constexpr int kMemoryClock = 2;  // NVML_CLOCK_MEM
constexpr int kGpuSensor = 0;    // NVML_TEMPERATURE_GPU
constexpr std::int64_t kMega = 1'000'000;

struct Session {
  explicit Session(const std::string& name) : nvml(name) {}
  NvmlLibrary nvml;
  std::vector<NvmlLibrary::Gpu> gpus;
};

/// Or why there is none; that of a library that is not there is nothing.
struct Opened {
  std::shared_ptr<const Session> session;
  std::string reason;
};

Opened open_once(const std::string& library) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Session>> sessions;
  const std::lock_guard lock(mutex);
  if (const auto known = sessions.find(library); known != sessions.end()) {
    return {known->second, ""};
  }
  auto session = std::make_shared<Session>(library);
  if (!session->nvml.is_open()) return {};
  if (std::string reason = session->nvml.initialise(); !reason.empty()) return {nullptr, reason};
  std::string reason;
  session->gpus = session->nvml.gpus(reason);
  if (session->gpus.empty()) return {nullptr, reason};
  sessions.emplace(library, session);
  return {std::move(session), ""};
}

/// One GPU, and the name and reason of each thing that it does not tell.
class Reader {
 public:
  Reader(const NvmlLibrary& nvml, const NvmlLibrary::Gpu& gpu, std::vector<std::string>& missing)
      : nvml_(nvml), gpu_(gpu), missing_(missing) {}

  template <class Function, class... Arguments>
  [[nodiscard]] std::optional<unsigned> read(const char* what, Function* function,
                                             Arguments... arguments) {
    unsigned value = 0;
    return told(what, function, arguments..., &value) ? std::optional(value) : std::nullopt;
  }
  template <class Function, class... Arguments>
  [[nodiscard]] bool told(const char* what, Function* function, Arguments... arguments) {
    const NvmlLibrary::Result result =
        function != nullptr ? function(gpu_.device, arguments...) : NvmlLibrary::kNotSupported;
    if (result == NvmlLibrary::kSuccess) return true;
    missing_.push_back(fmt::format("{} of {} ({})", what, gpu_.name, nvml_.text(result)));
    return false;
  }

 private:
  const NvmlLibrary& nvml_;
  const NvmlLibrary::Gpu& gpu_;
  std::vector<std::string>& missing_;
};

std::optional<std::int64_t> hertz(const std::optional<unsigned>& megahertz) {
  if (!megahertz) return std::nullopt;
  return std::int64_t{*megahertz} * kMega;
}

NvidiaGpu read_gpu(const NvmlLibrary& nvml, const NvmlLibrary::Gpu& handle,
                   std::vector<std::string>& missing) {
  Reader reader(nvml, handle, missing);
  NvidiaGpu gpu;
  gpu.name = handle.name;
  gpu.sm_hz = hertz(reader.read("SM clock", nvml.clock, kSmClock));
  gpu.max_sm_hz = hertz(reader.read("highest SM clock", nvml.max_clock, kSmClock));
  gpu.memory_hz = hertz(reader.read("memory clock", nvml.clock, kMemoryClock));
  if (const auto celsius = reader.read("temperature", nvml.temperature, kGpuSensor)) {
    gpu.celsius = *celsius;
  }
  unsigned long long bits = 0;
  if (reader.told("throttling", nvml.clock_event_reasons, &bits)) {
    for (const GpuSlowdown& slowdown : kGpuSlowdowns) {
      if ((bits & slowdown.bit) != 0) gpu.slowed_by.emplace_back(slowdown.name);
    }
  }
  return gpu;
}

}  // namespace

NvidiaGpus read_nvidia_gpus(const std::string& library) {
  NvidiaGpus found;
  if (library.empty()) return found;
  const Opened opened = open_once(library);
  if (!opened.session) {
    if (!opened.reason.empty()) {
      found.missing.push_back(fmt::format("{} ({})", kNvidiaClocks, opened.reason));
    }
    return found;
  }
  for (const NvmlLibrary::Gpu& gpu : opened.session->gpus) {
    found.gpus.push_back(read_gpu(opened.session->nvml, gpu, found.missing));
  }
  return found;
}

std::string nvml_library_of(const std::filesystem::path& root) {
  const std::string library = nvml_library_name();
  const bool chosen = library != kNvmlLibrary;
  return chosen || root == "/" ? library : "";
}

bool uses_cuda() noexcept {
  void* handle = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return false;
  ::dlclose(handle);
  return true;
}

}  // namespace hedge
