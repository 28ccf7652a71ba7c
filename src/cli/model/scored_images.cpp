// SPDX-License-Identifier: Apache-2.0
#include "cli/model/scored_images.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/naming.h"
#include "cli/hi/hi_options.h"
#include "data/label_file.h"
#include "hedge/error.h"

namespace hedge::cli {

void add_scored_images_options(CLI::App& app, ScoredImagesOptions& options) {
  app.add_option("--scores", options.scores,
                 "Recorded scores of the local model, .npy or .csv (inference --scores writes "
                 "them)")
      ->type_name("FILE");
  app.add_option("--server-labels", options.server_labels, "The server's classes, one a line")
      ->type_name("FILE");
  auto* logits = app.add_flag("--logits", options.logits,
                              "The scores are logits (default: told by whether rows sum to 1)");
  app.add_flag("--softmax", options.softmax, "They are softmax's")->excludes(logits);
}

namespace {

/// Of --softmax: what cannot be is refused, for a decision on it would mean nothing.
void require_probabilities(const RecordedScores& scores) {
  constexpr float kRounding = 1e-3F;
  for (std::size_t i = 0; i < scores.values.size(); ++i) {
    const float score = scores.values[i];
    if (!(score < -kRounding || score > 1 + kRounding)) continue;  // NaN counts as no score.
    throw bad_input(
        fmt::format("--softmax: image {} has the score {}, which is outside 0 to 1; "
                    "leave the flag out, or give --logits",
                    i / scores.columns, score));
  }
}

}  // namespace

ScoredImages read_scored_images(const ScoredImagesOptions& options,
                                const std::string& labels_file) {
  if (labels_file.empty()) {
    throw bad_input("--scores: needs the true classes too; state --labels=FILE, one a line");
  }
  ScoredImages images{.scores = read_scores(options.scores)};
  images.source = options.scores;
  if (images.classes() < 2) {
    throw bad_input(fmt::format("{}: has one score an image; a decision needs those of two classes",
                                options.scores));
  }
  images.labels = read_labels(labels_file, images.scores.rows(), images.classes());
  if (!options.server_labels.empty()) {
    images.server = read_labels(options.server_labels, images.scores.rows(), images.classes());
  }
  images.kind_told = options.logits || options.softmax;
  images.kind = options.logits    ? ScoreKind::kLogits
                : options.softmax ? ScoreKind::kSoftmax
                                  : score_kind_of(images.scores);
  if (options.softmax) naming(options.scores, [&] { require_probabilities(images.scores); });
  return images;
}

DecisionFile read_decision_for(const std::string& path, const ScoredImages& images) {
  DecisionFile file = read_decision(path);
  naming(path, [&] {
    if (file.classes > 0 && file.classes != images.classes()) {
      throw bad_input(fmt::format("is for {} classes, {} has scores of {}", file.classes,
                                  images.source, images.classes()));
    }
    if (!has_threshold(file.decision.rule)) {
      throw bad_input(
          fmt::format("{} has no threshold; logistic, top1, margin, entropy and energy "
                      "have",
                      name_of(file.decision.rule)));
    }
    require_decidable(file.decision, images.kind);
  });
  warn_of_other_model(file, path, images.model);
  return file;
}

}  // namespace hedge::cli
