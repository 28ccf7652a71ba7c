// SPDX-License-Identifier: Apache-2.0
#include "fetch/download.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "base/cancellation.h"
#include "base/log.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr long kMostRedirects = 10;
constexpr std::chrono::milliseconds kFirstWait{500};
constexpr std::chrono::milliseconds kLongestWait{30'000};

/// "; the proxy that https_proxy names was used", where one is set: it is the first suspect.
std::string proxy_hint(const std::string& url) {
  const bool secure = url.starts_with("https");
  const std::array<const char*, 4> names{secure ? "https_proxy" : "http_proxy",
                                         secure ? "HTTPS_PROXY" : "http_proxy", "all_proxy",
                                         "ALL_PROXY"};
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0')
      return fmt::format("; ${} is set: is its proxy right?", name);
  }
  return {};
}

/// One request and its answer, written into the part as it comes. libcurl is C: what is thrown in
/// its callbacks is kept and thrown again after it returned.
class Attempt {
 public:
  Attempt(const std::string& url, PartFile& part, const DownloadOptions& options)
      : url_(url), part_(part), options_(options), offset_(part.size()) {
    if (handle_ == nullptr) throw runtime_failure("libcurl cannot be initialised");
    set_up();
  }

  [[nodiscard]] CURLcode perform() {
    const CURLcode code = curl_easy_perform(handle_.get());
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status_);
    if (failure_) std::rethrow_exception(failure_);
    if (code == CURLE_OK && !begun_) begin_body();  // An empty answer.
    return code;
  }

  [[nodiscard]] long status() const { return status_; }
  /// The server's own wish (Retry-After), 0 without one.
  [[nodiscard]] std::chrono::seconds retry_after() const {
    curl_off_t seconds = 0;
    curl_easy_getinfo(handle_.get(), CURLINFO_RETRY_AFTER, &seconds);
    return std::chrono::seconds(seconds);
  }
  [[nodiscard]] std::string reason(CURLcode code) const {
    if (code == CURLE_HTTP_RETURNED_ERROR) return fmt::format("the server answers {}", status_);
    return error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(handle_.get(), option, value); code != CURLE_OK)
      throw runtime_failure(fmt::format("{}: libcurl: {}", shown(), curl_easy_strerror(code)));
  }

  void set_up() {
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_USERAGENT, "hedge/" HEDGE_VERSION);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kMostRedirects);
#if LIBCURL_VERSION_NUM >= 0x075500
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    set(CURLOPT_REDIR_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options_.timeout_s));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.timeout_s));
    // As the program curl does, which the library leaves to its user.
    if (const char* file = std::getenv("CURL_CA_BUNDLE"); file != nullptr && *file != '\0')
      set(CURLOPT_CAINFO, file);
    set(CURLOPT_WRITEFUNCTION, &Attempt::on_bytes);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERFUNCTION, &Attempt::on_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(CURLOPT_XFERINFOFUNCTION, &Attempt::on_progress);
    set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
    set(CURLOPT_NOPROGRESS, 0L);
    if (offset_ == 0) return;
    // Not CURLOPT_RESUME_FROM, which takes a whole file in answer for an error.
    set(CURLOPT_RANGE, fmt::format("{}-", offset_).c_str());
    if (part_.validator().empty()) return;
    headers_.reset(curl_slist_append(nullptr, ("If-Range: " + part_.validator()).c_str()));
    set(CURLOPT_HTTPHEADER, headers_.get());
  }

  void take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // Of a redirect, or of what follows it.
      etag_.clear();
      modified_.clear();
      range_.clear();
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string name = to_lower(line.substr(0, colon));
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.remove_suffix(1);
    // A weak ETag does not vouch for bytes (RFC 9110, 13.1.5).
    if (name == "etag" && !value.starts_with("W/")) etag_ = value;
    if (name == "last-modified") modified_ = value;
    if (name == "content-range") range_ = value;
  }

  /// Before the first byte: whether they continue the part or replace it, and whether their number
  /// is right.
  void begin_body() {
    begun_ = true;
    curl_easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status_);
    curl_off_t length = -1;
    curl_easy_getinfo(handle_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    std::uint64_t total = length < 0 ? 0 : static_cast<std::uint64_t>(length);
    if (status_ == 206) {
      ContentRange range;
      if (!parse_content_range(range_, range) || range.first != part_.size()) {
        throw runtime_failure(
            fmt::format("{}: asked for the bytes from {} on, the server sends '{}'; remove {} and "
                        "run again",
                        shown(), offset_, range_, part_.path().string()));
      }
      total = range.total;
      part_.set_validator(validator());
    } else if (status_ == 200) {
      part_.restart(validator());
    } else {
      throw runtime_failure(
          fmt::format("{}: the server answers {}, not with a file", shown(), status_));
    }
    if (total != 0 && options_.bytes != 0 && total != options_.bytes) {
      part_.restart("");
      throw runtime_failure(fmt::format(
          "{}: the server has {} bytes, the archive has {}: not this file (a login page "
          "of the network?); name a mirror with --url",
          shown(), total, options_.bytes));
    }
    total_ = options_.bytes != 0 ? options_.bytes : total;
  }

  void take_bytes(std::span<const std::byte> bytes) {
    if (!begun_) begin_body();
    if (part_.size() + bytes.size() > options_.most_bytes) {
      part_.restart("");
      throw runtime_failure(fmt::format("{}: the server sends more than {} bytes: not this file",
                                        shown(), options_.most_bytes));
    }
    part_.append(bytes);
  }

  static std::size_t on_bytes(const char* data, std::size_t, std::size_t count, void* self) {
    auto* attempt = static_cast<Attempt*>(self);
    try {
      attempt->take_bytes(std::as_bytes(std::span(data, count)));
      return count;
    } catch (...) {
      attempt->failure_ = std::current_exception();
      return 0;
    }
  }

  static std::size_t on_header(const char* data, std::size_t, std::size_t count, void* self) {
    auto* attempt = static_cast<Attempt*>(self);
    try {
      attempt->take_header({data, count});
      return count;
    } catch (...) {
      attempt->failure_ = std::current_exception();
      return 0;
    }
  }

  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto* attempt = static_cast<Attempt*>(self);
    if (attempt->begun_ && attempt->options_.progress)
      attempt->options_.progress(attempt->part_.size(), attempt->total_);
    return cancellation_requested() ? 1 : 0;
  }

  [[nodiscard]] const std::string& validator() const {
    return etag_.empty() ? modified_ : etag_;
  }
  [[nodiscard]] std::string shown() const {
    return without_credentials(url_);
  }

  std::string url_;
  PartFile& part_;
  const DownloadOptions& options_;
  std::uint64_t offset_;
  std::uint64_t total_ = 0;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_{curl_easy_init(), curl_easy_cleanup};
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers_{nullptr,
                                                                       curl_slist_free_all};
  std::array<char, CURL_ERROR_SIZE> error_{};
  std::string etag_;
  std::string modified_;
  std::string range_;
  std::exception_ptr failure_;
  long status_ = 0;
  bool begun_ = false;
};

/// Whether the same request may succeed a moment later.
bool may_pass(CURLcode code, long status) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    case CURLE_HTTP_RETURNED_ERROR:
      return status == 408 || status == 429 || status >= 500;
    default:
      return false;
  }
}

std::string advice(CURLcode code) {
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE)
    return "; is the package ca-certificates installed and the clock right?";
  if (code == CURLE_HTTP_RETURNED_ERROR) return "; name a mirror with --url";
  return {};
}

/// False when cancelled.
bool wait(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    if (cancellation_requested()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return !cancellation_requested();
}

}  // namespace

bool parse_content_range(const std::string& text, ContentRange& range) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return false;
  const char* const end = text.data() + text.size();
  std::uint64_t last = 0;
  auto parsed = std::from_chars(text.data() + kUnit.size(), end, range.first);
  if (parsed.ec != std::errc{} || parsed.ptr == end || *parsed.ptr != '-') return false;
  parsed = std::from_chars(parsed.ptr + 1, end, last);
  if (parsed.ec != std::errc{} || parsed.ptr == end || *parsed.ptr != '/') return false;
  range.total = 0;
  if (std::string_view(parsed.ptr + 1, end) == "*") return last >= range.first;
  parsed = std::from_chars(parsed.ptr + 1, end, range.total);
  return parsed.ec == std::errc{} && parsed.ptr == end && range.first <= last && last < range.total;
}

std::string without_credentials(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t host = scheme + 3;
  const std::size_t host_end = std::min(url.find_first_of("/?#", host), url.size());
  const std::size_t at = url.rfind('@', host_end);
  if (at == std::string::npos || at < host) return url;
  return url.substr(0, host) + url.substr(at + 1);
}

bool download(const std::string& url, PartFile& part, const DownloadOptions& options) {
  const std::string shown = without_credentials(url);
  if (!to_lower(url).starts_with("http://") && !to_lower(url).starts_with("https://"))
    throw bad_input(fmt::format("{}: no address that begins with http:// or https://", shown));
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) throw runtime_failure("libcurl cannot be initialised");

  part.continue_from(shown);
  std::uint64_t most = part.size();
  std::chrono::milliseconds pause = kFirstWait;
  for (int failures = 0;;) {
    if (options.bytes != 0 && part.size() == options.bytes) return true;
    if (part.size() > options.most_bytes) part.restart("");
    Attempt attempt(url, part, options);
    const bool resumed = part.size() > 0;
    const CURLcode code = attempt.perform();
    if (code == CURLE_ABORTED_BY_CALLBACK || cancellation_requested()) return false;
    // An answer of unknown length that ends early looks whole to libcurl.
    const bool cut = code == CURLE_OK && options.bytes != 0 && part.size() < options.bytes;
    if (code == CURLE_OK && !cut) return true;
    const std::string reason =
        cut ? fmt::format("the answer ends after {} of {} bytes", part.size(), options.bytes)
            : attempt.reason(code);
    if (resumed && attempt.status() == 416) {  // The part is longer than the server's file.
      part.restart("");
    } else if (!cut && !may_pass(code, attempt.status())) {
      throw runtime_failure(
          fmt::format("{}: {}{}{}", shown, reason, advice(code), proxy_hint(url)));
    }
    if (part.size() > most) {
      most = part.size();
      failures = 0;
      pause = kFirstWait;
    }
    if (++failures > options.retries) {
      throw runtime_failure(fmt::format("{}: {}; gave up after {} attempts, run again to go on{}",
                                        shown, reason, failures, proxy_hint(url)));
    }
    const auto asked = std::chrono::milliseconds(attempt.retry_after());
    const auto time = std::min(std::max(pause, asked), kLongestWait);
    log(LogLevel::kWarning,
        fmt::format("{}: {}; trying again in {} ms", shown, reason, time.count()));
    if (!wait(time)) return false;
    pause = std::min(pause * 2, kLongestWait);
  }
}

}  // namespace hedge
