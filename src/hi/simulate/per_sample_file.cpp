// SPDX-License-Identifier: Apache-2.0
#include "hi/simulate/per_sample_file.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

#include "base/file.h"

namespace hedge {
namespace {

std::string cell(double value) {
  return std::isnan(value) ? std::string() : fmt::format("{}", value);
}

std::string class_cell(int value) {
  return value < 0 ? std::string() : fmt::format("{}", value);
}

}  // namespace

std::string per_sample_text(const HiAnswers& answers, std::span<const ScoreFeatures> features,
                            const Decision& decision) {
  std::string text = "image,label,local,top1,top2,confidence,decision,server,right\n";
  for (std::size_t i = 0; i < answers.labels.size(); ++i) {
    const ScoreFeatures& scores = features[i];
    const int answer = final_answer(answers, i);
    fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{},{},{}\n", i, answers.labels[i],
                   class_cell(answers.local[i]), cell(scores.top1), cell(scores.top2),
                   cell(decision.confidence(scores)), answers.kept[i] != 0 ? "kept" : "offloaded",
                   class_cell(answers.server[i]),
                   answer >= 0 && answer == answers.labels[i] ? 1 : 0);
  }
  return text;
}

void write_per_sample(const std::filesystem::path& path, const HiAnswers& answers,
                      std::span<const ScoreFeatures> features, const Decision& decision) {
  write_file(path, per_sample_text(answers, features, decision));
}

}  // namespace hedge
