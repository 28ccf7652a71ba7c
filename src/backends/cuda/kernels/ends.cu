// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/kernels/device.cuh"
#include "backends/cuda/kernels/ends.h"

namespace hedge::cuda {
namespace {

constexpr int kStemThreads = 256;
constexpr int kHeadThreads = 256;
/// Of the head's, in shared memory.
constexpr int kNearWeights = 4096;
static_assert(kMostHeadClasses <= kHeadThreads);

/// Channels that a thread of the stem has.
int stem_lanes(const Stem& stem) {
  const bool any = stem.quantized || stem.type == ElementType::kInt8;
  return any ? kLanes<AnyElement> : granule_of(stem.type);
}

/// What a block has of input and output.
struct StemTile {
  int rows = 1;     ///< Of the result.
  int in_rows = 1;  ///< Of the input, at most.
};
StemTile tile_of(const Stem& stem) {
  const Convolution& c = stem.shape;
  const int items = c.out_w * (c.out_c / stem_lanes(stem));
  StemTile tile;
  tile.rows = items >= kStemThreads ? 1 : kStemThreads / items;
  if (tile.rows > c.out_h) tile.rows = c.out_h;
  tile.in_rows = (tile.rows - 1) * c.stride_h + (c.kernel_h - 1) * c.dilation_h + 1;
  return tile;
}

struct StemParameters {
  Stem stem;
  StemTile tile;
  const float* x = nullptr;
  const float* weights = nullptr;
  Epilogue epilogue;
  bool wide = false;  ///< Rows of the input can be read by 16 bytes.
};

/// Lines of numbers, each `count` long, into shared memory. The source may be the host's, where
/// each round of loads costs a way over the bus: so as many as can be are under way at once, and
/// what begin() asks for is waited for in finish() only, where each goes through `taken`.
template <class Word>
class Fetch {
 public:
  __device__ Fetch(float* to, int to_stride, const float* from, std::size_t from_stride, int lines,
                   int count)
      : to_(to),
        from_(from),
        from_stride_(from_stride),
        to_stride_(to_stride),
        words_(count / kFloats),
        total_(lines * words_) {}
  __device__ void begin(int round = 0) {
#pragma unroll
    for (int i = 0; i < kUnderWay; ++i) {
      const int at = threadIdx.x + (round * kUnderWay + i) * kStemThreads;
      if (at < total_) {
        values_[i] = *reinterpret_cast<const Word*>(from_ + at / words_ * from_stride_ +
                                                    at % words_ * kFloats);
      }
    }
  }
  template <class Taken>
  __device__ void finish(Taken taken) {
    for (int round = 0; round * kUnderWay * kStemThreads < total_; ++round) {
      if (round > 0) begin(round);
#pragma unroll
      for (int i = 0; i < kUnderWay; ++i) {
        const int at = threadIdx.x + (round * kUnderWay + i) * kStemThreads;
        if (at >= total_) continue;
        float* to = to_ + at / words_ * to_stride_ + at % words_ * kFloats;
        auto* numbers = reinterpret_cast<float*>(&values_[i]);
#pragma unroll
        for (int e = 0; e < kFloats; ++e) numbers[e] = taken(numbers[e]);
        *reinterpret_cast<Word*>(to) = values_[i];
      }
    }
  }

 private:
  static constexpr int kUnderWay = 4;
  static constexpr int kFloats = sizeof(Word) / sizeof(float);
  float* to_;
  const float* from_;
  std::size_t from_stride_;
  int to_stride_, words_, total_;
  Word values_[kUnderWay];
};

/// What a block has in shared memory: the weights, and the rows of the input that it needs, by
/// `Word`s of them. Where the host's memory is read, that comes first.
template <class Word>
__device__ inline void fetch_stem(const StemParameters& p, float* weights, float* image, int top,
                                  int rows_in, int channel_stride) {
  const Convolution& c = p.stem.shape;
  const int line = c.in_w * (p.stem.planar ? 1 : c.in_c);  // A row, in memory.
  const int lines = p.stem.planar ? c.in_c : 1;
  const std::size_t plane = static_cast<std::size_t>(c.in_h) * line;
  // Channels as stored are whole granules.
  Fetch<float4> of_weights(weights, 0, p.weights, 0, 1, c.kernel_h * c.kernel_w * c.in_c * c.out_c);
  Fetch<Word> of_image(image, channel_stride,
                       p.x + blockIdx.y * lines * plane + static_cast<std::size_t>(top) * line,
                       plane, rows_in > 0 ? lines : 0, max(rows_in, 1) * line);
  of_weights.begin();
  wait_for_predecessor();
  of_image.begin();
  of_weights.finish([](float x) { return x; });
  if (p.stem.quantized) {  // Stored numbers less their zero point.
    const Scale& scale = p.stem.scale;
    const float inverse = __frcp_rn(scale.scale);
    const auto zero = static_cast<float>(scale.zero_point);
    of_image.finish([&](float x) { return to_steps(x, inverse, scale.zero_point) - zero; });
  } else {
    of_image.finish([](float x) { return x; });
  }
}

/// A thread a granule of channels of a pixel. kKernel and kChannels: window and channels of the
/// input, where they are known; 0: any.
template <class Element, int kKernel, int kChannels>
__global__ void __launch_bounds__(kStemThreads) convolve_stem(const StemParameters p) {
  constexpr int kG = kLanes<Element>;
  HEDGE_SHARED_MEMORY(shared);
  let_successor_begin();
  const Convolution& c = p.stem.shape;
  const int kernel_h = kKernel > 0 ? kKernel : c.kernel_h;
  const int kernel_w = kKernel > 0 ? kKernel : c.kernel_w;
  const int in_c = kChannels > 0 ? kChannels : c.in_c;
  auto* weights = reinterpret_cast<float*>(shared);
  float* image = weights + kernel_h * kernel_w * in_c * c.out_c;
  const int first_row = blockIdx.x * p.tile.rows;
  const int wanted = first_row * c.stride_h - c.pad_top;
  const int top = max(wanted, 0);
  const int rows_in = min(wanted + p.tile.in_rows, c.in_h) - top;
  const int row_stride = c.in_w * (p.stem.planar ? 1 : in_c);
  const int column_stride = p.stem.planar ? 1 : in_c;
  const int channel_stride = p.stem.planar ? p.tile.in_rows * row_stride : 1;
  if (p.wide) {
    fetch_stem<float4>(p, weights, image, top, rows_in, channel_stride);
  } else {
    fetch_stem<float>(p, weights, image, top, rows_in, channel_stride);
  }
  __syncthreads();
  const int granules = c.out_c / kG;
  // Neighbouring threads have neighbouring pixels: their weights are the same.
  const int pixels = p.tile.rows * c.out_w;
  for (int item = threadIdx.x; item < pixels * granules; item += kStemThreads) {
    const int g = item / pixels;
    const int column = item % pixels % c.out_w;
    const int row = item % pixels / c.out_w;
    if (first_row + row >= c.out_h) continue;
    const ChannelTerms<Element, kG> terms(p.epilogue, g * kG);
    float sum[kG] = {};
#pragma unroll
    for (int ky = 0; ky < kernel_h; ++ky) {
      const int from_row = wanted + row * c.stride_h + ky * c.dilation_h;
#pragma unroll
      for (int kx = 0; kx < kernel_w; ++kx) {
        const int from_column = column * c.stride_w - c.pad_left + kx * c.dilation_w;
        const bool inside = static_cast<unsigned>(from_row) < static_cast<unsigned>(c.in_h) &&
                            static_cast<unsigned>(from_column) < static_cast<unsigned>(c.in_w);
        const float* pixel = image + (from_row - top) * row_stride + from_column * column_stride;
        const float* weight = weights + (ky * kernel_w + kx) * in_c * c.out_c + g * kG;
#pragma unroll
        for (int i = 0; i < in_c; ++i) {
          const float x = inside ? pixel[i * channel_stride] : 0.F;
#pragma unroll
          for (int e = 0; e < kG; e += 4) {
            const float4 w = *reinterpret_cast<const float4*>(weight + i * c.out_c + e);
            sum[e] += x * w.x;
            sum[e + 1] += x * w.y;
            sum[e + 2] += x * w.z;
            sum[e + 3] += x * w.w;
          }
        }
      }
    }
    terms.apply(sum);
    const int at = (static_cast<int>(blockIdx.y) * c.out_h + first_row + row) * c.out_w + column;
    finish_channels<Element, kG>(p.epilogue, static_cast<std::size_t>(at), g * kG, c.out_c, sum);
  }
}

__device__ inline float warp_sum(float x) {
  for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffU, x, step);
  return x;
}
__device__ inline float warp_largest(float x) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(0xffffffffU, x, step);
    x = other > x || isnan(other) ? other : x;
  }
  return x;
}

/// From the sum of a plane, of 8 bits that of the stored numbers.
template <class Element>
__device__ inline float mean_of(const Head& p, float sum) {
  if constexpr (std::is_same_v<Element, std::int8_t>) {
    sum = p.scale.scale * (sum - static_cast<float>(p.plane * p.scale.zero_point));
  }
  const float mean = sum / static_cast<float>(p.plane);
  if (!p.quantized) return mean;
  const Scale& s = p.mean_scale;
  return s.scale *
         (to_steps(mean, __frcp_rn(s.scale), s.zero_point) - static_cast<float>(s.zero_point));
}

/// A block an image.
template <class Element>
__global__ void __launch_bounds__(kHeadThreads)
    classify(const Head p, void* y, const void* x, const float* weights, const float* bias,
             const Completion completion) {
  constexpr int kG = kLanes<Element>;
  __shared__ float parts[kHeadThreads * kG];
  __shared__ float means[kMostHeadChannels];
  __shared__ float scores[kMostHeadClasses];
  __shared__ float near[kNearWeights];
  let_successor_begin();
  const std::uint32_t number = threadIdx.x < kWarp ? next_completion(completion) : 0;
  const int granules = p.stored_c / kG;
  const int strips = kHeadThreads / granules;
  const int g = threadIdx.x % granules;
  const int strip = threadIdx.x / granules;
  const auto* from =
      static_cast<const Element*>(x) + static_cast<std::size_t>(blockIdx.x) * p.plane * p.stored_c;
  float sum[kG] = {};
  // Weights that fit are there before the planes are.
  const int count = p.classes * p.used_c;
  const bool are_near = count <= kNearWeights;
  for (int i = threadIdx.x; are_near && i < count; i += kHeadThreads) near[i] = __ldg(weights + i);
  if (threadIdx.x < p.classes)
    scores[threadIdx.x] = bias == nullptr ? 0.F : __ldg(bias + threadIdx.x);
  wait_for_predecessor();
  for (int pixel = strip; strip < strips && pixel < p.plane; pixel += strips) {
    float numbers[kG];
    load_elements<Element>(numbers, from, static_cast<std::size_t>(pixel * granules + g) * kG);
#pragma unroll
    for (int e = 0; e < kG; ++e) sum[e] += numbers[e];
  }
  if (strip < strips) {
#pragma unroll
    for (int e = 0; e < kG; ++e) parts[strip * p.stored_c + g * kG + e] = sum[e];
  }
  __syncthreads();
  for (int c = threadIdx.x; c < p.used_c; c += kHeadThreads) {
    float total = 0;
#pragma unroll 8
    for (int s = 0; s < strips; ++s) total += parts[s * p.stored_c + c];
    means[c] = mean_of<Element>(p, total);
  }
  __syncthreads();
  const int lane = threadIdx.x % kWarp;
  for (int k = threadIdx.x / kWarp; k < p.classes; k += kHeadThreads / kWarp) {
    float score = 0;
    const float* row = weights + k * p.used_c;
    const float* near_row = near + k * p.used_c;
    for (int c = lane; c < p.used_c; c += kWarp) {
      score += means[c] * (are_near ? near_row[c] : __ldg(row + c));
    }
    score = warp_sum(score);
    if (lane == 0) scores[k] += score;
  }
  __syncthreads();
  if (threadIdx.x >= kWarp) return;
  float largest = -INFINITY;
  float total = 0;
  if (p.softmax) {
    for (int k = lane; k < p.classes; k += kWarp) {
      largest = scores[k] > largest || isnan(scores[k]) ? scores[k] : largest;
    }
    largest = warp_largest(largest);
    for (int k = lane; k < p.classes; k += kWarp) total += expf(scores[k] - largest);
    total = warp_sum(total);
  }
  for (int k = lane; k < p.classes; k += kWarp) {
    const float value = p.softmax ? expf(scores[k] - largest) / total : scores[k];
    if (completion.scores != nullptr) {
      tell_score(completion, number, k, value);
    } else {
      store(y, p.result_type, static_cast<std::size_t>(blockIdx.x) * p.classes + k, value);
    }
  }
  __syncwarp();
  if (lane == 0) tell_completion(completion, number);
}

}  // namespace

std::size_t stem_shared_bytes(const Stem& stem) {
  const Convolution& c = stem.shape;
  const StemTile tile = tile_of(stem);
  const std::size_t taps = static_cast<std::size_t>(c.kernel_h) * c.kernel_w * c.in_c;
  const std::size_t image = static_cast<std::size_t>(tile.in_rows) * c.in_w * c.in_c;
  return (taps * c.out_c + image) * sizeof(float);
}

cudaError_t launch_stem(const Stem& stem, const float* x, const float* weights,
                        const Epilogue& epilogue, const Launch& launch) {
  const Convolution& c = stem.shape;
  const int line = c.in_w * (stem.planar ? 1 : c.in_c);
  const bool wide = line % 4 == 0 && reinterpret_cast<std::uintptr_t>(x) % kGranuleBytes == 0;
  const StemParameters p{stem, tile_of(stem), x, weights, epilogue, wide};
  const dim3 grid(static_cast<unsigned>(ceil_div(stem.shape.out_h, p.tile.rows)),
                  static_cast<unsigned>(stem.shape.batch));
  if (stem.quantized || stem.type == ElementType::kInt8) {
    return launch_kernel(convolve_stem<AnyElement, 0, 0>, grid, kStemThreads,
                         stem_shared_bytes(stem), launch, p);
  }
  return with_element(stem.type, [&](auto zero) {
    using Element = decltype(zero);
    const bool usual = c.kernel_h == 3 && c.kernel_w == 3 && c.in_c == 3;
    return launch_kernel(usual ? convolve_stem<Element, 3, 3> : convolve_stem<Element, 0, 0>, grid,
                         kStemThreads, stem_shared_bytes(stem), launch, p);
  });
}

cudaError_t launch_head(const Head& head, void* y, const void* x, const float* weights,
                        const float* bias, const Launch& launch) {
  return with_any_element(head.type, [&](auto zero) {
    return launch_kernel(classify<decltype(zero)>, dim3(static_cast<unsigned>(head.batch)),
                         kHeadThreads, 0, launch, head, y, x, weights, bias, launch.completion);
  });
}

}  // namespace hedge::cuda
