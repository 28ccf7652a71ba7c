// SPDX-License-Identifier: Apache-2.0
#include "cli/model/quantization_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace hedge::cli {
namespace {

std::string decibels(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "-";
}

double percent(std::int64_t part, std::int64_t total) {
  return 100 * static_cast<double>(part) / static_cast<double>(std::max<std::int64_t>(total, 1));
}

}  // namespace

std::string quantization_text(const QuantizationReport& report) {
  // Names come last and whole, for --keep.
  std::string text =
      fmt::format("{:<9}  {:<5}  {:>12}  {:>11}  {:>10}  {:>10}  {}\n", "precision", "input",
                  "scale", "saturated %", "input dB", "weights dB", "layer");
  for (const LayerQuantization& layer : report.layers) {
    const bool held = layer.held.has_value();
    text += fmt::format("{:<9}  {:<5}  {:>12}  {:>11}  {:>10}  {:>10}  {}\n", layer.precision,
                        held ? to_string(layer.held->type) : "-",
                        held ? fmt::format("{:.6g}", layer.held->scales.front()) : "-",
                        held ? fmt::format("{:.4f}", 100 * layer.saturated) : "-",
                        decibels(layer.input_sqnr_db), decibels(layer.weights_sqnr_db),
                        printable(layer.name));
  }
  const PairedAnswers& answers = report.answers;
  text += fmt::format(
      "dB: signal to quantisation noise of what the layer reads, on {} images, and of its "
      "weights\n",
      report.observed_images);
  text += fmt::format(
      "top-1      fp32 {:.2f} %, int8 {:.2f} % on the same {} images; the same class on {:.2f} %\n",
      percent(report.fp32_correct, answers.total), percent(report.int8_correct, answers.total),
      answers.total, percent(answers.agree, answers.total));
  text +=
      fmt::format("McNemar    {} right in fp32 alone, {} in int8 alone: p = {:.3g} (exact), {}\n",
                  answers.only_a_right, answers.only_b_right, report.p_value,
                  report.p_value < 0.05 ? "a difference" : "no difference shown");
  text += fmt::format("scores     {} dB signal to quantisation noise\n",
                      decibels(report.scores_sqnr_db));
  return text;
}

}  // namespace hedge::cli
