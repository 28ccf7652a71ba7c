// SPDX-License-Identifier: Apache-2.0
#include "cli/model/model_result.h"

#include <fmt/format.h>

#include <optional>

#include "cli/measuring/measurement_text.h"
#include "data/recipes.h"
#include "measure/timer.h"
#include "measure/validity.h"
#include "result/machine.h"

namespace hedge::cli {
namespace {

std::string interval(const std::optional<Range>& range, double scale, int digits) {
  if (!range) return {};
  return fmt::format(" (95 %: {:.{}f} to {:.{}f})", (*range)[0] * scale, digits,
                     (*range)[1] * scale, digits);
}

}  // namespace

std::string batch_text(const EngineInfo& info) {
  if (!info.batches) return std::to_string(info.batch);
  return fmt::format("{} (to {}, tuned for {})", info.batch, info.batches->most,
                     info.batches->tuned);
}

std::string precision_text(const EngineInfo& info) {
  return info.tf32 ? info.precision + " (products in TF32)" : info.precision;
}

Result describe_run(const std::string& program, const Engine& engine,
                    const ExecutionContext& context, const ModelOptions& options,
                    std::int64_t batch) {
  const EngineInfo& info = engine.info();
  Result result = make_result(program);
  const auto text = [](const std::string& value) {
    return value.empty() ? std::nullopt : std::optional(value);
  };
  result.model = {.file = options.model,
                  .sha256 = text(info.source_sha256),
                  .name = text(info.model),
                  .dataset = text(info.dataset),
                  .precision = text(info.precision),
                  .backend = text(info.backend)};
  result.warnings = context.warnings();
  result.machine = collect_machine_facts();
  result.config.threads = thread_count(options.threads);
  result.config.batch = batch;
  if (const auto* gpu = dynamic_cast<const GpuContext*>(&context)) {
    const GpuContext::Execution execution = gpu->execution();
    result.config.cuda_graph = execution.cuda_graph;
    result.config.memory_mode = execution.memory_mode;
    result.config.wait = execution.wait;
  }
  if (options.stem) result.config.flags["part"] = "stem";
  if (info.preprocessing) result.config.flags["preprocess"] = to_string(*info.preprocessing);
  if (preprocesses_on_gpu(options)) result.config.flags["preprocess_on"] = "gpu";
  return result;
}

void set_scope(const ModelOptions& options, Result& result) {
  if (!preprocesses_on_gpu(options)) return;
  for (auto* latency : {&result.latency_us, &result.per_iteration_us}) {
    if (*latency && (*latency)->scope == kScopeInfer) (*latency)->scope = kScopePreprocessAndInfer;
  }
}

std::string timed_call(const ModelOptions& options) {
  return preprocesses_on_gpu(options) ? "infer(), preprocessing on the GPU included" : "infer()";
}

MemoryResult memory_result(const ExecutionContext& context) {
  const MemoryUse use = context.memory();
  return {.engine_bytes = static_cast<std::int64_t>(use.engine_bytes),
          .arena_bytes = static_cast<std::int64_t>(use.arena_bytes),
          .peak_rss_bytes = peak_rss_bytes(),
          .gpu_bytes = std::nullopt};
}

std::string model_line(const Result& result) {
  const RunConfig& config = result.config;
  std::string text =
      fmt::format("model      {} on {}, {}, backend {}, batch {}, {} thread{}\n",
                  result.model.name.value_or("?"), result.model.dataset.value_or("no dataset"),
                  result.model.precision.value_or("?"), result.model.backend.value_or("?"),
                  *config.batch, *config.threads, *config.threads == 1 ? "" : "s");
  if (config.cuda_graph && config.memory_mode && config.wait) {
    text += fmt::format("gpu        {}, memory {}, wait {}\n",
                        *config.cuda_graph ? "CUDA graph" : "no CUDA graph", *config.memory_mode,
                        *config.wait);
  }
  return text;
}

std::string exit_line(const EngineInfo& info) {
  std::vector<std::string> cut;
  for (const Binding& binding : info.exit->cut) {
    cut.push_back(fmt::format("{} {}", printable(binding.name), to_string(binding.shape)));
  }
  return fmt::format("early exit {} after {} multiply-accumulates ({:.1f} %); the rest reads {}\n",
                     printable(info.outputs.at(info.exit->output).name),
                     info.exit->multiply_accumulates,
                     100.0 * static_cast<double>(info.exit->multiply_accumulates) /
                         static_cast<double>(info.multiply_accumulates),
                     join_words(cut));
}

std::string accuracy_line(const AccuracyResult& accuracy) {
  if (!accuracy.top1) return "accuracy   no image was measured\n";
  std::string text = fmt::format("accuracy   {:.2f} % top-1{}, {} of {} images\n",
                                 *accuracy.top1 * 100, interval(accuracy.top1_ci95, 100, 2),
                                 accuracy.correct.value_or(0), accuracy.total.value_or(0));
  if (accuracy.top5) text += fmt::format("           {:.2f} % top-5\n", *accuracy.top5 * 100);
  return text;
}

std::string latency_lines(const LatencyResult& latency) {
  std::string text = fmt::format("latency    mean {} us{}", us_text(latency.mean.value_or(0)),
                                 us_interval_text(latency.mean_ci95));
  if (latency.p50) {
    text += fmt::format(
        "\n           p50 {}   p90 {}   p95 {}   p99 {}   min {}   max {} us, {} inferences",
        us_text(*latency.p50), us_text(latency.p90.value_or(0)), us_text(latency.p95.value_or(0)),
        us_text(latency.p99.value_or(0)), us_text(latency.min.value_or(0)),
        us_text(latency.max.value_or(0)), latency.count.value_or(0));
  }
  return text + "\n";
}

std::string timer_line(const TimerOverhead& overhead) {
  return fmt::format(
      "timer      adds {} ns to each sample (its two clock reads cost {:.0f} ns; resolution {} "
      "ns)\n",
      overhead.sample_ns, overhead.pair_ns, overhead.resolution_ns);
}

std::string memory_line(const MemoryResult& memory) {
  constexpr double kMegabyte = 1e6;
  return fmt::format(
      "memory     weights {:.2f} MB, arena {:.2f} MB, peak of the process {:.1f} MB\n",
      static_cast<double>(memory.engine_bytes.value_or(0)) / kMegabyte,
      static_cast<double>(memory.arena_bytes.value_or(0)) / kMegabyte,
      static_cast<double>(memory.peak_rss_bytes.value_or(0)) / kMegabyte);
}

std::string machine_notes(const MachineFacts& machine) {
  std::string text;
  for (const std::string& note : machine.notes) text += fmt::format("note       {}\n", note);
  return text;
}

}  // namespace hedge::cli
