// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "data/scores_file.h"
#include "hi/decide/decision_file.h"
#include "hi/decide/score_features.h"

namespace CLI {
class App;
}

namespace hedge::cli {

/// The flags of programs that look at recorded scores.
struct ScoredImagesOptions {
  std::string scores;
  std::string server_labels;
  bool logits = false;
  bool softmax = false;
};
/// --scores, --server-labels, --logits and --softmax, which exclude each other.
void add_scored_images_options(CLI::App& app, ScoredImagesOptions& options);

/// What a model said of images, what they are, and what a server says.
struct ScoredImages {
  RecordedScores scores;
  ScoreKind kind = ScoreKind::kLogits;
  bool kind_told = true;      ///< By a flag or the model; else by the values.
  std::vector<int> labels{};  ///< Of the same images.
  std::vector<int> server{};  ///< Likewise; empty: no --server-labels.
  std::string source{};       ///< File of the scores or of the model, for messages.
  std::string model{};        ///< Its name, where it ran here; else empty.
  [[nodiscard]] int classes() const { return static_cast<int>(scores.columns); }
  [[nodiscard]] std::size_t images() const { return labels.size(); }
};

/// --scores with the true classes in `labels_file`, one a line. Throws bad_input naming flag or
/// file: no labels, files that do not fit together, one score an image.
[[nodiscard]] ScoredImages read_scored_images(const ScoredImagesOptions& options,
                                              const std::string& labels_file);

/// A decision with a threshold for these scores. Throws bad_input with the file's name: another
/// number of classes, a rule without threshold, one that cannot judge such scores. Warns of
/// one that was fitted on another model.
[[nodiscard]] DecisionFile read_decision_for(const std::string& path, const ScoredImages& images);

}  // namespace hedge::cli
