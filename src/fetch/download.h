// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fetch/part_file.h"

namespace hedge {

struct DownloadOptions {
  std::uint64_t bytes = 0;  ///< Of the whole file; 0: not known, then the server's word is taken.
  std::uint64_t most_bytes = 0;  ///< A longer answer is cut off and refused.
  int timeout_s = 30;            ///< Longest wait for a connection, and for a next byte.
  int retries = 5;               ///< After an attempt that failed, until one brings something.
  /// Bytes there and bytes in all, 0 where unknown.
  std::function<void(std::uint64_t, std::uint64_t)> progress;
};

/// Completes `part` from an http or https address: continues what is there where the server can,
/// begins again where it cannot or where its file has changed, follows redirects, goes through the
/// proxy that https_proxy, http_proxy and no_proxy name, and repeats what may pass after waits of
/// 0.5 s, doubled to 30 s at most. False when it was cancelled; the part is then kept. Throws
/// bad_input for an address that is none, runtime_failure naming the address otherwise.
[[nodiscard]] bool download(const std::string& url, PartFile& part, const DownloadOptions& options);

/// The offset at which "bytes 100-199/200" begins and the length of the whole, 0 for `*`.
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t total = 0;
};
/// False for what is no such text.
[[nodiscard]] bool parse_content_range(const std::string& text, ContentRange& range);

/// Without a user's name and password, for messages and files.
[[nodiscard]] std::string without_credentials(const std::string& url);

}  // namespace hedge
