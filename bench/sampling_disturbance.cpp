// SPDX-License-Identifier: Apache-2.0
// What reading a power meter beside a model does to the model's latency:
//
//   bench-sampling ENGINE [PAIRS] [READINGS_PER_SECOND]
//
// Blocks of inference with the sampler running and without, in random pairs, and their ratio with
// its interval. Without a meter on this machine an INA3221 of files in a temporary folder is read.

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "energy/meters.h"
#include "hedge/engine.h"
#include "hedge/error.h"
#include "measure/latency.h"
#include "measure/metered_run.h"
#include "measure/paired_comparison.h"
#include "measure/steady.h"

namespace hedge {
namespace {

constexpr std::int64_t kBlock_ns = 100'000'000;

/// Three rails of a Jetson, six files a reading.
std::filesystem::path fake_board() {
  std::string pattern = (std::filesystem::temp_directory_path() / "hedge-bench-XXXXXX").string();
  const std::filesystem::path root = ::mkdtemp(pattern.data());
  const auto chip = root / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1";
  std::filesystem::create_directories(chip);
  std::ofstream(chip / "name") << "ina3221\n";
  const char* labels[] = {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"};
  for (int i = 1; i <= 3; ++i) {
    std::ofstream(chip / fmt::format("in{}_label", i)) << labels[i - 1] << "\n";
    std::ofstream(chip / fmt::format("in{}_input", i)) << "5040\n";
    std::ofstream(chip / fmt::format("curr{}_input", i)) << "1208\n";
  }
  return root;
}

int compare(const std::string& engine_file, int pairs, double rate, const std::string& meter) {
  const auto engine = Engine::load(engine_file);
  const auto context = engine->create_context({});
  std::filesystem::path root;
  MeterChoice choice;
  if (meter == "fake") {
    root = fake_board();
    choice = open_meter("ina3221", {.root = root});
  } else {
    choice = open_meter(meter);
    if (!choice.meter) throw bad_input(choice.reason);
  }
  std::filesystem::remove_all(root);  // What is open stays readable.
  const auto infer = [&] { context->infer(); };
  (void)warm_up_calls(infer, WarmUpRule::runs(1000));
  const LoopTiming trial = measure_calls(infer, 1000);
  const auto block =
      static_cast<std::int64_t>(static_cast<double>(kBlock_ns) / trial.ns_per_iteration());

  const std::atomic<std::int64_t> done{0};
  const Sampler::Options options{.period_ns = static_cast<std::int64_t>(1e9 / rate)};
  std::unique_ptr<Sampler> sampler;
  std::vector<std::int64_t> sampled;
  std::vector<std::int64_t> alone;
  std::mt19937_64 random(1);
  for (int i = 0; i < pairs; ++i) {
    const bool first = (random() & 1U) != 0;
    for (const bool with_sampler : {first, !first}) {
      if (with_sampler) sampler = std::make_unique<Sampler>(choice.meter.get(), done, options);
      (void)measure_calls(infer, block / 10);  // The sampler's thread has begun.
      const LoopTiming loop = measure_calls(infer, block);
      sampler.reset();
      (with_sampler ? sampled : alone).push_back(loop.total_ns);
    }
  }
  const ComparisonResult result = compare_samples(sampled, alone);
  fmt::print("{} pairs of {} inferences, {:.1f} us each; {} at {} readings a second\n", pairs,
             block, trial.ns_per_iteration() / 1000, choice.meter->facts().name, rate);
  fmt::print("with / without sampler  {:.4f}", result.ratio.ratio);
  if (result.ratio.interval) {
    fmt::print("  [{:.4f}, {:.4f}]", result.ratio.interval->lower, result.ratio.interval->upper);
  }
  fmt::print("\n");
  return 0;
}

}  // namespace
}  // namespace hedge

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench-sampling ENGINE [PAIRS] [READINGS_PER_SECOND] [fake|METER]\n");
    return 2;
  }
  try {
    return hedge::compare(argv[1], argc > 2 ? std::atoi(argv[2]) : 100,
                          argc > 3 ? std::atof(argv[3]) : 100, argc > 4 ? argv[4] : "fake");
  } catch (const hedge::Error& error) {
    fmt::print(stderr, "bench-sampling: error: {}\n", error.what());
    return 1;
  }
}
