// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "engine/classifier.h"
#include "hedge/dataset.h"
#include "hedge/engine.h"

namespace hedge {

/// An engine that runs here, with its own preprocessing. Keeps its images and engine alive.
class LocalClassifier final : public Classifier {
 public:
  /// The images have the size of the engine's tensor (data/fit.h). Throws bad_input where the
  /// engine states no preprocessing, and as create_context does.
  LocalClassifier(std::shared_ptr<const Engine> engine, std::shared_ptr<const Dataset> dataset,
                  std::string name, int threads);
  [[nodiscard]] Classification classify(std::size_t index) override;
  [[nodiscard]] std::string description() const override;

 private:
  std::shared_ptr<const Engine> engine_;
  std::shared_ptr<const Dataset> dataset_;
  std::string name_;
  Preprocessing prepare_;
  std::unique_ptr<ExecutionContext> context_;
};

}  // namespace hedge
