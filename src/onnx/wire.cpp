// SPDX-License-Identifier: Apache-2.0
#include "onnx/wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hedge/error.h"

namespace hedge {
namespace {

enum WireType : std::uint8_t { kVarint = 0, kLengthDelimited = 2 };

struct Field {
  std::uint64_t number;
  WireType wire_type;
  bool repeated;
  std::string_view name;
};

// ModelProto of onnx.proto. 26 came with IR version 11.
constexpr std::array<Field, 12> kFields{{{1, kVarint, false, "ir_version"},
                                         {2, kLengthDelimited, false, "producer_name"},
                                         {3, kLengthDelimited, false, "producer_version"},
                                         {4, kLengthDelimited, false, "domain"},
                                         {5, kVarint, false, "model_version"},
                                         {6, kLengthDelimited, false, "doc_string"},
                                         {7, kLengthDelimited, false, "graph"},
                                         {8, kLengthDelimited, true, "opset_import"},
                                         {14, kLengthDelimited, true, "metadata_props"},
                                         {20, kLengthDelimited, true, "training_info"},
                                         {25, kLengthDelimited, true, "functions"},
                                         {26, kLengthDelimited, true, "configuration"}}};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }
  void skip(std::size_t count) { position_ += count; }

  /// Nothing when the bytes end first, or it is longer than ten bytes.
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && left() > 0; shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(bytes_[position_++]);
      if (shift < 64) value |= (byte & 0x7FU) << shift;
      if ((byte & 0x80U) == 0) return value;
    }
    return std::nullopt;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
};

const Field* find_field(std::uint64_t tag) {
  const auto found = std::find_if(kFields.begin(), kFields.end(), [tag](const Field& field) {
    return field.number == tag >> 3U && field.wire_type == (tag & 7U);
  });
  return found == kFields.end() ? nullptr : &*found;
}

}  // namespace

void check_model_framing(std::span<const std::byte> model) {
  if (model.empty()) throw bad_input("not an ONNX file: it is empty");
  Reader reader(model);
  std::array<bool, kFields.size()> seen{};
  while (reader.left() > 0) {
    const std::size_t start = reader.position();
    const auto tag = reader.varint();
    const Field* field = tag ? find_field(*tag) : nullptr;
    if (field == nullptr) {
      throw bad_input(fmt::format(
          "not an ONNX file, or a damaged one: no field of a model begins at byte {}", start));
    }
    bool& again = seen.at(static_cast<std::size_t>(field - kFields.data()));
    if (again && !field->repeated) {
      throw bad_input(
          fmt::format("a damaged ONNX file: its {} comes again at byte {}", field->name, start));
    }
    again = true;
    const auto value = reader.varint();
    if (!value || (field->wire_type == kLengthDelimited && *value > reader.left())) {
      throw bad_input(fmt::format(
          "not an ONNX file, or cut short: the {} that begins at byte {} goes on behind the end of "
          "the file at byte {}",
          field->name, start, model.size()));
    }
    if (field->wire_type == kLengthDelimited) reader.skip(static_cast<std::size_t>(*value));
  }
}

}  // namespace hedge
