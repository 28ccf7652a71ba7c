// SPDX-License-Identifier: Apache-2.0
// Two engines, or one with two sets of flags, side by side on the same images; or two files of
// times that were recorded before.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "base/cancellation.h"
#include "base/file.h"
#include "cli/measuring/compare_files.h"
#include "cli/measuring/measurement_text.h"
#include "cli/measuring/measuring_options.h"
#include "cli/measuring/watched_conditions.h"
#include "cli/model/model_options.h"
#include "cli/model/model_result.h"
#include "cli/program/flags.h"
#include "cli/program/program.h"
#include "hedge/error.h"
#include "measure/google_benchmark.h"
#include "measure/latency.h"
#include "measure/latency_result.h"
#include "measure/paired_comparison.h"
#include "measure/steady.h"
#include "result/result_json.h"

namespace hedge::cli {
namespace {

constexpr const char* kExamples =
    "Examples:\n"
    "  hedge compare old.engine new.engine\n"
    "  hedge compare resnet8_shapes.onnx --a=--precision=fp32 --b=--precision=bf16\n"
    "  hedge compare net.engine --b=\"--threads=2\" --iterations=20000\n"
    "  hedge compare net.engine --b=--memory=pinned     on a GPU; also --wait and --no-cuda-graph\n"
    "  hedge compare monday.json tuesday.json\n"
    "  hedge compare times.json latest.json          of trtexec --exportTimes, or Google "
    "Benchmark\n"
    "\n"
    "The two run in turn in one process on the same image, a coin says which goes first; in\n"
    "rounds, for each of which they are loaded anew. The ratio is the mean of the pairs' ratios\n"
    "(of their logarithms, without the twentieth at either end); below 1 A is faster. Files are\n"
    "compared by their means: those of --json and --samples, of trtexec and of Google Benchmark.\n"
    "Intervals respect rounds and autocorrelation, and a difference is called one where the 98 %\n"
    "interval leaves 1 out; of files, which were measured apart, where it leaves out 2 % around\n"
    "it. Below 3 rounds there is no verdict. --strict makes INVALID measurements (a busy machine,\n"
    "throttling; docs/conditions.md) exit with status 3.\n";

struct Options {
  std::string a;
  std::string b;
  std::string flags_a;
  std::string flags_b;
  std::string iterations = "2000";
  std::string warm_up = "100";
  std::string rounds = "20";
  std::string seed = "0";
  std::string benchmark_out;
  bool strict = false;
  RecordedChoice recorded;
};

/// One side of the comparison.
struct Contender {
  ModelOptions options;
  std::string batch_text;
  std::int64_t batch = 1;
  ContextOptions how;
  std::shared_ptr<const Engine> engine;
  std::unique_ptr<Dataset> dataset;
  std::unique_ptr<ExecutionContext> context;
  std::optional<Preprocessing> prepare;

  /// Returns what may be files in the flags.
  std::vector<NamedFile> read_flags(const std::string& side, const std::string& model,
                                    const std::string& flags) {
    CLI::App app;
    add_model_options(app, options);
    add_gpu_options(app, options.gpu);
    add_decode_options(app, options);
    app.add_option("--batch", batch_text);
    try {
      parse_arguments(app, split_command_line(flags), side);
    } catch (const CLI::ParseError&) {  // --help
      throw bad_input(fmt::format("{}: takes the flags of inference (inference --help)", side));
    }
    if (options.model.empty()) options.model = model;
    return stated_files(app, side + "=");
  }

  void open(const std::string& iterations) {
    engine = open_engine(options);
    dataset = open_dataset(*engine, options);
    dataset =
        decoded_ahead(std::move(dataset), options,
                      parse_iterations(iterations, static_cast<std::int64_t>(dataset->size())));
    prepare = preprocessing_of(*engine);
    batch = batch_of(*engine, batch_text);
    how = context_options(options, batch);
  }

  /// Compiles and allocates anew.
  void create() { context = engine->create_context(how); }

  /// The same image in each place of the batch.
  void load(std::size_t index) {
    const auto input = context->input();
    const Image image = dataset->image(index % dataset->size());
    const std::size_t size = input.size() / static_cast<std::size_t>(batch);
    for (std::size_t at = 0; at < input.size(); at += size)
      (*prepare)(image, input.subspan(at, size));
    context->copy_in();
  }

  [[nodiscard]] Result result(const Summary& summary, const TimerOverhead& overhead) const {
    Result result = describe_run("compare", *engine, *context, options, batch);
    result.config.iterations = static_cast<std::int64_t>(summary.count);
    result.latency_us = latency_result(summary, kScopeInfer, overhead);
    result.memory = memory_result(*context);
    return result;
  }
};

/// Times of different work say nothing about the engines.
void require_same_images(const Contender& a, const Contender& b) {
  if (a.batch != b.batch) {
    throw bad_input(
        fmt::format("A has batch {}, B has {}: give both the same --batch (inference "
                    "--batch=1,4 measures several)",
                    a.batch, b.batch));
  }
  const Image first = a.dataset->image(0);
  const Image second = b.dataset->image(0);
  if (a.dataset->size() != b.dataset->size() || first.label != second.label ||
      !std::equal(first.pixels.begin(), first.pixels.end(), second.pixels.begin(),
                  second.pixels.end())) {
    throw bad_input(fmt::format("A is measured on {}, B on {}: compare on the same images",
                                a.engine->info().dataset, b.engine->info().dataset));
  }
}

void print_side(const Program& program, const char* name, const Result& result) {
  program.print("{}  {} ({})\n", name, *result.model.file, name[0] == 'A' ? "first" : "second");
  program.print_text(model_line(result));
  program.print_text(latency_lines(*result.latency_us));
}

/// Loads both anew, in any order and behind some memory of any size, so that where theirs lies is
/// drawn again.
class Placement {
 public:
  Placement(Contender& a, Contender& b, std::uint64_t seed) : a_(a), b_(b), random_(~seed) {}

  void draw() {
    a_.context.reset();
    b_.context.reset();
    padding_.clear();
    const bool swapped = (random_() & 1U) != 0;
    for (Contender* contender : {swapped ? &b_ : &a_, swapped ? &a_ : &b_}) {
      for (std::uint64_t pieces = random_() % 8; pieces > 0; --pieces) {
        padding_.emplace_back(random_() % 100'000);
      }
      contender->create();
    }
  }

 private:
  Contender& a_;
  Contender& b_;
  std::mt19937_64 random_;
  std::vector<std::vector<char>> padding_;
};

/// How many pairs, and the index of each round's first one.
struct Rounds {
  std::size_t pairs = 0;
  std::vector<std::size_t> begins;
};

/// Pairs in rounds. A round that Ctrl-C cut short counts only where there is no other.
Rounds run_rounds(const Program& program, Contender& a, Contender& b,
                  PairedComparison<>& comparison, std::int64_t pairs, std::int64_t rounds,
                  std::int64_t warm_up_runs, std::uint64_t seed) {
  ProgressBar progress(program, "comparing", pairs);
  Placement placement(a, b, seed);
  Rounds done;
  for (std::int64_t round = 0; round < rounds && !cancellation_requested(); ++round) {
    placement.draw();
    // Later rounds find clocks and caches as the ones before left them.
    const std::int64_t runs = round == 0 ? warm_up_runs : (warm_up_runs + 9) / 10;
    for (Contender* contender : {&a, &b}) {
      contender->load(0);
      (void)warm_up_calls([&] { contender->context->infer(); }, WarmUpRule::runs(runs));
    }
    const std::int64_t begin = pairs * round / rounds;
    const std::int64_t end = pairs * (round + 1) / rounds;
    std::int64_t i = begin;
    for (; i < end && !cancellation_requested(); ++i) {
      a.load(static_cast<std::size_t>(i));
      b.load(static_cast<std::size_t>(i));
      comparison.run_pair([&] { a.context->infer(); }, [&] { b.context->infer(); });
      progress.update(i);
    }
    if (i == end || (round == 0 && i > begin)) {
      done.begins.push_back(static_cast<std::size_t>(begin));
      done.pairs = static_cast<std::size_t>(i);
    }
  }
  if (done.begins.empty()) throw runtime_failure("cancelled before the first pair");
  return done;
}

/// The samples of both for compare.py.
void write_google_benchmark(const std::string& file, const PairedComparison<>& comparison,
                            std::size_t pairs, const Result& a, const Result& b) {
  const auto name = [](const char* side, const Result& result) {
    return fmt::format("{}/{}", side, std::filesystem::path(*result.model.file).stem().string());
  };
  const NamedSamples samples[] = {{name("A", a), comparison.a_ns().first(pairs)},
                                  {name("B", b), comparison.b_ns().first(pairs)}};
  write_file(file, google_benchmark_json(samples, a).dump(2) + "\n");
}

void print_verdict(const Program& program, const ComparisonResult& result,
                   const Validity& validity) {
  const bool one = result.rounds == 1;
  const bool doubted =
      validity.verdict == Verdict::kInvalid && result.verdict != ComparisonVerdict::kTooFewRounds;
  program.print("{}{}, {} pairs in {} round{}: {}{}\n", ratio_text(result.ratio),
                one ? " within the round" : "", result.pairs, result.rounds, one ? "" : "s",
                to_string(result.verdict), doubted ? kOnInvalid : "");
  program.print_text(verdict_lines(validity));
}

nlohmann::ordered_json comparison_json(const ComparisonResult& result, const Result& about,
                                       const Result& a, const Result& b) {
  nlohmann::ordered_json json{
      {"schema", "hedge.comparison/1"}, {"paired", true}, {"ratio", result.ratio.ratio}};
  if (result.ratio.interval) {
    json["ratio_ci98"] = {result.ratio.interval->lower, result.ratio.interval->upper};
  }
  json["pairs"] = result.pairs;
  json["rounds"] = result.rounds;
  json["verdict"] = to_string(result.verdict);
  const nlohmann::ordered_json both = result_to_json(about);
  for (const char* key : {"validity", "warnings", "conditions"}) {
    if (both.contains(key)) json[key] = both.at(key);
  }
  json["a"] = result_to_json(a);
  json["b"] = result_to_json(b);
  return json;
}

int compare(const Program& program, const Options& options) {
  if (options.a.empty()) throw bad_input("nothing to compare: give A and B, or A with --a or --b");
  Contender a;
  Contender b;
  std::vector<NamedFile> files = a.read_flags("--a", options.a, options.flags_a);
  const std::string& model_b = options.b.empty() ? options.a : options.b;
  for (NamedFile& file : b.read_flags("--b", model_b, options.flags_b)) {
    files.push_back(std::move(file));
  }
  program.check_files({.written = {{"--benchmark_out", options.benchmark_out}}}, files);
  if (is_recorded(options.a) != is_recorded(options.b) && !options.b.empty()) {
    const bool first = is_recorded(options.a);
    throw bad_input(
        fmt::format("{} is no model but recorded times, by its name (.json, .csv), and {} is none "
                    "of these: give two of one kind",
                    first ? options.a : options.b, first ? options.b : options.a));
  }
  const CLI::App& app = program.app();
  if (is_recorded(options.a)) {
    refuse_given(flags_named(app, {"--a", "--b", "--iterations", "--warmup", "--rounds", "--seed",
                                   "--benchmark_out"}),
                 "is for engines that are timed here; these times were recorded");
    if (options.b.empty()) throw bad_input("nothing to compare with: give a second file of times");
    return compare_files(program, options.a, options.b, options.recorded, options.strict);
  }
  refuse_given(flags_named(app, {"--benchmark", "--trtexec_time"}),
               "is for files of times that were recorded; these are engines");
  if (options.b.empty() && options.flags_a.empty() && options.flags_b.empty()) {
    throw bad_input("A with itself: give a second model, or flags with --a=FLAGS or --b=FLAGS");
  }
  a.open(options.iterations);
  b.open(options.iterations);
  require_same_images(a, b);
  const std::int64_t pairs =
      parse_iterations(options.iterations, static_cast<std::int64_t>(a.dataset->size()));
  const std::int64_t runs = parse_count("--warmup", options.warm_up, 0, 1'000'000'000);
  const std::int64_t rounds = std::min(parse_count("--rounds", options.rounds, 1, 10'000), pairs);
  const auto seed =
      static_cast<std::uint64_t>(parse_count("--seed", options.seed, 0, 1'000'000'000'000));
  const TimerOverhead overhead = timer_overhead();
  PairedComparison<> comparison(static_cast<std::size_t>(pairs), seed);
  program.show_notes();
  WatchedConditions conditions;
  const Rounds done = run_rounds(program, a, b, comparison, pairs, rounds, runs, seed);
  const bool cut_short = cancellation_requested();
  Result about = make_result("compare");  // Conditions and verdict, which are those of both.
  std::vector<std::string> serious = conditions.finish(about);
  const ComparisonResult result = compare_samples(comparison.a_ns().first(done.pairs),
                                                  comparison.b_ns().first(done.pairs), done.begins);
  about.validity = judge_comparison(result, overhead, cut_short, std::move(serious));
  const Result result_a = a.result(result.a, overhead);
  const Result result_b = b.result(result.b, overhead);
  print_side(program, "A", result_a);
  print_side(program, "B", result_b);
  print_verdict(program, result, *about.validity);
  if (!options.benchmark_out.empty()) {
    write_google_benchmark(options.benchmark_out, comparison, done.pairs, result_a, result_b);
  }
  program.write_json(comparison_json(result, about, result_a, result_b));
  return cut_short ? kExitCancelled : status_of(*about.validity, options.strict);
}

}  // namespace
}  // namespace hedge::cli

int main(int argc, char** argv) {
  using namespace hedge::cli;
  Program program("compare", "Compare the latency of two engines, interleaved in pairs", kExamples);
  Options options;
  CLI::App& app = program.app();
  app.add_option("A", options.a, "Engine or ONNX file; or recorded times (.json, .csv)")
      ->type_name("FILE");
  app.add_option("B", options.b, "Another one (default: A again)")->type_name("FILE");
  app.add_option("--a", options.flags_a, "Flags of inference for A alone")->type_name("FLAGS");
  app.add_option("--b", options.flags_b, "Flags of inference for B alone")->type_name("FLAGS");
  app.add_option("--iterations", options.iterations,
                 "Pairs (default 2000; 0 or all: as many as the dataset has images)")
      ->type_name("N");
  app.add_option("--warmup", options.warm_up, "Untimed inferences before (default 100)")
      ->type_name("N");
  app.add_option("--rounds", options.rounds,
                 "Times that both are loaded anew, so that where their memory lies does not decide "
                 "(default 20)")
      ->type_name("N");
  app.add_option("--seed", options.seed, "Of the order within pairs (default 0)")->type_name("N");
  app.add_option("--benchmark_out", options.benchmark_out,
                 "Write the samples of both as Google Benchmark does, for its compare.py")
      ->type_name("FILE");
  app.add_option("--benchmark", options.recorded.benchmark,
                 "Of files of Google Benchmark: the one to compare")
      ->type_name("NAME");
  app.add_option("--trtexec_time", options.recorded.trtexec_time,
                 "Of files of trtexec: latency (with copies, default) or compute")
      ->type_name("NAME");
  add_strict_flag(app, options.strict);
  program.add_json_flag("schema hedge.comparison/1");
  return program.run(argc, argv, [&] { return compare(program, options); });
}
