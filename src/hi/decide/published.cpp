// SPDX-License-Identifier: Apache-2.0
#include "hi/decide/published.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>

#include "hedge/error.h"

namespace hedge {
namespace {

constexpr std::string_view kCifar = "cifar";
constexpr std::string_view kImagenet = "imagenet";

struct Coefficients {
  double beta;
  double w1;
  double w2;
};

struct Entry {
  std::string_view dataset;
  std::string_view model;
  std::optional<Coefficients> full;
  Coefficients int8;
};

constexpr std::array<Entry, 6> kPublished{
    {{kCifar,
      "resnet8",
      Coefficients{-4.531622904031753, 5.82555453, -3.59687685},
      {-4.63391351, 5.93658349, -3.04197074}},
     {kCifar,
      "resnet56",
      Coefficients{-5.09909203324702, 5.60475641, -4.37203237},
      {-4.695974, 5.21640018, -3.70736749}},
     {kCifar,
      "alexnet",
      Coefficients{-3.7969481741850837, 4.84755215, -1.79537036},
      {-4.33089237, 5.39107836, -1.03445988}},
     {kImagenet, "resnet18", std::nullopt, {-3.02860354, 4.95192416, -1.7800178}},
     {kImagenet, "resnet50", std::nullopt, {-3.45594814, 5.11103057, -2.07690727}},
     {kImagenet, "alexnet", std::nullopt, {-2.61127983, 5.00778702, -1.23894854}}}};

const Entry* find_entry(std::string_view dataset, std::string_view model) {
  for (const Entry& entry : kPublished) {
    if (entry.dataset == dataset && entry.model == model) return &entry;
  }
  return nullptr;
}

std::optional<Coefficients> coefficients_of(std::string_view dataset, std::string_view model,
                                            bool int8) {
  const Entry* const entry = find_entry(dataset, model);
  if (entry == nullptr) return std::nullopt;
  return int8 ? entry->int8 : entry->full;
}

/// The model whose CIFAR-10 coefficients the original runs an ImageNet model with.
std::string_view stand_in(std::string_view model) {
  if (model == "resnet18") return "resnet8";
  if (model == "resnet50") return "resnet56";
  return model;
}

const char* class_of(bool int8) {
  return int8 ? "int8" : "full precision";
}

DecisionFile file_of(const Coefficients& found, const EngineName& name, const std::string& origin) {
  DecisionFile file;
  file.decision = logistic_decision(found.beta, found.w1, found.w2);
  file.classes = name.dataset == kCifar ? 10 : 1000;
  file.model = name.model;
  file.origin = origin;
  return file;
}

[[noreturn]] void fail(const EngineName& name, bool int8, bool has_stand_in) {
  const std::string what =
      name.dataset.empty() ? fmt::format("{} without a dataset", name.model)
                           : fmt::format("{} on {} at {}",
                                         name.model.empty() ? "a model without a name" : name.model,
                                         name.dataset, class_of(int8));
  throw bad_input(fmt::format(
      "no coefficients are published for {}; give the decision with --decision-file=FILE (hedge "
      "fit writes one) or --decision=RULE{}",
      what,
      has_stand_in ? ", or take those of CIFAR-10, as the original does, with "
                     "--original-coefficients"
                   : ""));
}

}  // namespace

DecisionFile published_decision(const EngineName& name, bool as_original) {
  const bool int8 = is_int8(name.precision);
  if (const auto own = coefficients_of(name.dataset, name.model, int8)) {
    return file_of(*own, name,
                   fmt::format("published coefficients of {} on {}, {}", name.model, name.dataset,
                               class_of(int8)));
  }
  const std::string_view other = stand_in(name.model);
  const auto repeated =
      name.dataset == kImagenet ? coefficients_of(kCifar, other, int8) : std::nullopt;
  if (!repeated || !as_original) fail(name, int8, repeated.has_value());
  return file_of(
      *repeated, name,
      fmt::format("published coefficients of {} on cifar, {}, as the original takes them "
                  "for {} on imagenet",
                  other, class_of(int8), name.model));
}

}  // namespace hedge
