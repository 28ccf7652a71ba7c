// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/layout.h"

#include <gtest/gtest.h>

namespace hedge::cuda {
namespace {

constexpr ElementType kHalf = ElementType::kHalf;

TEST(CudaLayout, ChannelsFillGranules) {
  const Layout planes = channels_last({2, 10, 3, 4}, kHalf);
  EXPECT_EQ(planes.strides, (Shape{192, 1, 64, 16}));
  EXPECT_EQ(planes.filled_axis, 1);
  EXPECT_EQ(planes.filled, 16);
  EXPECT_EQ(planes.bytes(), 2U * 12 * 16 * 2);
  EXPECT_EQ(channels_last({2, 16, 3, 4}, kHalf).filled_axis, -1);
  EXPECT_EQ(channels_last({2, 12, 3, 4}, ElementType::kFloat32).filled_axis, -1);
  EXPECT_EQ(channels_last({3, 10}, kHalf).strides, (Shape{16, 1}));
  EXPECT_TRUE(is_dense(planes));
  EXPECT_FALSE(is_row_major(planes));
}

TEST(CudaLayout, ReshapesWhereStridesCanSayIt) {
  // A pooled plane is its channels, the filling still behind them.
  const auto flat = reshaped(channels_last({1, 10, 1, 1}, kHalf), {1, 10});
  ASSERT_TRUE(flat.has_value());
  EXPECT_TRUE(same_layout(*flat, channels_last({1, 10}, kHalf)));
  // A plane that lies by pixels is not its channels one after the other.
  EXPECT_FALSE(reshaped(channels_last({1, 16, 3, 4}, kHalf), {1, 192}).has_value());
  const auto rows = reshaped(channels_last({1, 16, 3, 4}, kHalf), {16, 12});
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->strides, (Shape{1, 16}));
  const auto split = reshaped(row_major({6, 20}, kHalf), {2, 3, 1, 4, 5});
  ASSERT_TRUE(split.has_value());
  EXPECT_TRUE(is_row_major(*split));
  const auto shuffled = reshaped(channels_last({1, 10, 2, 2}, kHalf), {1, 2, 5, 2, 2});
  ASSERT_TRUE(shuffled.has_value());
  EXPECT_EQ(shuffled->strides[1], 5);
  EXPECT_EQ(shuffled->filled_axis, -1);
  EXPECT_TRUE(reshaped(row_major({1}, kHalf), {}).has_value());
}

TEST(CudaLayout, TransposesWithTheirFilling) {
  const Layout seen = transposed(channels_last({1, 10, 3, 4}, kHalf), {0, 2, 3, 1});
  EXPECT_EQ(seen.dims, (Shape{1, 3, 4, 10}));
  EXPECT_EQ(seen.filled_axis, 3);
  EXPECT_TRUE(same_layout(seen, filled_layout({1, 3, 4, 10}, 3, kHalf)));
}

TEST(CudaLayout, NewValuesLieAsTheirModel) {
  const Layout model = channels_last({2, 10, 3, 4}, ElementType::kFloat32);
  EXPECT_EQ(model.filled, 12);
  EXPECT_EQ(like(model, kHalf).filled, 16);
  EXPECT_EQ(plain_like(model, kHalf).strides, (Shape{120, 1, 40, 10}));
  Layout gaps = row_major({4, 6}, kHalf);
  gaps.strides = {12, 2};
  EXPECT_TRUE(is_row_major(like(gaps, kHalf)));
}

TEST(CudaLayout, BytesFillGranulesOfSixteenAndKeepTheirScale) {
  const Scale scale{0.5F, -128};
  const Layout bytes = bytes_like(channels_last({1, 24, 3, 4}, kHalf), scale);
  EXPECT_EQ(bytes.filled, 32);
  EXPECT_EQ(bytes.bytes(), 12U * 32);
  EXPECT_TRUE(bytes.scale == scale);
  Layout other = bytes;
  other.scale.zero_point = 0;
  EXPECT_FALSE(same_layout(bytes, other));
  EXPECT_TRUE(transposed(bytes, {0, 2, 3, 1}).scale == scale);
  EXPECT_TRUE(reshaped(bytes, {1, 24, 12})->scale == scale);
  EXPECT_EQ(bytes_like(row_major({1, 24, 3, 4}, kHalf), scale).filled_axis, -1);
  EXPECT_TRUE(like(bytes, kHalf).scale == Scale{});
  EXPECT_EQ(filled_layout({1, 10, 2, 2}, 1, ElementType::kFloat32, 8).filled, 16);
}

TEST(CudaLayout, BroadcastsByStridesOfZero) {
  EXPECT_EQ(broadcast(row_major({3, 1, 5}, kHalf), {2, 3, 4, 5}).strides, (Shape{0, 5, 0, 1}));
  EXPECT_EQ(broadcast(row_major({}, kHalf), {2}).strides, (Shape{0}));
}

}  // namespace
}  // namespace hedge::cuda
