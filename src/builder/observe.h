// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "hedge/dataset.h"
#include "hedge/engine.h"
#include "hedge/preprocessing.h"

namespace hedge {

class Backend;

/// The first images of a dataset, as a net is fed with them.
struct ImageJob {
  const Dataset& dataset;
  const Preprocessing& prepare;
  std::int64_t images = 0;  ///< At most those of the dataset.
  std::int64_t batch = 1;   ///< Images between two reports of progress.
  int threads = 0;          ///< 0: every CPU. Each runs a net of its own.
  /// Called from one thread at a time. May be empty.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};

  /// The images that are run.
  [[nodiscard]] std::int64_t total() const;
};

/// What a thread does with its outputs: the context after infer(), of whose batch the first `count`
/// are the images from `first` on.
using Visitor =
    std::function<void(const ExecutionContext& context, std::int64_t first, std::int64_t count)>;

/// Output `index` of the first `count` images, under observe().
[[nodiscard]] std::span<const float> values_of(const ExecutionContext& context, std::size_t index,
                                               std::int64_t count);

/// Runs images through contexts of `make_context`, whose batch is `batch`; each thread gets a
/// visitor of its own. In no order. Throws what a thread threw first; runtime_failure when
/// cancelled, beginning with `what`.
void for_each_batch(const ImageJob& run, std::int64_t batch, const char* what,
                    const std::function<std::unique_ptr<ExecutionContext>()>& make_context,
                    const std::function<Visitor()>& make_visitor);

/// Runs the optimised graph in fp32 with `values` as its outputs, in that order. (The graph's input
/// may be among them.) Throws as for_each_batch, and as the backend does.
void observe(const Graph& graph, const Backend& backend, const std::vector<ValueId>& values,
             const ImageJob& run, const char* what, const std::function<Visitor()>& make_visitor);

}  // namespace hedge
