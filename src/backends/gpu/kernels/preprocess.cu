// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu/kernels/preprocess.h"

#include "backends/gpu/kernels/launch.cuh"

namespace hedge::gpu {
namespace {

constexpr int kThreads = 128;
constexpr int kColors = 3;
constexpr int kValues = 256;
/// Pixels of a thread that reads and writes words.
constexpr int kTogether = 4;

template <int kPixels>
struct Word;
template <>
struct Word<1> {
  using Bytes = std::uint8_t;
  using Floats = float;
};
template <>
struct Word<kTogether> {
  using Bytes = std::uint32_t;
  using Floats = float4;
};

/// A thread kPixels neighbours. The images may be the host's memory: each byte goes over the bus
/// once, in words that lie together.
template <int kPixels>
__global__ void __launch_bounds__(kThreads)
    look_up_pixels(PixelsToTensor shape, const std::uint8_t* images, const float* tables,
                   float* tensor) {
  using Bytes = typename Word<kPixels>::Bytes;
  using Floats = typename Word<kPixels>::Floats;
  __shared__ float table[kColors * kValues];
  let_successor_begin();
  for (int i = threadIdx.x; i < kColors * kValues; i += kThreads) table[i] = __ldg(tables + i);
  const int first = (blockIdx.x * kThreads + threadIdx.x) * kPixels;
  const std::size_t image = static_cast<std::size_t>(blockIdx.y) * kColors * shape.pixels;
  alignas(Bytes) std::uint8_t bytes[kColors * kPixels] = {};
  wait_for_predecessor();
  if (first < shape.pixels) {
#pragma unroll
    for (int word = 0; word < kColors; ++word) {
      const int at =
          shape.planar_image ? word * shape.pixels + first : kColors * first + word * kPixels;
      reinterpret_cast<Bytes*>(bytes)[word] = *reinterpret_cast<const Bytes*>(images + image + at);
    }
  }
  __syncthreads();  // The tables are there.
  if (first >= shape.pixels) return;
  alignas(Floats) float values[kColors * kPixels];
#pragma unroll
  for (int channel = 0; channel < kColors; ++channel) {
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      const int color = shape.bgr ? kColors - 1 - channel : channel;
      const int red = shape.planar_image ? i : kColors * i;
      const int step = shape.planar_image ? kPixels : 1;
      const int byte = bytes[red + color * step];
      values[shape.planar_tensor ? channel * kPixels + i : kColors * i + channel] =
          table[color * kValues + byte];
    }
  }
#pragma unroll
  for (int word = 0; word < kColors; ++word) {
    const int at =
        shape.planar_tensor ? word * shape.pixels + first : kColors * first + word * kPixels;
    *reinterpret_cast<Floats*>(tensor + image + at) = reinterpret_cast<const Floats*>(values)[word];
  }
}

}  // namespace

cudaError_t launch_preprocess(const PixelsToTensor& shape, const std::uint8_t* images,
                              const float* tables, float* tensor, const Launch& launch) {
  // Then every plane and every image begins at a whole word.
  const bool together = shape.pixels % kTogether == 0;
  const int items = together ? shape.pixels / kTogether : shape.pixels;
  const dim3 grid(static_cast<unsigned>((items + kThreads - 1) / kThreads),
                  static_cast<unsigned>(shape.batch));
  return launch_kernel(together ? look_up_pixels<kTogether> : look_up_pixels<1>, grid, kThreads, 0,
                       launch, shape, images, tables, tensor);
}

}  // namespace hedge::gpu
