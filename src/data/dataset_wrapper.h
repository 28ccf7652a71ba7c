// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "hedge/dataset.h"

namespace hedge {

/// A dataset whose images are another one's, made in another way.
class DatasetWrapper : public Dataset {
 public:
  [[nodiscard]] std::size_t size() const override { return wrapped_->size(); }
  [[nodiscard]] int classes() const override { return wrapped_->classes(); }
  [[nodiscard]] int label(std::size_t index) const override { return wrapped_->label(index); }
  [[nodiscard]] std::string name(std::size_t index) const override { return wrapped_->name(index); }
  [[nodiscard]] std::span<const std::string> class_names() const override {
    return wrapped_->class_names();
  }
  [[nodiscard]] bool decodes() const override { return true; }

 protected:
  explicit DatasetWrapper(std::unique_ptr<Dataset> wrapped) : wrapped_(std::move(wrapped)) {}
  [[nodiscard]] const Dataset& wrapped() const { return *wrapped_; }

 private:
  std::unique_ptr<Dataset> wrapped_;
};

}  // namespace hedge
