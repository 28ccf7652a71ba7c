// SPDX-License-Identifier: Apache-2.0
#include "measure/streams.h"

#include <fmt/format.h>

#include <iterator>
#include <limits>

#include "hedge/error.h"

namespace hedge {

StreamsSummary summarize(std::span<const StreamRun> runs) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::min();
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  for (const StreamRun& run : runs) {
    if (run.samples.empty()) throw bad_input("a stream without an inference");
    begin = std::max(begin, run.samples.front().begin_ns);
    end = std::min(end, run.samples.back().end_ns);
  }
  if (runs.empty() || end <= begin) {
    throw bad_input(fmt::format(
        "{} streams were never all busy at once; raise --iterations or --duration", runs.size()));
  }
  StreamsSummary summary;
  summary.window_ns = end - begin;
  std::vector<StreamSample> all;
  for (const StreamRun& run : runs) {
    const std::size_t before = all.size();
    std::copy_if(run.samples.begin(), run.samples.end(), std::back_inserter(all),
                 [&](const StreamSample& s) { return s.end_ns > begin && s.end_ns <= end; });
    summary.counts.push_back(static_cast<std::int64_t>(all.size() - before));
  }
  std::stable_sort(all.begin(), all.end(), [](const StreamSample& a, const StreamSample& b) {
    return a.end_ns < b.end_ns;
  });
  summary.samples_ns.reserve(all.size());
  for (const StreamSample& s : all) summary.samples_ns.push_back(s.end_ns - s.begin_ns);
  return summary;
}

}  // namespace hedge
