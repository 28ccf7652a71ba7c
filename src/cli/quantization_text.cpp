// SPDX-License-Identifier: Apache-2.0
#include "cli/quantization_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace hedge::cli {
namespace {

constexpr std::size_t kMostNameColumns = 40;

std::string decibels(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f}", *value) : "-";
}

double percent(std::int64_t part, std::int64_t total) {
  return 100 * static_cast<double>(part) / static_cast<double>(std::max<std::int64_t>(total, 1));
}

}  // namespace

std::string quantization_text(const QuantizationReport& report) {
  std::size_t width = 5;
  for (const LayerQuantization& layer : report.layers) {
    width = std::max(width, std::min(layer.name.size(), kMostNameColumns));
  }
  std::string text =
      fmt::format("{:<{}}  {:<9}  {:<5}  {:>12}  {:>11}  {:>10}  {:>10}\n", "layer", width,
                  "precision", "input", "scale", "saturated %", "input dB", "weights dB");
  for (const LayerQuantization& layer : report.layers) {
    const std::string name = printable(layer.name).substr(0, kMostNameColumns);
    if (!layer.held) {
      text += fmt::format("{:<{}}  {}\n", name, width, layer.precision);
      continue;
    }
    text += fmt::format("{:<{}}  {:<9}  {:<5}  {:>12.6g}  {:>11.4f}  {:>10}  {:>10}\n", name, width,
                        layer.precision, to_string(layer.held->type), layer.held->scales.front(),
                        100 * layer.saturated, decibels(layer.input_sqnr_db),
                        decibels(layer.weights_sqnr_db));
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
