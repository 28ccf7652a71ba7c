// SPDX-License-Identifier: Apache-2.0
#include "energy/modes/power_mode_gpu.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <system_error>

#include "base/text.h"
#include "energy/modes/power_mode_tool.h"
#include "hedge/error.h"

namespace hedge {
namespace {

std::filesystem::path nvidia_smi() {
  const auto program = find_program("nvidia-smi");
  if (!program)
    throw bad_input("the program nvidia-smi is not on PATH; it locks clocks of NVIDIA's GPUs");
  return *program;
}

void run_or_throw(std::vector<std::string> arguments, const std::string& gpu) {
  if (gpu != "all") arguments.insert(arguments.begin(), {"-i", gpu});
  const ToolAnswer answer = run_tool(nvidia_smi(), arguments);
  if (answer.status == 0) return;
  std::string line;
  for (const std::string& argument : arguments) line += " " + argument;
  throw runtime_failure(fmt::format("`nvidia-smi{}` failed (status {}): {}", line, answer.status,
                                    answer.last_line()));
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void check_gpu_request() {
  (void)nvidia_smi();
}

std::vector<GpuClocks> parse_nvidia_clocks(const std::string& csv) {
  std::vector<GpuClocks> gpus;
  for (const std::string& line : split(csv, '\n')) {
    const std::vector<std::string> fields = split(line, ',');
    if (fields.size() != 4) continue;
    const auto mhz = number_of(trim(fields[2]));
    const auto max_mhz = number_of(trim(fields[3]));
    if (!mhz || !max_mhz) continue;
    gpus.push_back({printable(trim(fields[0])), printable(trim(fields[1])), *mhz, *max_mhz});
  }
  return gpus;
}

std::vector<GpuClocks> read_nvidia_clocks() {
  const auto program = find_program("nvidia-smi");
  if (!program) return {};
  const ToolAnswer answer =
      run_tool(*program, {"--query-gpu=index,name,clocks.current.graphics,clocks.max.graphics",
                          "--format=csv,noheader,nounits"});
  return answer.status == 0 ? parse_nvidia_clocks(answer.output) : std::vector<GpuClocks>{};
}

std::vector<std::string> lock_gpu_clocks(const GpuClockRequest& request) {
  run_or_throw({"-lgc", fmt::format("{},{}", request.min_mhz, request.max_mhz)}, request.gpu);
  std::vector<std::string> lines;
  for (const GpuClocks& gpu : read_nvidia_clocks()) {
    if (request.gpu != "all" && request.gpu != gpu.index) continue;
    // Clocks come in steps of 15 MHz.
    if (gpu.mhz >= request.min_mhz - 15 && gpu.mhz <= request.max_mhz + 15) continue;
    lines.push_back(
        fmt::format("GPU {} ({}) sits at {:g} MHz, not from {} to {} (an idle one may be slow to "
                    "follow)",
                    gpu.index, gpu.name, gpu.mhz, request.min_mhz, request.max_mhz));
  }
  return lines;
}

void unlock_gpu_clocks(const std::string& gpu) {
  run_or_throw({"-rgc"}, gpu);
}

}  // namespace hedge
