// SPDX-License-Identifier: Apache-2.0
#include "graph/attributes.h"

#include <fmt/format.h>

namespace hedge {
namespace {

/// The attribute as T, null where it is absent.
template <class T>
const T* find(const std::map<std::string, Attributes::Value>& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) return nullptr;
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) throw bad_input(fmt::format("attribute {} has the wrong kind", name));
  return value;
}

template <class T>
T value_or(const std::map<std::string, Attributes::Value>& values, const std::string& name,
           T fallback) {
  const T* value = find<T>(values, name);
  return value != nullptr ? *value : fallback;
}

}  // namespace

std::int64_t Attributes::get_int(const std::string& name, std::int64_t fallback) const {
  return value_or(values_, name, fallback);
}
float Attributes::get_float(const std::string& name, float fallback) const {
  return value_or(values_, name, fallback);
}
std::string Attributes::get_string(const std::string& name, const std::string& fallback) const {
  return value_or(values_, name, fallback);
}
std::vector<std::int64_t> Attributes::get_ints(const std::string& name,
                                               const std::vector<std::int64_t>& fallback) const {
  return value_or(values_, name, fallback);
}
std::vector<float> Attributes::get_floats(const std::string& name) const {
  return value_or(values_, name, std::vector<float>{});
}
Tensor Attributes::get_tensor(const std::string& name) const {
  return value_or(values_, name, Tensor{});
}

}  // namespace hedge
