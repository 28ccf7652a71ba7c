// SPDX-License-Identifier: Apache-2.0
// The reader of archives: what it hands over is wanted, within bounds, and all of it is readable.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "fetch/archive.h"
#include "hedge/error.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const hedge::ArchiveOptions options{
      .wanted = {"a/x.bin", "a/y.bin"}, .most_member_bytes = 1000, .most_archive_bytes = 100'000};
  std::size_t taken = 0;
  unsigned sum = 0;
  const auto take = [&](const std::string& name, std::span<const std::byte> bytes) {
    require(std::find(options.wanted.begin(), options.wanted.end(), name) != options.wanted.end());
    require(bytes.size() <= options.most_member_bytes);
    for (const std::byte byte : bytes) sum += std::to_integer<unsigned>(byte);
    ++taken;
  };
  try {
    hedge::read_archive(std::as_bytes(std::span(data, size)), "fuzz.tar.gz", options, take);
    require(taken == options.wanted.size());
  } catch (const hedge::Error&) {
    require(taken <= options.wanted.size());
  }
  return sum == 1U << 31U ? 1 : 0;
}
