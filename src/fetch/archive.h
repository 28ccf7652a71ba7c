// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hedge {

struct ArchiveOptions {
  std::vector<std::string> wanted;   ///< Full names of members; each must be there once.
  std::uint64_t most_member_bytes;   ///< Of a wanted one.
  std::uint64_t most_archive_bytes;  ///< Of all members, unpacked: an answer to archive bombs.
};

/// Hands each wanted member of a .tar.gz to `take`, whole, in the archive's order; writes nothing.
/// The others are skipped. Throws runtime_failure naming `name` (and the member): damaged, a member
/// missing, twice there, no regular file or too large, or any name that leads out of the folder.
/// What was handed over before that is not to be used.
void read_archive(std::span<const std::byte> bytes, const std::string& name,
                  const ArchiveOptions& options,
                  const std::function<void(const std::string&, std::span<const std::byte>)>& take);

}  // namespace hedge
