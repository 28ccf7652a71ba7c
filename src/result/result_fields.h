// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <type_traits>

#include "result/result.h"

namespace hedge {

// Key, order and member of every field of the schema, once for writer and reader: `fields(visitor,
// object)` calls visitor(key, member) for each. What needs more than that (schema, flags) is done
// in result_json.cpp.

template <class T, class Struct>
concept MaybeConst = std::same_as<std::remove_const_t<T>, Struct>;

template <class Visitor, MaybeConst<ModelFacts> T>
void fields(Visitor& visit, T& model) {
  visit("file", model.file);
  visit("sha256", model.sha256);
  visit("name", model.name);
  visit("dataset", model.dataset);
  visit("precision", model.precision);
  visit("backend", model.backend);
}

template <class Visitor, MaybeConst<MachineFacts> T>
void fields(Visitor& visit, T& machine) {
  visit("hostname", machine.hostname);
  visit("cpu", machine.cpu);
  visit("cores", machine.cores);
  visit("gpu", machine.gpu);
  visit("driver", machine.driver);
  visit("os", machine.os);
  visit("governor", machine.governor);
  visit("power_mode", machine.power_mode);
  visit("notes", machine.notes);
}

template <class Visitor, MaybeConst<RunConfig> T>
void fields(Visitor& visit, T& config) {
  visit("iterations", config.iterations);
  visit("warmup_iterations", config.warmup_iterations);
  visit("repetitions", config.repetitions);
  visit("threads", config.threads);
  visit("batch", config.batch);
  visit("streams", config.streams);
  visit("cuda_graph", config.cuda_graph);
  visit("memory_mode", config.memory_mode);
  visit("wait", config.wait);
}

template <class Visitor, MaybeConst<AccuracyResult> T>
void fields(Visitor& visit, T& accuracy) {
  visit("top1", accuracy.top1);
  visit("top1_ci95", accuracy.top1_ci95);
  visit("top5", accuracy.top5);
  visit("correct", accuracy.correct);
  visit("total", accuracy.total);
}

template <class Visitor, MaybeConst<PercentileIntervals> T>
void fields(Visitor& visit, T& intervals) {
  visit("p50", intervals.p50);
  visit("p90", intervals.p90);
  visit("p95", intervals.p95);
  visit("p99", intervals.p99);
  visit("p999", intervals.p999);
}

template <class Visitor, MaybeConst<PercentileCounts> T>
void fields(Visitor& visit, T& counts) {
  visit("p50", counts.p50);
  visit("p90", counts.p90);
  visit("p95", counts.p95);
  visit("p99", counts.p99);
  visit("p999", counts.p999);
}

template <class Visitor, MaybeConst<LatencyResult> T>
void fields(Visitor& visit, T& latency) {
  visit("count", latency.count);
  visit("mean", latency.mean);
  visit("mean_ci95", latency.mean_ci95);
  visit("stddev", latency.stddev);
  visit("min", latency.min);
  visit("max", latency.max);
  visit("p50", latency.p50);
  visit("p90", latency.p90);
  visit("p95", latency.p95);
  visit("p99", latency.p99);
  visit("p999", latency.p999);
  visit("ci95", latency.ci95);
  visit("cv", latency.cv);
  visit("autocorrelation_time", latency.autocorrelation_time);
  visit("stretches", latency.stretches);
  visit("independent_samples", latency.independent_samples);
  visit("needed_samples", latency.needed_samples);
  visit("scope", latency.scope);
  visit("timer_overhead", latency.timer_overhead);
  visit("samples_file", latency.samples_file);
}

template <class Visitor, MaybeConst<WarmUpResult> T>
void fields(Visitor& visit, T& warm_up) {
  visit("runs", warm_up.runs);
  visit("seconds", warm_up.seconds);
  visit("steady_us", warm_up.steady_us);
  visit("settled", warm_up.settled);
}

template <class Visitor, MaybeConst<HeadlineResult> T>
void fields(Visitor& visit, T& headline) {
  visit("statistic", headline.statistic);
  visit("us", headline.us);
  visit("upper99_us", headline.upper99_us);
}

template <class Visitor, MaybeConst<SegmentResult> T>
void fields(Visitor& visit, T& segment) {
  visit("first", segment.first);
  visit("count", segment.count);
  visit("median_us", segment.median_us);
  visit("mean_us", segment.mean_us);
  visit("step", segment.step);
}

template <class Visitor, MaybeConst<RegimesResult> T>
void fields(Visitor& visit, T& regimes) {
  visit("segments", regimes.segments);
  visit("drift", regimes.drift);
  visit("of_means", regimes.of_means);
}

template <class Visitor, MaybeConst<PacedResult> T>
void fields(Visitor& visit, T& paced) {
  visit("rate_per_s", paced.rate_per_s);
  visit("arrivals", paced.arrivals);
  visit("seed", paced.seed);
  visit("requests", paced.requests);
  visit("missed", paced.missed);
  visit("seconds", paced.seconds);
  visit("busy", paced.busy);
  visit("wake_up_us", paced.wake_up_us);
  visit("response_us", paced.response_us);
  visit("after_idle_us", paced.after_idle_us);
}

template <class Visitor, MaybeConst<UsageResult> T>
void fields(Visitor& visit, T& usage) {
  visit("wall_seconds", usage.wall_seconds);
  visit("cpu_seconds", usage.cpu_seconds);
  visit("user_seconds", usage.user_seconds);
  visit("system_seconds", usage.system_seconds);
  visit("cpu_us_per_inference", usage.cpu_us_per_inference);
  visit("waits", usage.waits);
  visit("preemptions", usage.preemptions);
  visit("page_faults", usage.page_faults);
}

template <class Visitor, MaybeConst<SplitResult> T>
void fields(Visitor& visit, T& split) {
  visit("preprocess", split.preprocess);
  visit("copy_in", split.copy_in);
  visit("compute", split.compute);
  visit("copy_out", split.copy_out);
  visit("decide", split.decide);
  visit("enqueue", split.enqueue);
  visit("wall", split.wall);
}

template <class Visitor, MaybeConst<MemoryResult> T>
void fields(Visitor& visit, T& memory) {
  visit("engine_bytes", memory.engine_bytes);
  visit("arena_bytes", memory.arena_bytes);
  visit("peak_rss_bytes", memory.peak_rss_bytes);
  visit("gpu_bytes", memory.gpu_bytes);
}

template <class Visitor, MaybeConst<EnergyResult> T>
void fields(Visitor& visit, T& energy) {
  visit("meter", energy.meter);
  visit("rails", energy.rails);
  visit("seconds", energy.seconds);
  visit("distinct_samples", energy.distinct_samples);
  visit("joules_total", energy.joules_total);
  visit("idle_watts", energy.idle_watts);
  visit("mean_watts", energy.mean_watts);
  visit("mj_per_inference", energy.mj_per_inference);
  visit("mj_per_inference_net", energy.mj_per_inference_net);
  visit("ci95", energy.ci95);
  visit("joules_total_ci95", energy.joules_total_ci95);
  visit("idle_watts_ci95", energy.idle_watts_ci95);
  visit("mean_watts_ci95", energy.mean_watts_ci95);
  visit("net_ci95", energy.net_ci95);
  visit("inferences", energy.inferences);
  visit("refresh_seconds", energy.refresh_seconds);
  visit("covers", energy.covers);
  visit("gain_error", energy.gain_error);
  visit("rail_details", energy.rail_details);
}

template <class Visitor, MaybeConst<ConfusionResult> T>
void fields(Visitor& visit, T& confusion) {
  visit("kept_right", confusion.kept_right);
  visit("kept_wrong", confusion.kept_wrong);
  visit("offloaded_right", confusion.offloaded_right);
  visit("offloaded_wrong", confusion.offloaded_wrong);
  visit("offloaded_server_right", confusion.offloaded_server_right);
  visit("offloaded_server_wrong", confusion.offloaded_server_wrong);
  visit("gained", confusion.gained);
  visit("lost", confusion.lost);
}

template <class Visitor, MaybeConst<PairedResult> T>
void fields(Visitor& visit, T& paired) {
  visit("difference", paired.difference);
  visit("only_hi_right", paired.only_hi_right);
  visit("only_other_right", paired.only_other_right);
  visit("p_value", paired.p_value);
}

template <class Visitor, MaybeConst<HiResult> T>
void fields(Visitor& visit, T& hi) {
  visit("decision", hi.decision);
  visit("parameters", hi.parameters);
  visit("offloads", hi.offloads);
  visit("offload_fraction", hi.offload_fraction);
  visit("accuracy_local", hi.accuracy_local);
  visit("accuracy_server", hi.accuracy_server);
  visit("accuracy", hi.accuracy);
  visit("threshold", hi.threshold);
  visit("temperature", hi.temperature);
  visit("origin", hi.origin);
  visit("server", hi.server);
  visit("images", hi.images);
  visit("correct", hi.correct);
  visit("offload_fraction_ci95", hi.offload_fraction_ci95);
  visit("accuracy_local_ci95", hi.accuracy_local_ci95);
  visit("accuracy_server_ci95", hi.accuracy_server_ci95);
  visit("accuracy_ci95", hi.accuracy_ci95);
  visit("confusion", hi.confusion);
  visit("against_local", hi.against_local);
  visit("against_server", hi.against_server);
  visit("decision_us", hi.decision_us);
}

template <class Visitor, MaybeConst<EarlyExitResult> T>
void fields(Visitor& visit, T& early) {
  visit("decision", early.decision);
  visit("threshold", early.threshold);
  visit("stem_fraction", early.stem_fraction);
  visit("exits", early.exits);
  visit("exit_fraction", early.exit_fraction);
  visit("accuracy_exited", early.accuracy_exited);
  visit("accuracy_exit", early.accuracy_exit);
  visit("accuracy_net", early.accuracy_net);
  visit("offloads", early.offloads);
  visit("accuracy_server", early.accuracy_server);
  visit("lost", early.lost);
  visit("won", early.won);
  visit("exited_us", early.exited_us);
  visit("continued_us", early.continued_us);
  visit("offloaded_us", early.offloaded_us);
  visit("whole_us", early.whole_us);
  visit("saved", early.saved);
  visit("saved_ci98", early.saved_ci98);
}

template <class Visitor, MaybeConst<ConditionsResult> T>
void fields(Visitor& visit, T& conditions) {
  visit("before", conditions.before);
  visit("during", conditions.during);
  visit("after", conditions.after);
}

template <class Visitor, MaybeConst<Validity> T>
void fields(Visitor& visit, T& validity) {
  visit("verdict", validity.verdict);
  visit("reasons", validity.reasons);
}

template <class Visitor, MaybeConst<Result> T>
void fields(Visitor& visit, T& result) {
  visit("program", result.program);
  visit("time_utc", result.time_utc);
  visit("hedge_version", result.hedge_version);
  visit("model", result.model);
  visit("machine", result.machine);
  visit("config", result.config);
  visit("accuracy", result.accuracy);
  visit("latency_us", result.latency_us);
  visit("headline", result.headline);
  visit("per_iteration_us", result.per_iteration_us);
  visit("repetitions_us", result.repetitions_us);
  visit("cold_us", result.cold_us);
  visit("warmup", result.warmup);
  visit("regimes", result.regimes);
  visit("paced", result.paced);
  visit("usage", result.usage);
  visit("split_us", result.split_us);
  visit("throughput_per_s", result.throughput_per_s);
  visit("memory", result.memory);
  visit("energy", result.energy);
  visit("hi", result.hi);
  visit("early_exit", result.early_exit);
  visit("conditions", result.conditions);
  visit("validity", result.validity);
  visit("warnings", result.warnings);
}

}  // namespace hedge
