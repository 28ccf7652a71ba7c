// SPDX-License-Identifier: Apache-2.0
#pragma once

// All that differs between the versions of TensorRT that Hedge is built with: 8.6, 10 and 11.

#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <cstddef>
#include <cstdint>
#include <string>

#if NV_TENSORRT_MAJOR < 8 || (NV_TENSORRT_MAJOR == 8 && NV_TENSORRT_MINOR < 6)
#error "TensorRT 8.6 or later is needed"
#endif

namespace hedge::tensorrt {

/// Of the headers, as getInferLibVersion() gives that of the library: 8601, 100300.
inline constexpr int kHeaderVersion = static_cast<int>(NV_TENSORRT_VERSION);
inline constexpr int kHeaderMajor = NV_TENSORRT_MAJOR;

/// From 10 on the types of a network's tensors say its precisions (11 knows nothing else); before,
/// they are float32 and builder flags permit others.
inline constexpr bool kStronglyTyped = NV_TENSORRT_MAJOR >= 10;
/// The opset whose Q/DQ scales have the type of what they scale; 8.6 reads 17 at most.
inline constexpr int kOpset = kStronglyTyped ? 19 : 17;
/// 8.6 quantises weights itself (its parser gives no integers to a Dequantize layer's kernels).
inline constexpr bool kTakesStoredWeights = kStronglyTyped;

/// Q/DQ of FLOAT8E4M3FN, in strongly typed networks.
inline constexpr bool kHasFloat8 = NV_TENSORRT_MAJOR >= 10;

/// Weakly typed ones take TensorRT's own calibrator; 11 has neither.
inline constexpr bool kHasCalibrator = NV_TENSORRT_MAJOR < 11;

inline nvinfer1::NetworkDefinitionCreationFlags network_flags(bool weakly_typed) {
#if NV_TENSORRT_MAJOR >= 11
  (void)weakly_typed;
  return 0;
#elif NV_TENSORRT_MAJOR >= 10
  return weakly_typed ? 0U
                      : 1U << static_cast<unsigned>(
                            nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED);
#else
  (void)weakly_typed;
  return 1U << static_cast<unsigned>(nvinfer1::NetworkDefinitionCreationFlag::kEXPLICIT_BATCH);
#endif
}

// What weak typing needs, 10 has, and calls deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/// What a weakly typed network may compute in beside float32.
struct Permitted {
  bool fp16 = false;
  bool bf16 = false;  ///< From 10 on.
  bool int8 = false;
};
/// Strongly typed networks say it themselves.
inline void permit(nvinfer1::IBuilderConfig& config, const Permitted& permitted) {
#if NV_TENSORRT_MAJOR < 11
  if (permitted.fp16) config.setFlag(nvinfer1::BuilderFlag::kFP16);
  if (permitted.int8) config.setFlag(nvinfer1::BuilderFlag::kINT8);
#if NV_TENSORRT_MAJOR >= 10
  if (permitted.bf16) config.setFlag(nvinfer1::BuilderFlag::kBF16);
#endif
#else
  (void)config;
  (void)permitted;
#endif
}

/// A layer of a weakly typed network computes in this type, whatever is faster.
inline void oblige(nvinfer1::IBuilderConfig& config, nvinfer1::ILayer& layer,
                   nvinfer1::DataType type) {
#if NV_TENSORRT_MAJOR < 11
  config.setFlag(nvinfer1::BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
  layer.setPrecision(type);
  layer.setOutputType(0, type);
#else
  (void)config;
  (void)layer;
  (void)type;
#endif
}

#if NV_TENSORRT_MAJOR < 11
class EntropyCalibrator : public nvinfer1::IInt8EntropyCalibrator2 {};
inline void set_calibrator(nvinfer1::IBuilderConfig& config, EntropyCalibrator& calibrator) {
  config.setInt8Calibrator(&calibrator);
}
/// The shape of calibration batches, where that of the network varies. Whether it is taken.
inline bool set_calibration_profile(nvinfer1::IBuilderConfig& config,
                                    const nvinfer1::IOptimizationProfile& profile) {
  return config.setCalibrationProfile(&profile);
}
#else
/// The interface of earlier versions, which nobody calls here.
class EntropyCalibrator {
 public:
  virtual ~EntropyCalibrator() noexcept = default;
  virtual std::int32_t getBatchSize() const noexcept = 0;
  virtual bool getBatch(void* bindings[], char const* names[], std::int32_t count) noexcept = 0;
  virtual void const* readCalibrationCache(std::size_t& length) noexcept = 0;
  virtual void writeCalibrationCache(void const* cache, std::size_t length) noexcept = 0;
};
inline void set_calibrator(nvinfer1::IBuilderConfig&, EntropyCalibrator&) {}
inline bool set_calibration_profile(nvinfer1::IBuilderConfig&,
                                    const nvinfer1::IOptimizationProfile&) {
  return false;
}
#endif
#pragma GCC diagnostic pop

/// "8.6.1", "10.16.0" of 8601, 101600.
inline std::string version_text(int version) {
  const bool old = version < 10000;
  const int major = old ? version / 1000 : version / 10000;
  const int minor = old ? version / 100 % 10 : version / 100 % 100;
  return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(version % 100);
}
inline int major_of(int version) {
  return version < 10000 ? version / 1000 : version / 10000;
}
/// Without the patch level.
inline int release_of(int version) {
  return version / 100;
}

/// Lets contexts of one engine run side by side where shapes vary; from 10 on they always may.
inline void share_profiles(nvinfer1::IBuilderConfig& config) {
#if NV_TENSORRT_MAJOR < 10
  config.setPreviewFeature(nvinfer1::PreviewFeature::kPROFILE_SHARING_0806, true);
#else
  (void)config;
#endif
}

/// Whether it is taken, which TensorRT tells from 11 on.
inline bool set_aux_streams(nvinfer1::IBuilderConfig& config, int streams) {
#if NV_TENSORRT_MAJOR >= 11
  return config.setMaxAuxStreams(streams);
#else
  config.setMaxAuxStreams(streams);
  return true;
#endif
}

/// Of one context.
inline std::size_t device_memory_bytes(const nvinfer1::ICudaEngine& engine) {
#if NV_TENSORRT_MAJOR > 10 || (NV_TENSORRT_MAJOR == 10 && NV_TENSORRT_MINOR >= 1)
  return static_cast<std::size_t>(engine.getDeviceMemorySizeV2());
#else
  return engine.getDeviceMemorySize();
#endif
}

/// Empty where this version's parser does not tell.
inline std::string node_name(const nvonnxparser::IParserError& error) {
#if NV_TENSORRT_MAJOR >= 10
  return error.nodeName() == nullptr ? std::string() : error.nodeName();
#else
  (void)error;
  return {};
#endif
}
inline std::string node_operator(const nvonnxparser::IParserError& error) {
#if NV_TENSORRT_MAJOR >= 10
  return error.nodeOperator() == nullptr ? std::string() : error.nodeOperator();
#else
  (void)error;
  return {};
#endif
}

#if NV_TENSORRT_MAJOR >= 10
inline constexpr bool kTellsProgress = true;
using ProgressMonitor = nvinfer1::IProgressMonitor;
inline void set_monitor(nvinfer1::IBuilderConfig& config, ProgressMonitor& monitor) {
  config.setProgressMonitor(&monitor);
}
#else
inline constexpr bool kTellsProgress = false;
/// The interface of later versions, which nobody calls here.
class ProgressMonitor {
 public:
  virtual ~ProgressMonitor() noexcept = default;
  virtual void phaseStart(char const* phase, char const* parent, std::int32_t steps) noexcept = 0;
  virtual bool stepComplete(char const* phase, std::int32_t step) noexcept = 0;
  virtual void phaseFinish(char const* phase) noexcept = 0;
};
inline void set_monitor(nvinfer1::IBuilderConfig&, ProgressMonitor&) {}
#endif

}  // namespace hedge::tensorrt
