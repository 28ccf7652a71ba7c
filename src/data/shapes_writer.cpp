// SPDX-License-Identifier: Apache-2.0
#include "data/shapes_writer.h"

#include <algorithm>
#include <vector>

#include "base/cancellation.h"
#include "base/file.h"
#include "data/shapes.h"

namespace hedge {

bool write_shapes(const std::filesystem::path& file, std::uint64_t seed, std::uint64_t images,
                  const std::function<void(std::uint64_t)>& progress) {
  constexpr std::uint64_t kChunk = 500;  // About a megabyte and a half for each write.
  AtomicFile out(file);
  std::vector<std::uint8_t> records;
  for (std::uint64_t done = 0; done < images;) {
    if (cancellation_requested()) return false;
    const std::uint64_t count = std::min(kChunk, images - done);
    records.resize(count * kCifarRecordBytes);
    for (std::uint64_t i = 0; i < count; ++i) {
      render_shapes_record(seed, done + i,
                           std::span<std::uint8_t, kCifarRecordBytes>(
                               records.data() + i * kCifarRecordBytes, kCifarRecordBytes));
    }
    out.write(std::as_bytes(std::span(records)));
    done += count;
    if (progress) progress(done);
  }
  out.commit();
  return true;
}

}  // namespace hedge
