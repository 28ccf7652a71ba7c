// SPDX-License-Identifier: Apache-2.0
#include "cli/hi/sweep_options.h"

#include <CLI/CLI.hpp>

#include "cli/program/program.h"

namespace hedge::cli {
namespace {

void add_costs(CLI::App& app, SweepOptions& options) {
  const TextFlags add(app, "Costs");
  add("--local", options.local, "Result of the local model (measurements --json)", "FILE");
  add("--local-latency", options.local_latency, "Latency of the local model", "TIME");
  add("--local-energy", options.local_energy, "Energy of the local model, an image", "ENERGY");
  add("--idle-power", options.idle_power, "Of the device while it sends and waits", "POWER");
  app.add_flag("--net", options.net, "Count energy above idle only")->group("Costs");
  add("--decision-latency", options.decision_latency, "Of the decision (default 0)", "TIME");
  add("--decision-energy", options.decision_energy, "Of the decision (default 0)", "ENERGY");
  add("--network", options.network, "Preset: wifi, lte, 5g, ble, ethernet", "NAME");
  add("--bandwidth", options.bandwidth, "Of the network, both ways", "RATE");
  add("--uplink", options.uplink, "Bandwidth up alone", "RATE");
  add("--downlink", options.downlink, "Bandwidth down alone", "RATE");
  add("--round-trip", options.round_trip, "Round-trip time of the network", "TIME");
  add("--send-power", options.send_power, "Of the radio, above idle, while it sends", "POWER");
  add("--receive-power", options.receive_power, "While it receives", "POWER");
  add("--wait-power", options.wait_power, "While it waits for the answer", "POWER");
  add("--tail-energy", options.tail_energy, "Of the radio after an exchange", "ENERGY");
  add("--upload", options.upload, "Size of what is sent (default with --model: the image)", "SIZE");
  add("--answer", options.answer, "Size of the answer (default 2 bytes)", "SIZE");
  add("--server", options.server, "Result of the server's model (measurements --json)", "FILE");
  add("--server-latency", options.server_latency, "Latency of the server", "TIME");
  add("--server-energy", options.server_energy, "Counted too where given (default 0)", "ENERGY");
}

void add_bounds(CLI::App& app, SweepOptions& options) {
  const TextFlags add(app, "Bounds");
  add("--max-latency", options.max_latency, "Mean latency of an image", "TIME");
  add("--max-energy", options.max_energy, "Mean energy of an image", "ENERGY");
  add("--max-offload", options.max_offload, "Share of images that are offloaded", "SHARE");
  add("--min-accuracy", options.min_accuracy, "Share of right answers", "SHARE");
  add("--minimize", options.minimize,
      "latency, energy or offload (default: maximise accuracy; with --min-accuracy latency where "
      "it is known, else offload)",
      "WHAT");
  add("--folds", options.folds, "Of the cross-validation of the choice (default 5; 0: none)", "K");
  add("--seed", options.seed, "Of the draw of folds (default 1)", "N");
}

}  // namespace

std::vector<const CLI::Option*> add_sweep_options(CLI::App& app, SweepOptions& options) {
  const std::size_t common = app.get_options().size();
  add_model_options(app, options.model);
  add_gpu_options(app, options.model.gpu);
  add_decode_options(app, options.model);
  app.add_option("--iterations", options.iterations,
                 "Images that the model runs on; 0 or all: the whole dataset (default all)")
      ->type_name("N");
  std::vector<const CLI::Option*> of_model = flags_since(app, common);
  app.get_option("--labels")
      ->description("With --scores: the true classes, one a line. With --model: as in inference");
  add_scored_images_options(app, options.recorded);
  app.get_option("--server-labels")
      ->description(
          "The server's classes, one a line (default with --model: DATASET_predictions.txt in the "
          "data folder)");
  app.add_option("--decisions", options.decisions,
                 "Of logistic, top1, margin, entropy, energy (default: all that there are)")
      ->type_name("NAME[,NAME...]");
  app.add_option("--decision-file", options.decision_files,
                 "Decision to sweep, too (hedge fit writes one); may be repeated")
      ->type_name("FILE")
      ->take_all();
  app.add_option(
         "--coefficients", options.coefficients,
         "Of the logistic regression on the two largest scores: BETA,W1,W2, or a model whose "
         "are published, as resnet8_cifar_int8 (default with --model: its own)")
      ->type_name("B,W1,W2|NAME");
  add_costs(app, options);
  add_bounds(app, options);
  const TextFlags add(app);
  add("--out", options.out, "Write the best point as a decision file", "FILE");
  add("--csv", options.csv, "Write all points", "FILE");
  add("--svg", options.svg, "Draw accuracy against offload share, latency and energy", "FILE");
  return of_model;
}

}  // namespace hedge::cli
