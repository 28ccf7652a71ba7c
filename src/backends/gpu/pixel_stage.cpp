// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/pixel_stage.h"

#include <fmt/format.h>

#include "backends/gpu/border.h"
#include "hedge/error.h"

namespace hedge::gpu {
namespace {

/// Throws bad_input.
PixelsToTensor shape_of(const PixelSource& source, std::size_t input_elements) {
  const PreprocessingRecipe& recipe = source.prepare.recipe();
  const auto pixels =
      static_cast<std::size_t>(recipe.height) * static_cast<std::size_t>(recipe.width);
  if (input_elements == 0 || input_elements % (3 * pixels) != 0) {
    throw bad_input(fmt::format(
        "the recipe makes images of {}x{}x3 values, but the input has {}: preprocess on "
        "the CPU",
        recipe.height, recipe.width, input_elements));
  }
  return {.batch = static_cast<int>(input_elements / (3 * pixels)),
          .pixels = static_cast<int>(pixels),
          .planar_image = source.layout == PixelLayout::kPlanar,
          .planar_tensor = recipe.layout == TensorLayout::kNchw,
          .bgr = recipe.channel_order == ChannelOrder::kBgr};
}

}  // namespace

std::shared_ptr<const PixelSource> pixel_source(const EngineInfo& info,
                                                const ContextOptions& options) {
  if (!options.pixels) return nullptr;
  if (!info.preprocessing) {
    throw bad_input(
        "the engine states no preprocessing, so the GPU cannot do it; state it with "
        "--preprocess=scale=...,mean=...,std=...");
  }
  return std::make_shared<const PixelSource>(
      PixelSource{*options.pixels, Preprocessing(*info.preprocessing)});
}

PixelStage::PixelStage(const PixelSource& source, std::size_t input_elements)
    : shape_(shape_of(source, input_elements)), bytes_(input_elements) {
  const auto& tables = source.prepare.tables();
  tables_ = device_memory(sizeof(tables));
  check(cudaMemcpy(tables_.get(), tables.data(), sizeof(tables), cudaMemcpyHostToDevice),
        "copying the tables of the preprocessing");
  tensor_ = device_memory(room_for(input_elements * sizeof(float)));
}

cudaError_t PixelStage::enqueue(const std::byte* images, cudaStream_t stream) const {
  return launch_preprocess(shape_, reinterpret_cast<const std::uint8_t*>(images),
                           reinterpret_cast<const float*>(tables_.get()),
                           reinterpret_cast<float*>(tensor_.get()), {stream, false});
}

}  // namespace hedge::gpu
