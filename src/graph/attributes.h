// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/tensor.h"

namespace hedge {

/// Node attributes by their ONNX names. Getters throw bad_input when the attribute has another
/// kind.
class Attributes {
 public:
  using Value = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>,
                             std::vector<float>, std::vector<std::string>, Tensor>;

  void set(std::string name, Value value) {
    values_.insert_or_assign(std::move(name), std::move(value));
  }
  void erase(const std::string& name) { values_.erase(name); }
  [[nodiscard]] bool has(const std::string& name) const { return values_.contains(name); }

  [[nodiscard]] std::int64_t get_int(const std::string& name, std::int64_t fallback) const;
  [[nodiscard]] float get_float(const std::string& name, float fallback) const;
  [[nodiscard]] std::string get_string(const std::string& name, const std::string& fallback) const;
  [[nodiscard]] std::vector<std::int64_t> get_ints(
      const std::string& name, const std::vector<std::int64_t>& fallback = {}) const;
  [[nodiscard]] std::vector<float> get_floats(const std::string& name) const;
  /// An absent tensor attribute is an empty Tensor.
  [[nodiscard]] Tensor get_tensor(const std::string& name) const;

  [[nodiscard]] const std::map<std::string, Value>& all() const noexcept { return values_; }

 private:
  std::map<std::string, Value> values_;
};

}  // namespace hedge
