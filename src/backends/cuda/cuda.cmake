# SPDX-License-Identifier: Apache-2.0
# The cuda backend: own kernels only, so that nothing but the CUDA runtime is needed, which is linked
# statically. It opens the driver when it is first used: the module loads where there is none.
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "nvcc not found: no cuda backend")
  return()
endif()
# Machine code for Orin and Hopper; others get PTX, which their driver compiles: Hopper's for what
# comes after it, as it has programmatic dependent launch.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-virtual 87-real 90)
endif()
enable_language(CUDA)
find_package(CUDAToolkit 12.2 REQUIRED)

file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/kernels/*.cu)
add_library(hedge-cuda-kernels STATIC ${kernels})
target_include_directories(hedge-cuda-kernels PRIVATE ${PROJECT_SOURCE_DIR}/src)
# C++17, since CMake 3.25 does not know that nvcc 13 has 20.
set_target_properties(hedge-cuda-kernels PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static)
target_compile_options(hedge-cuda-kernels PRIVATE -Xcompiler=-Wall,-Wextra)

hedge_add_module(backend-cuda ${CMAKE_CURRENT_SOURCE_DIR}/cuda hedge-cuda-kernels CUDA::cudart_static)
target_include_directories(hedge-backend-cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
