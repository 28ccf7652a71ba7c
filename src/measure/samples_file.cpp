// SPDX-License-Identifier: Apache-2.0
#include "measure/samples_file.h"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::size_t kFlush = 1U << 20U;

bool is_json(const std::string& path) {
  return path.ends_with(".json");
}

/// Text that goes into the file in pieces: ten million samples need not be in memory as text.
class Lines {
 public:
  explicit Lines(const std::string& path) : file_(path) {}

  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    if (text_.size() >= kFlush) flush();
  }
  void commit() {
    flush();
    file_.commit();
  }

 private:
  void flush() {
    file_.write(std::string_view(text_));
    text_.clear();
  }

  AtomicFile file_;
  std::string text_;
};

/// `"key": [a, b, ...]`, the values by `at(i)`.
template <class At>
void add_list(Lines& lines, const char* key, std::size_t count, At at) {
  lines.add(",\n \"{}\": [", key);
  for (std::size_t i = 0; i < count; ++i) lines.add("{}{}", i == 0 ? "" : ",", at(i));
  lines.add("]");
}

}  // namespace

void require_samples_extension(const std::string& path) {
  if (is_json(path) || path.ends_with(".csv")) return;
  throw bad_input(fmt::format("--samples={}: the name must end in .csv or .json", path));
}

void write_samples(const std::string& path, std::span<const std::int64_t> latency_ns,
                   std::span<const std::int64_t> repetition_of) {
  require_samples_extension(path);
  const auto repetition = [&](std::size_t i) {
    return repetition_of.empty() ? 0 : repetition_of[i];
  };
  Lines lines(path);
  if (is_json(path)) {
    lines.add("{{\"schema\": \"hedge.samples/1\"");
    add_list(lines, "latency_ns", latency_ns.size(), [&](std::size_t i) { return latency_ns[i]; });
    if (!repetition_of.empty()) add_list(lines, "repetition", latency_ns.size(), repetition);
    lines.add("}}\n");
  } else {
    lines.add("repetition,index,latency_ns\n");
    for (std::size_t i = 0; i < latency_ns.size(); ++i) {
      lines.add("{},{},{}\n", repetition(i), i, latency_ns[i]);
    }
  }
  lines.commit();
}

void write_samples(const std::string& path, const PacedRun& run) {
  require_samples_extension(path);
  const auto& samples = run.samples;
  Lines lines(path);
  if (is_json(path)) {
    lines.add("{{\"schema\": \"hedge.samples/1\"");
    const auto list = [&](const char* key, auto value) {
      add_list(lines, key, samples.size(), [&](std::size_t i) { return value(samples[i]); });
    };
    list("latency_ns", [](const PacedSample& s) { return s.service_ns(); });
    list("scheduled_ns", [&](const PacedSample& s) { return s.scheduled_ns - run.begin_ns; });
    list("begin_ns", [&](const PacedSample& s) { return s.begin_ns - run.begin_ns; });
    list("after_idle", [](const PacedSample& s) { return s.after_idle; });
    lines.add("}}\n");
  } else {
    lines.add("index,scheduled_ns,begin_ns,end_ns,after_idle\n");
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const PacedSample& s = samples[i];
      lines.add("{},{},{},{},{}\n", i, s.scheduled_ns - run.begin_ns, s.begin_ns - run.begin_ns,
                s.end_ns - run.begin_ns, s.after_idle ? 1 : 0);
    }
  }
  lines.commit();
}

}  // namespace hedge
