# SPDX-License-Identifier: Apache-2.0
# The cuda backend: own kernels only, so that nothing but the CUDA runtime is needed, which is linked
# statically. It opens the driver when it is first used: the module loads where there is none.

# Ends this file: with a word, or with an error where the backend is asked for.
macro(hedge_no_cuda reason)
  if(NOT HEDGE_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "HEDGE_CUDA is ${HEDGE_CUDA}, but ${reason}. Install CUDA 12.2 or later, name its nvcc in the "
                        "environment variable CUDACXX, or set HEDGE_CUDA to AUTO or OFF.")
  endif()
  message(STATUS "No cuda backend: ${reason}")
  return()
endmacro()

# Nothing is enabled before it is known to work: CMake ends where that fails.
if(NOT CMAKE_CUDA_COMPILER)
  unset(CMAKE_CUDA_COMPILER CACHE)  # Looked for again: it may have been installed since.
  if(NOT DEFINED ENV{CUDACXX})
    find_program(HEDGE_NVCC nvcc PATHS /usr/local/cuda/bin)  # A place that NVIDIA's packages do not add to PATH.
    mark_as_advanced(HEDGE_NVCC)
    if(NOT HEDGE_NVCC)
      hedge_no_cuda("nvcc is not found")
    endif()
    set(ENV{CUDACXX} ${HEDGE_NVCC})
  endif()
  include(CheckLanguage)
  check_language(CUDA)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  hedge_no_cuda("$ENV{CUDACXX} does not work with this C++ compiler")
endif()
execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE nvcc_version ERROR_QUIET)
if(NOT nvcc_version MATCHES "release ([0-9]+\\.[0-9]+)" OR CMAKE_MATCH_1 VERSION_LESS 12.2)
  hedge_no_cuda("${CMAKE_CUDA_COMPILER} is not nvcc 12.2 or later")
endif()
# Machine code for Orin and Hopper; others get PTX, which their driver compiles: Hopper's for what
# comes after it, as it has programmatic dependent launch.
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-virtual 87-real 90)
endif()
enable_language(CUDA)
if(HEDGE_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  # By the files read: its preprocessed text is one architecture's, and what only others compile would go unseen.
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_DEPEND=1 ${HEDGE_CCACHE})
endif()
find_package(CUDAToolkit 12.2)
if(NOT TARGET CUDA::cudart_static)
  hedge_no_cuda("${CMAKE_CUDA_COMPILER} has no static CUDA runtime beside it")
endif()

file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cuda/kernels/*.cu ${CMAKE_CURRENT_SOURCE_DIR}/gpu/kernels/*.cu)
add_library(hedge-cuda-kernels STATIC ${kernels})
target_include_directories(hedge-cuda-kernels PRIVATE ${PROJECT_SOURCE_DIR}/src)
# C++17, since CMake 3.25 does not know that nvcc 13 has 20.
set_target_properties(hedge-cuda-kernels PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON CUDA_RUNTIME_LIBRARY Static)
target_compile_options(hedge-cuda-kernels PRIVATE -Xcompiler=-Wall,-Wextra)

# What the tensorrt backend has of it, too.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/gpu/*.cpp)
add_library(hedge-gpu OBJECT ${files})
target_link_libraries(hedge-gpu PRIVATE hedge_internal)
target_include_directories(hedge-gpu SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})

hedge_add_module(backend-cuda ${CMAKE_CURRENT_SOURCE_DIR}/cuda hedge-cuda-kernels CUDA::cudart_static)
target_sources(hedge-backend-cuda PRIVATE $<TARGET_OBJECTS:hedge-gpu>)
target_include_directories(hedge-backend-cuda SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
