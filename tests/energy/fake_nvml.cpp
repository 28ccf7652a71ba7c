// SPDX-License-Identifier: Apache-2.0
// A libnvidia-ml.so of our own. $FAKE_NVML says what it is like: "counter", "power" (no counter),
// "jetson" (starts, and knows no power), "nodriver" (does not start), "two" (GPUs, of which the
// second knows its power only). Its counters move by 1 J, its powers by 1 W, a call.

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kSuccess = 0;
constexpr int kNotSupported = 3;
constexpr int kDriverNotLoaded = 9;

bool is(const char* kind) {
  const char* set = std::getenv("FAKE_NVML");
  return set != nullptr && std::strcmp(set, kind) == 0;
}

int devices[2];
unsigned long long millijoules = 5'000'000;
unsigned milliwatts = 70'000;

}  // namespace

extern "C" {

int nvmlInit_v2() {
  return is("nodriver") ? kDriverNotLoaded : kSuccess;
}
int nvmlShutdown() {
  return kSuccess;
}
const char* nvmlErrorString(int result) {
  return result == kNotSupported      ? "Not Supported"
         : result == kDriverNotLoaded ? "Driver Not Loaded"
                                      : "Unknown Error";
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = is("two") ? 2 : 1;
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &devices[index];
  return kSuccess;
}
int nvmlDeviceGetName(void* device, char* name, unsigned bytes) {
  std::snprintf(name, bytes, "Fake H%d", device == &devices[0] ? 200 : 100);
  return kSuccess;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* energy) {
  const bool second = device == &devices[1];
  if (is("power") || is("jetson") || second) return kNotSupported;
  *energy = millijoules += 1000;
  return kSuccess;
}
int nvmlDeviceGetPowerUsage(void* /*device*/, unsigned* power) {
  if (is("jetson")) return kNotSupported;
  *power = milliwatts += 1000;
  return kSuccess;
}

}  // extern "C"
