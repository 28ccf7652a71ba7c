// SPDX-License-Identifier: Apache-2.0
// A libnvidia-ml.so of our own. $FAKE_NVML says what it is like: "counter", "power" (no counter),
// "jetson" (starts, and knows no power), "nodriver" (does not start), "two" (GPUs, of which the
// second knows its power only, and no temperature), "hot" (throttled, its clock another at every
// call), "locked out" (no permission). Its counters move by 1 J, its powers by 1 W, a call.

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int kSuccess = 0;
constexpr int kNotSupported = 3;
constexpr int kNoPermission = 4;
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
  return is("nodriver") ? kDriverNotLoaded : is("locked out") ? kNoPermission : kSuccess;
}
int nvmlShutdown() {
  return kSuccess;
}
const char* nvmlErrorString(int result) {
  return result == kNotSupported      ? "Not Supported"
         : result == kDriverNotLoaded ? "Driver Not Loaded"
         : result == kNoPermission    ? "Insufficient Permissions"
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

int nvmlDeviceGetClockInfo(void* /*device*/, int clock, unsigned* megahertz) {
  if (is("jetson")) return kNotSupported;
  static unsigned calls = 0;
  const bool low = is("hot") && ++calls % 4 == 1;
  *megahertz = clock == 2 ? 2619 : low ? 1200 : 1980;
  return kSuccess;
}
int nvmlDeviceGetMaxClockInfo(void* /*device*/, int clock, unsigned* megahertz) {
  if (is("jetson")) return kNotSupported;
  *megahertz = clock == 2 ? 2619 : 1980;
  return kSuccess;
}
int nvmlDeviceGetTemperature(void* device, int /*sensor*/, unsigned* celsius) {
  if (is("jetson") || device == &devices[1]) return kNotSupported;
  *celsius = is("hot") ? 91 : 45;
  return kSuccess;
}
int nvmlDeviceGetCurrentClocksEventReasons(void* /*device*/, unsigned long long* bits) {
  if (is("jetson")) return kNotSupported;
  *bits = is("hot") ? 0x44 : 0x1;  // heat and the power limit; or it idles
  return kSuccess;
}

}  // extern "C"
