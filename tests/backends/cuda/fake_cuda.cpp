// SPDX-License-Identifier: Apache-2.0
// A libcuda.so.1 of the tests' own: of the version FAKE_CUDA_VERSION (as CUDA writes it, 13000),
// and every other call of it answers the error FAKE_CUDA_ERROR (a number of CUresult).

#include <cstdlib>
#include <cstring>

namespace {

int number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoi(text);
}

int refuse() {
  return number_of("FAKE_CUDA_ERROR");
}

}  // namespace

extern "C" {

int cuDriverGetVersion(int* version) {
  *version = number_of("FAKE_CUDA_VERSION");
  return 0;
}

int cuInit(unsigned /*flags*/) {
  return refuse();
}

int cuGetProcAddress_v2(const char* name, void** function, int /*version*/, unsigned long /*flags*/,
                        int* found) {
  if (found != nullptr) *found = 0;  // CU_GET_PROC_ADDRESS_SUCCESS
  if (std::strcmp(name, "cuDriverGetVersion") == 0) {
    *function = reinterpret_cast<void*>(cuDriverGetVersion);
  } else if (std::strncmp(name, "cuGetProcAddress", 16) == 0) {
    *function = reinterpret_cast<void*>(cuGetProcAddress_v2);
  } else {
    *function = reinterpret_cast<void*>(refuse);
  }
  return 0;
}

int cuGetProcAddress(const char* name, void** function, int version, unsigned long flags) {
  return cuGetProcAddress_v2(name, function, version, flags, nullptr);
}
}
