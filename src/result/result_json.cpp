// SPDX-License-Identifier: Apache-2.0
#include "result/result_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <set>
#include <utility>

#include "base/json.h"
#include "hedge/error.h"
#include "result/result_fields.h"

namespace hedge {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct AnyVisitor {
  template <class T>
  void operator()(const char*, T&) const {}
};
template <class T>
concept HasFields = requires(AnyVisitor& visit, T& object) {
  fields(visit, object);
};

// ---------------------------------------------------------------------------------------- writing

class Writer {
 public:
  explicit Writer(ordered_json& object) : object_(object) {}

  template <class T>
  void operator()(const char* key, const std::optional<T>& value) {
    if (value) put(key, *value, true);
  }
  template <class T>
  void operator()(const char* key, const std::vector<T>& list) {
    if (!list.empty()) put(key, list, false);
  }
  template <class T>
  void operator()(const char* key, const T& value) {
    put(key, value, false);
  }

 private:
  template <class T>
  requires HasFields<const T>
  void put(const char* key, const std::vector<T>& list, bool /*keep_empty*/) {
    ordered_json array = ordered_json::array();
    for (const T& element : list) {
      ordered_json inner = ordered_json::object();
      Writer writer(inner);
      fields(writer, element);
      array.push_back(std::move(inner));
    }
    object_[key] = std::move(array);
  }

  /// An empty object says something only where it was there on purpose (`keep_empty`).
  template <class T>
  void put(const char* key, const T& value, bool keep_empty) {
    if constexpr (HasFields<const T>) {
      ordered_json inner = ordered_json::object();
      Writer writer(inner);
      fields(writer, value);
      if constexpr (std::same_as<T, RunConfig>) add_flags(inner, value);
      if (keep_empty || !inner.empty()) object_[key] = std::move(inner);
    } else if constexpr (std::same_as<T, Verdict>) {
      object_[key] = value == Verdict::kValid ? "VALID" : "INVALID";
    } else if (finite(value)) {
      object_[key] = value;
    }
  }

  static bool finite(double value) { return std::isfinite(value); }
  static bool finite(const Range& range) { return finite(range[0]) && finite(range[1]); }
  static bool finite(const std::vector<double>& list) {
    return std::all_of(list.begin(), list.end(), [](double value) { return finite(value); });
  }
  template <class T>
  static bool finite(const T&) {
    return true;
  }

  static void add_flags(ordered_json& object, const RunConfig& config) {
    for (const auto& [key, value] : config.flags) {
      if (object.contains(key)) {
        throw runtime_failure(fmt::format("config.{}: a flag has the name of a field", key));
      }
      object[key] = value;
    }
  }

  ordered_json& object_;
};

// ---------------------------------------------------------------------------------------- reading

class Reader {
 public:
  Reader(const json& object, std::string path, const std::string& source)
      : object_(object), path_(std::move(path)), source_(source) {
    if (!object.is_object()) fail(path_, "an object", object);
  }

  template <class T>
  void operator()(const char* key, std::optional<T>& value) {
    keys_.insert(key);
    if (const auto found = object_.find(key); found != object_.end()) {
      value = read<T>(*found, below(key));
    }
  }
  template <class T>
  void operator()(const char* key, T& value) {
    keys_.insert(key);
    const auto found = object_.find(key);
    if (found != object_.end()) {
      value = read<T>(*found, below(key));
    } else if constexpr (std::same_as<T, std::string> || std::same_as<T, Verdict>) {
      throw bad_input(fmt::format("{}: {}: is missing", source_, below(key)));
    }
  }

 private:
  [[nodiscard]] std::string below(const std::string& key) const {
    return path_.empty() ? key : path_ + "." + key;
  }

  [[noreturn]] void fail(const std::string& path, const char* wanted, const json& found) const {
    throw bad_input(fmt::format("{}: {}: {} is needed, found {}", source_,
                                path.empty() ? "the result" : path, wanted, found.type_name()));
  }

  template <class T>
  T read(const json& value, const std::string& path) const {
    if constexpr (HasFields<T>) {
      T object;
      Reader reader(value, path, source_);
      fields(reader, object);
      if constexpr (std::same_as<T, RunConfig>) object.flags = reader.unknown();
      return object;
    } else {
      T result{};
      get(value, path, result);
      return result;
    }
  }

  void get(const json& value, const std::string& path, std::string& text) const {
    if (!value.is_string()) fail(path, "a text", value);
    text = value.get<std::string>();
  }
  void get(const json& value, const std::string& path, bool& flag) const {
    if (!value.is_boolean()) fail(path, "true or false", value);
    flag = value.get<bool>();
  }
  void get(const json& value, const std::string& path, double& number) const {
    if (!value.is_number()) fail(path, "a number", value);
    number = value.get<double>();
  }
  void get(const json& value, const std::string& path, std::int64_t& number) const {
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (!value.is_number_integer()) fail(path, "a whole number", value);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > kMax) {
      throw bad_input(fmt::format("{}: {}: the number is too large", source_, path));
    }
    number = value.get<std::int64_t>();
  }
  void get(const json& value, const std::string& path, Range& range) const {
    if (!value.is_array() || value.size() != range.size())
      fail(path, "a list of two numbers", value);
    for (std::size_t i = 0; i < range.size(); ++i) get(value[i], element(path, i), range[i]);
    if (range[0] > range[1]) {
      throw bad_input(fmt::format("{}: {}: the lower end, {}, is above the upper end, {}", source_,
                                  path, range[0], range[1]));
    }
  }
  template <class T>
  void get(const json& value, const std::string& path, std::vector<T>& list) const {
    if (!value.is_array()) fail(path, "a list", value);
    list.resize(value.size());
    for (std::size_t i = 0; i < list.size(); ++i) get(value[i], element(path, i), list[i]);
  }
  template <class T>
  requires HasFields<T>
  void get(const json& value, const std::string& path, T& object) const {
    object = read<T>(value, path);
  }
  void get(const json& value, const std::string& path, json& object) const {
    if (!value.is_object()) fail(path, "an object", value);
    object = value;
  }
  void get(const json& value, const std::string& path, Verdict& verdict) const {
    std::string text;
    get(value, path, text);
    if (text != "VALID" && text != "INVALID") {
      throw bad_input(
          fmt::format("{}: {}: VALID or INVALID is needed, found '{}'", source_, path, text));
    }
    verdict = text == "VALID" ? Verdict::kValid : Verdict::kInvalid;
  }

  static std::string element(const std::string& path, std::size_t index) {
    return fmt::format("{}[{}]", path, index);
  }

  [[nodiscard]] std::map<std::string, json> unknown() const {
    std::map<std::string, json> others;
    for (const auto& [key, value] : object_.items()) {
      if (!keys_.contains(key)) others.emplace(key, value);
    }
    return others;
  }

  const json& object_;
  std::string path_;
  const std::string& source_;
  std::set<std::string> keys_;  ///< Those of the schema.
};

void require_schema(const json& object, const std::string& source) {
  const auto found = object.find("schema");
  if (!object.is_object() || found == object.end() || !found->is_string()) {
    throw bad_input(fmt::format("{}: is no result: an object with \"schema\": \"{}\" is needed",
                                source, kResultSchema));
  }
  const auto schema = found->get<std::string>();
  if (schema != kResultSchema) {
    throw bad_input(
        fmt::format("{}: schema: this version reads {}, not '{}'", source, kResultSchema, schema));
  }
}

/// File and host names need not be UTF-8; JSON must be.
std::string dump(const ordered_json& value) {
  return value.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

ordered_json result_to_json(const Result& result) {
  ordered_json object = ordered_json::object();
  object["schema"] = kResultSchema;
  Writer writer(object);
  fields(writer, result);
  return object;
}

Result result_from_json(const json& object, const std::string& source) {
  require_schema(object, source);
  Result result;
  Reader reader(object, "", source);
  fields(reader, result);
  return result;
}

std::string results_to_text(std::span<const Result> results) {
  if (results.size() == 1) return result_to_text(results.front());
  ordered_json list = ordered_json::array();
  for (const Result& result : results) list.push_back(result_to_json(result));
  return dump(list);
}

std::string result_to_text(const Result& result) {
  return dump(result_to_json(result));
}

std::vector<Result> results_from_text(std::string_view text, const std::string& source) {
  json value;
  try {
    value = json::parse(text);
  } catch (const json::exception& error) {
    throw bad_input(fmt::format("{}: is no JSON: {}", source, json_reason(error)));
  }
  std::vector<Result> results;
  if (!value.is_array()) {
    results.push_back(result_from_json(value, source));
    return results;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    results.push_back(result_from_json(value[i], fmt::format("{}: [{}]", source, i)));
  }
  return results;
}

}  // namespace hedge
