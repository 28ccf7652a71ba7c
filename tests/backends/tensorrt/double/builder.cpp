// SPDX-License-Identifier: Apache-2.0
// The double of libnvinfer: what builds. A plan holds the ONNX bytes and what the builder was told.
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "double/infer.h"
#include "double/network.h"
#include "double/plan_file.h"

namespace hedge_double {
namespace {

using nvinfer1::BuilderFlag;

#if NV_TENSORRT_MAJOR >= 10
using ProfileDims = nvinfer1::Dims const&;
#else
using ProfileDims = nvinfer1::Dims;
#endif

class TimingCacheDouble final : public nvinfer1::ITimingCache,
                                public nvinfer1::apiv::TimingCacheStub {
 public:
  TimingCacheDouble(std::set<std::string> entries, nvinfer1::ILogger* logger)
      : entries(std::move(entries)), logger_(logger) {
    mImpl = this;
  }
  nvinfer1::IHostMemory* serialize() const noexcept override {
    if (refused(logger_, "ITimingCache::serialize")) return nullptr;
    std::string text = "TRTCACHE " + std::to_string(library_version());
    for (const std::string& entry : entries) text += "\n" + entry;
    return new HostMemoryDouble({text.begin(), text.end()});
  }
  bool combine(nvinfer1::ITimingCache const& other, bool ignore_mismatch) noexcept override {
    if (refused(logger_, "combine")) return false;
    const auto& more = static_cast<const TimingCacheDouble&>(other).entries;
    if (!ignore_mismatch && more.contains("another version")) return false;
    entries.insert(more.begin(), more.end());
    return true;
  }
  std::set<std::string> entries;

 private:
  nvinfer1::ILogger* logger_;
  Alive alive_{"timing cache"};
};

/// The builder's, as long as that lives.
class ProfileDouble final : public nvinfer1::IOptimizationProfile,
                            public nvinfer1::apiv::OptimizationProfileStub {
 public:
  ProfileDouble() { mImpl = this; }
  bool setDimensions(char const* input, nvinfer1::OptProfileSelector select,
                     ProfileDims dims) noexcept override {
    if (fails("setDimensions")) return false;
    for (int i = 0; i < dims.nbDims; ++i) {
      if (dims.d[i] < 1) complain("an optimisation profile with an open extent");
    }
    input_ = input;
    batches[static_cast<std::size_t>(select)] = dims.d[0];
    return true;
  }
  [[nodiscard]] bool is_of(const nvinfer1::ITensor& input) const {
    return input_ == input.getName() && batches[0] >= 1 && batches[1] >= batches[0] &&
           batches[2] >= batches[1];
  }
  std::array<std::int64_t, 3> batches{};  ///< By OptProfileSelector: least, tuned, most.

 private:
  std::string input_;
};

class ConfigDouble final : public nvinfer1::IBuilderConfig,
                           public nvinfer1::apiv::BuilderConfigStub {
 public:
  explicit ConfigDouble(nvinfer1::ILogger* logger) : logger_(logger) {
    mImpl = this;
    flags[static_cast<int>(BuilderFlag::kTF32)] = true;  // As TensorRT's default.
  }
  void setFlag(BuilderFlag flag) noexcept override { flags[static_cast<int>(flag)] = true; }
  void clearFlag(BuilderFlag flag) noexcept override { flags[static_cast<int>(flag)] = false; }
  void setBuilderOptimizationLevel(int32_t level) noexcept override {
    if (level < 0 || level > 5) complain("a builder optimisation level beyond 0 to 5");
    summary["level"] = level;
  }
  void setProfilingVerbosity(nvinfer1::ProfilingVerbosity) noexcept override {}
  void setMemoryPoolLimit(nvinfer1::MemoryPoolType, std::size_t bytes) noexcept override {
    summary["workspace"] = bytes;
  }
  int32_t addOptimizationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept override {
    if (refused(logger_, "addOptimizationProfile")) return -1;
    batches = static_cast<const ProfileDouble*>(profile);
    return 0;
  }
#if NV_TENSORRT_MAJOR >= 11
  bool setMaxAuxStreams(int32_t streams) noexcept override {
    summary["aux_streams"] = streams;
    return true;
  }
#else
  void setMaxAuxStreams(int32_t streams) noexcept override {
    summary["aux_streams"] = streams;
  }
#endif
#if NV_TENSORRT_MAJOR < 11
  bool setCalibrationProfile(nvinfer1::IOptimizationProfile const* profile) noexcept override {
    calibration = static_cast<const ProfileDouble*>(profile);
    return true;
  }
#endif
#if NV_TENSORRT_MAJOR < 10
  void setPreviewFeature(nvinfer1::PreviewFeature feature, bool on) noexcept override {
    if (feature == nvinfer1::PreviewFeature::kPROFILE_SHARING_0806) shares_profiles = on;
  }
#endif
  void setDefaultDeviceType(nvinfer1::DeviceType type) noexcept override {
    summary["dla"] = type == nvinfer1::DeviceType::kDLA;
  }
  void setDLACore(int32_t core) noexcept override {
    summary["dla_core"] = core;
  }
  nvinfer1::ITimingCache* createTimingCache(void const* blob,
                                            std::size_t size) const noexcept override {
    if (refused(logger_, "createTimingCache")) return nullptr;
    std::set<std::string> entries;
    if (size > 0) {
      const std::string text(static_cast<const char*>(blob), size);
      if (!text.starts_with("TRTCACHE ")) {
        tell(logger_, "the timing cache cannot be deserialized");
        return nullptr;
      }
      // Another version's is read, and not taken afterwards.
      for (std::size_t at = text.find('\n'); at != std::string::npos;) {
        const std::size_t next = text.find('\n', at + 1);
        entries.insert(text.substr(at + 1, next == std::string::npos ? next : next - at - 1));
        at = next;
      }
      if (!text.starts_with("TRTCACHE " + std::to_string(library_version()))) {
        entries.insert("another version");
      }
    }
    return new TimingCacheDouble(std::move(entries), logger_);
  }
  bool setTimingCache(nvinfer1::ITimingCache const& cache, bool ignore_mismatch) noexcept override {
    const auto& its = static_cast<const TimingCacheDouble&>(cache);
    if (refused(logger_, "setTimingCache")) return false;
    if (its.entries.contains("another version") && !ignore_mismatch) {
      tell(logger_, "the timing cache is of another device");
      return false;
    }
    timing_cache = const_cast<TimingCacheDouble*>(&its);
    return true;
  }
  nvinfer1::ITimingCache const* getTimingCache() const noexcept override {
    return timing_cache;
  }
#if NV_TENSORRT_MAJOR < 11
  void setInt8Calibrator(nvinfer1::IInt8Calibrator* calibrator) noexcept override {
    its_calibrator = calibrator;
  }
  nvinfer1::IInt8Calibrator* its_calibrator = nullptr;
#endif
#if NV_TENSORRT_MAJOR >= 10
  void setProgressMonitor(nvinfer1::IProgressMonitor* monitor) noexcept override {
    progress = monitor;
  }
  nvinfer1::IProgressMonitor* progress = nullptr;
#endif

  [[nodiscard]] bool has(BuilderFlag flag) const {
    const auto found = flags.find(static_cast<int>(flag));
    return found != flags.end() && found->second;
  }
  std::map<int, bool> flags;
  nlohmann::json summary = nlohmann::json::object();
  TimingCacheDouble* timing_cache = nullptr;
  const ProfileDouble* batches = nullptr;
  const ProfileDouble* calibration = nullptr;
  bool shares_profiles = NV_TENSORRT_MAJOR >= 10;

 private:
  nvinfer1::ILogger* logger_;
  Alive alive_{"config"};
};

nlohmann::json described(const NetworkDouble& network, const ConfigDouble& config) {
  nlohmann::json summary = config.summary;
  summary["opset"] = network.opset;
  summary["tf32"] = config.has(BuilderFlag::kTF32);
  summary["sparse"] = config.has(BuilderFlag::kSPARSE_WEIGHTS);
  summary["gpu_fallback"] = config.has(BuilderFlag::kGPU_FALLBACK);
#if NV_TENSORRT_MAJOR < 11
  summary["fp16"] = config.has(BuilderFlag::kFP16);
  summary["int8"] = config.has(BuilderFlag::kINT8);
#if NV_TENSORRT_MAJOR >= 10
  summary["bf16"] = config.has(BuilderFlag::kBF16);
#endif
  summary["obey"] = config.has(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
#endif
  summary["precisions"] = nlohmann::json::object();
  for (const auto& layer : network.layers) {
    if (layer->precision >= 0) summary["precisions"][layer->getName()] = layer->precision;
  }
  summary["gpu"] = gpu_name();
  if (config.batches != nullptr) {
    const auto& batches = config.batches->batches;
    summary["batches"] = {batches[0], batches[2]};
    summary["tuned"] = batches[1];
  }
  return summary;
}

/// What TensorRT says of the shapes of the input; empty where they fit together.
std::string problem_of_shapes(const NetworkDouble& network, const ConfigDouble& config) {
  const nvinfer1::ITensor& input = *network.getInput(0);
  const bool open = input.getDimensions().d[0] < 0;
  if (!open) return config.batches == nullptr ? "" : "a profile of a network without open shapes";
  if (config.batches == nullptr || !config.batches->is_of(input)) {
    return "Network has dynamic or shape inputs, but no optimization profile has been defined.";
  }
  if (!config.shares_profiles) complain("contexts of this plan cannot run side by side");
  return {};
}

/// By TensorRT's own calibrator, where one is set: from its cache if that is of this version, else
/// from all batches that there are. How many those were; nothing where there were none.
std::optional<int> calibrate([[maybe_unused]] const NetworkDouble& network,
                             [[maybe_unused]] const ConfigDouble& config) {
#if NV_TENSORRT_MAJOR < 11
  nvinfer1::IInt8Calibrator* calibrator = config.its_calibrator;
  if (calibrator == nullptr) {
    if (NV_TENSORRT_MAJOR >= 10 && network.flags == 0) complain("weakly typed without need");
    return 0;
  }
  if (NV_TENSORRT_MAJOR >= 10 && network.flags != 0) complain("a calibrator of a typed network");
  const bool varies = config.batches != nullptr;
  const std::int64_t batch = varies ? -1 : network.getInput(0)->getDimensions().d[0];
  if (varies != (config.calibration != nullptr) ||
      calibrator->getBatchSize() != (varies ? config.calibration->batches[1] : batch)) {
    complain("calibration batches of another size than said");
  }
  if (!config.has(BuilderFlag::kINT8)) complain("a calibrator without int8");
  const std::string header = fmt::format("TRT-{}-EntropyCalibration2", library_version());
  std::size_t length = 0;
  const auto* cache = static_cast<const char*>(calibrator->readCalibrationCache(length));
  if (cache != nullptr && std::string_view(cache, length).starts_with(header)) return 0;
  int batches = 0;
  void* binding = nullptr;
  const char* name = network.getInput(0)->getName();
  while (calibrator->getBatch(&binding, &name, 1)) {
    if (binding == nullptr) complain("a calibration batch without an address");
    ++batches;
  }
  if (batches == 0) return std::nullopt;
  const std::string text = header + "\ninput: 3c010a14\n";
  calibrator->writeCalibrationCache(text.data(), text.size());
  return batches;
#else
  return 0;
#endif
}

/// TensorRT's phases, one within another. Whether the build may go on.
bool tell_progress([[maybe_unused]] const ConfigDouble& config) {
#if NV_TENSORRT_MAJOR >= 10
  if (config.progress == nullptr) return true;
  nvinfer1::IProgressMonitor& monitor = *config.progress;
  monitor.phaseStart("Building Engine", nullptr, 2);
  bool go_on = monitor.stepComplete("Building Engine", 0);
  monitor.phaseStart("Computing profile costs", "Building Engine", 4);
  for (int step = 0; go_on && step < 4; ++step) {
    go_on = monitor.stepComplete("Computing profile costs", step);
  }
  monitor.phaseFinish("Computing profile costs");
  if (go_on) go_on = monitor.stepComplete("Building Engine", 1);
  monitor.phaseFinish("Building Engine");
  return go_on;
#else
  return true;
#endif
}

class BuilderDouble final : public nvinfer1::IBuilder, public nvinfer1::apiv::BuilderStub {
 public:
  explicit BuilderDouble(nvinfer1::ILogger* logger) : logger_(logger) { mImpl = this; }
  ~BuilderDouble() noexcept override {
    if (alive("network") > 0) complain("the builder is destroyed before its network");
    if (alive("config") > 0) complain("the builder is destroyed before its settings");
  }
  nvinfer1::IOptimizationProfile* createOptimizationProfile() noexcept override {
    if (refused(logger_, "createOptimizationProfile")) return nullptr;
    return profiles_.emplace_back(std::make_unique<ProfileDouble>()).get();
  }
  int32_t getNbDLACores() const noexcept override { return dla_cores(); }
  nvinfer1::IBuilderConfig* createBuilderConfig() noexcept override {
    return refused(logger_, "createBuilderConfig") ? nullptr : new ConfigDouble(logger_);
  }
  nvinfer1::INetworkDefinition* createNetworkV2(uint32_t flags) noexcept override {
    if (refused(logger_, "createNetworkV2")) return nullptr;
    // Explicit batch (0) in 8.6, strongly typed (1) or not in 10; 11 has nothing else.
    const uint32_t wanted = NV_TENSORRT_MAJOR >= 11 ? 0 : NV_TENSORRT_MAJOR >= 10 ? 2 : 1;
    const bool weak = NV_TENSORRT_MAJOR == 10 && flags == 0;
    if (flags != wanted && !weak) complain(fmt::format("network flags {}", flags));
    auto* network = new NetworkDouble(logger_);
    network->flags = flags;
    return network;
  }
  nvinfer1::IHostMemory* buildSerializedNetwork(
      nvinfer1::INetworkDefinition& network, nvinfer1::IBuilderConfig& config) noexcept override {
    auto& its_network = static_cast<NetworkDouble&>(network);
    auto& its_config = static_cast<ConfigDouble&>(config);
    if (refused(logger_, "buildSerializedNetwork")) return nullptr;
    if (its_network.onnx == nullptr) complain("nothing was parsed");
    if (alive("parser") == 0) complain("the parser, whose weights the network reads, is gone");
    if (const std::string problem = problem_of_shapes(its_network, its_config); !problem.empty()) {
      tell(logger_, problem);
      return nullptr;
    }
    if (!tell_progress(its_config)) {
      tell(logger_, "the build was cancelled by the progress monitor");
      return nullptr;
    }
    logger_->log(nvinfer1::ILogger::Severity::kVERBOSE, "a tactic\nof two lines");
    if (its_config.has(BuilderFlag::kSPARSE_WEIGHTS)) {
      logger_->log(nvinfer1::ILogger::Severity::kINFO,
                   "(Sparsity) Found 2 layer(s) eligible to use sparse tactics");
    }
    const auto batches = calibrate(its_network, its_config);
    if (!batches) {
      tell(logger_, "Calibration failure occurred with no scaling factors detected.");
      return nullptr;
    }
    PlanFile plan{described(its_network, its_config),
                  std::string(its_network.onnx, its_network.onnx_bytes)};
    plan.summary["calibration_batches"] = *batches;
    if (its_config.timing_cache != nullptr) {
      plan.summary["timed_before"] = its_config.timing_cache->entries.size();
      its_config.timing_cache->entries.insert(fmt::format("net of {} bytes", plan.onnx.size()));
    }
    return new HostMemoryDouble(write_plan(plan));
  }

 private:
  nvinfer1::ILogger* logger_;
  std::vector<std::unique_ptr<ProfileDouble>> profiles_;
  Alive alive_{"builder"};
};

}  // namespace
}  // namespace hedge_double

extern "C" {
int32_t getInferLibVersion() noexcept {
  return hedge_double::library_version();
}
void* createInferBuilder_INTERNAL(void* logger, int32_t version) noexcept {
  using namespace hedge_double;
  auto* its_logger = static_cast<nvinfer1::ILogger*>(logger);
  if (refused(its_logger, "createInferBuilder")) return nullptr;
  if (version != NV_TENSORRT_VERSION) complain("a builder of another version");
  return static_cast<nvinfer1::IBuilder*>(new BuilderDouble(its_logger));
}
}
