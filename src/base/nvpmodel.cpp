// SPDX-License-Identifier: Apache-2.0
#include "base/nvpmodel.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/system_files.h"
#include "base/text.h"
#include "hedge/error.h"

namespace hedge {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  constexpr std::string_view kBlank = " \t\r\v\f";
  while (true) {
    const std::size_t begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(kBlank), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

[[noreturn]] void fail(std::size_t line, const std::string& what) {
  throw bad_input(fmt::format("line {}: {}", line, what));
}

/// The value of "KEY=value" among the words of a header.
std::optional<std::string> attribute(const std::vector<std::string>& words, std::string_view key) {
  for (const std::string& word : words) {
    if (word.starts_with(key) && word.size() > key.size() && word[key.size()] == '=') {
      return word.substr(key.size() + 1);
    }
  }
  return std::nullopt;
}

int id_of(const std::vector<std::string>& words, std::string_view key, std::size_t line) {
  const auto text = attribute(words, key);
  if (!text) fail(line, fmt::format("{} is missing", key));
  const auto id = parse_integer<int>(*text);
  if (!id || *id < 0)
    fail(line, fmt::format("{}={} is no number from 0 on", key, printable(*text)));
  return *id;
}

NvpMode mode_of(const std::vector<std::string>& words, std::size_t line) {
  NvpMode mode;
  mode.id = id_of(words, "ID", line);
  const auto name = attribute(words, "NAME");
  if (!name || name->empty()) fail(line, "a power model without a name (NAME=)");
  mode.name = printable(*name, 64);
  return mode;
}

NvpSetting setting_of(const std::vector<std::string>& words) {
  NvpSetting setting{words[0], words[1], words[2], parse_integer<std::int64_t>(words[2])};
  if (setting.number == -1) setting.number.reset();
  return setting;
}

/// "POWER_MODEL ID=0 NAME=15W" of "< POWER_MODEL ID=0 NAME=15W >".
std::vector<std::string> header_of(std::string_view text, std::size_t line) {
  const std::size_t end = text.find('>');
  if (end == std::string_view::npos) fail(line, "a section that begins with '<' has no '>'");
  return words_of(text.substr(1, end - 1));
}

void begin_section(NvpModelConf& conf, const std::vector<std::string>& header, std::size_t line) {
  if (header.empty()) return;
  if (header[0] == "PM_CONFIG") conf.default_id = id_of(header, "DEFAULT", line);
  if (header[0] != "POWER_MODEL") return;
  NvpMode mode = mode_of(header, line);
  if (conf.find(mode.id) != nullptr)
    fail(line, fmt::format("a second power model with id {}", mode.id));
  conf.modes.push_back(std::move(mode));
}

void add_line(NvpModelConf& conf, const std::vector<std::string>& header,
              const std::vector<std::string>& words) {
  if (header[0] == "POWER_MODEL" && words.size() >= 3) {
    conf.modes.back().settings.push_back(setting_of(words));
  } else if (header[0] == "PARAM" && words.size() >= 2) {
    conf.parameters.push_back({attribute(header, "TYPE").value_or(""),
                               attribute(header, "NAME").value_or(""), words[0], words[1]});
  }
}

}  // namespace

const NvpMode* NvpModelConf::find(int id) const {
  const auto found =
      std::find_if(modes.begin(), modes.end(), [&](const NvpMode& mode) { return mode.id == id; });
  return found == modes.end() ? nullptr : &*found;
}

const NvpMode* NvpModelConf::find(std::string_view name) const {
  const std::string wanted = to_lower(name);
  for (const std::string& form : {wanted, "mode_" + wanted}) {
    const auto found = std::find_if(modes.begin(), modes.end(), [&](const NvpMode& mode) {
      return to_lower(mode.name) == form;
    });
    if (found != modes.end()) return &*found;
  }
  return nullptr;
}

const NvpParameter* NvpModelConf::parameter_of(const NvpSetting& setting) const {
  const auto found = std::find_if(parameters.begin(), parameters.end(), [&](const auto& known) {
    return known.name == setting.parameter && known.argument == setting.argument;
  });
  return found == parameters.end() ? nullptr : &*found;
}

NvpModelConf parse_nvpmodel_conf(std::string_view text) {
  NvpModelConf conf;
  std::vector<std::string> section;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::string_view line = trim(whole.substr(0, whole.find('#')));
    if (line.empty()) continue;
    if (line.front() == '<') {
      section = header_of(line, number);
      begin_section(conf, section, number);
    } else if (!section.empty()) {
      add_line(conf, section, words_of(line));
    }
  }
  return conf;
}

std::optional<int> parse_nvpmodel_status(std::string_view text) {
  constexpr std::string_view kKey = "pmode:";
  const std::size_t at = text.find(kKey);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + kKey.size());
  return parse_integer<int>(text.substr(0, text.find_first_not_of("0123456789")));
}

NvpAnswer parse_nvpmodel_answer(std::string_view text) {
  NvpAnswer answer;
  constexpr std::string_view kKey = "NV Power Mode:";
  for (const std::string& line : split(text, '\n')) {
    const std::string_view trimmed = trim(line);
    if (trimmed.starts_with(kKey)) {
      answer.name = printable(trim(trimmed.substr(kKey.size())), 64);
    } else if (!answer.name.empty() && !answer.id) {
      answer.id = parse_integer<int>(trimmed);
    }
  }
  return answer;
}

std::string current_power_mode(const std::filesystem::path& root) {
  const auto id = parse_nvpmodel_status(read_system_file(root / "var/lib/nvpmodel/status"));
  if (!id) return {};
  try {
    const NvpModelConf conf = parse_nvpmodel_conf(read_system_file(root / "etc/nvpmodel.conf"));
    if (const NvpMode* mode = conf.find(*id)) return mode->name;
  } catch (const Error&) {
    // Its number still tells one mode from another.
  }
  return fmt::format("mode {}", *id);
}

}  // namespace hedge
