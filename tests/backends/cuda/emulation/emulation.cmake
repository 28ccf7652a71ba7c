# SPDX-License-Identifier: Apache-2.0
# The cuda backend with its kernels compiled for this CPU, and a CUDA runtime that runs them here: test-cuda's tests
# without a GPU. Of CUDA, its headers are enough.
if(HEDGE_SANITIZE)
  set(emulation OFF)  # Compiles and runs several times as long; by hand, before kernels are merged.
else()
  set(emulation ON)
endif()
option(HEDGE_CUDA_EMULATION "Test the cuda backend's kernels on the CPU, where CUDA's headers are found" ${emulation})
# The thread sanitizer does not know of the fibers.
if(NOT HEDGE_CUDA_EMULATION OR CMAKE_CROSSCOMPILING OR HEDGE_SANITIZE MATCHES "thread")
  return()
endif()
find_path(HEDGE_CUDA_HEADERS cuda_fp16.h PATHS /usr/local/cuda/include)  # A place that NVIDIA's packages do not add.
mark_as_advanced(HEDGE_CUDA_HEADERS)
if(NOT HEDGE_CUDA_HEADERS)
  message(STATUS "CUDA's headers not found: no emulated tests of the cuda backend")
  return()
endif()

set(cuda ${PROJECT_SOURCE_DIR}/src/backends/cuda)
file(GLOB kernels CONFIGURE_DEPENDS ${cuda}/kernels/*.cu)
file(GLOB files CONFIGURE_DEPENDS ${cuda}/*.cpp ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
list(FILTER files EXCLUDE REGEX _test\.cpp$)
set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX SKIP_PRECOMPILE_HEADERS ON)
# A module of the same name as the real one, in a folder of its own.
add_library(hedge-backend-cuda-emulated SHARED ${files} ${kernels})
set_target_properties(hedge-backend-cuda-emulated PROPERTIES OUTPUT_NAME hedge-backend-cuda
                      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/emulated)
target_link_libraries(hedge-backend-cuda-emulated PRIVATE hedge_internal Threads::Threads)
# Before src/, whose instructions.cuh only a GPU's compiler understands.
target_include_directories(hedge-backend-cuda-emulated BEFORE PRIVATE ${CMAKE_CURRENT_LIST_DIR})
target_include_directories(hedge-backend-cuda-emulated PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(hedge-backend-cuda-emulated SYSTEM PRIVATE ${HEDGE_CUDA_HEADERS})
# What nvcc asks for no more than they do.
set_source_files_properties(${kernels} PROPERTIES COMPILE_OPTIONS
  "-fno-strict-aliasing;-Wno-unknown-pragmas;-Wno-sign-compare;-Wno-unused-function;$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")

file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/backends/cuda/*_test.cpp
                                  ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
# Drivers, and allocations in calls of the runtime, are CUDA's own.
list(FILTER tests EXCLUDE REGEX "driver_test|allocation_test")
add_executable(test-cuda-emulated ${tests} backends/layer_cases.cpp backends/integer_cases.cpp)
target_link_libraries(test-cuda-emulated PRIVATE hedge_internal hedge-backend-cuda-emulated hedge_program_heap
                                                 GTest::gtest_main Threads::Threads ${CMAKE_DL_LIBS})
target_include_directories(test-cuda-emulated PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_include_directories(test-cuda-emulated SYSTEM PRIVATE ${HEDGE_CUDA_HEADERS})
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/module_test.cpp PROPERTIES COMPILE_DEFINITIONS
                            HEDGE_EMULATED_MODULES="${PROJECT_BINARY_DIR}/emulated")
hedge_optimise_little(test-cuda-emulated)
if(HEDGE_PCH)
  target_precompile_headers(test-cuda-emulated REUSE_FROM test-base)
endif()
# What is timed, or done while the host goes on, says nothing here; nor does an error of the GPU, which ends the
# program. Nets of larger images and repetitions by the thousand take too long.
set(left_out CudaExecution.WaitingHasALimit CudaExecution.AnErrorOfTheGpuEndsTheWait
    CudaExecution.TheFasterMemoryIsChosen CudaExecution.OutputsAreThereWhenTheHostIsTold
    CudaPreprocessing.ScoresAreThoseOfPreprocessedTensors)
list(JOIN left_out ":" left_out)
add_test(NAME cuda-emulated COMMAND test-cuda-emulated --gtest_filter=-${left_out})
set_tests_properties(cuda-emulated PROPERTIES TIMEOUT 300 COST 40 ENVIRONMENT "${sanitizer_environment}")
set_property(GLOBAL APPEND PROPERTY HEDGE_UNIT_TESTS test-cuda-emulated)
