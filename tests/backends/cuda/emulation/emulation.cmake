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

# What compiles as the kernels do where nvcc does it, and what they ask for no more than that.
function(hedge_emulate target)
  cmake_parse_arguments(arg "" "" "KERNELS" ${ARGN})
  set_source_files_properties(${arg_KERNELS} PROPERTIES LANGUAGE CXX SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS
    "-fno-strict-aliasing;-Wno-unknown-pragmas;-Wno-sign-compare;-Wno-unused-function;$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>")
  # Before src/, whose instructions.cuh only a GPU's compiler understands.
  target_include_directories(${target} BEFORE PRIVATE ${PROJECT_SOURCE_DIR}/tests/backends/cuda/emulation)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_include_directories(${target} SYSTEM PRIVATE ${HEDGE_CUDA_HEADERS})
endfunction()

# Calls that are noted and can fail, for what runs beside a real GPU too.
add_library(hedge-double-control SHARED ${CMAKE_CURRENT_LIST_DIR}/control.cpp)
target_link_libraries(hedge-double-control PRIVATE hedge_options)
target_include_directories(hedge-double-control PUBLIC ${PROJECT_SOURCE_DIR}/tests)

# The CUDA runtime.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
list(FILTER files EXCLUDE REGEX "_test|control")
add_library(hedge-emulated-cuda SHARED ${files})
target_link_libraries(hedge-emulated-cuda PUBLIC hedge-double-control PRIVATE hedge_options Threads::Threads)
hedge_emulate(hedge-emulated-cuda)

set(backends ${PROJECT_SOURCE_DIR}/src/backends)
file(GLOB kernels CONFIGURE_DEPENDS ${backends}/gpu/kernels/*.cu)
file(GLOB files CONFIGURE_DEPENDS ${backends}/gpu/*.cpp)
add_library(hedge-emulated-gpu OBJECT ${files} ${kernels})
target_link_libraries(hedge-emulated-gpu PRIVATE hedge_internal)
hedge_emulate(hedge-emulated-gpu KERNELS ${kernels})

# A module of the same name as the real one, in a folder of its own.
file(GLOB kernels CONFIGURE_DEPENDS ${backends}/cuda/kernels/*.cu)
file(GLOB files CONFIGURE_DEPENDS ${backends}/cuda/*.cpp)
add_library(hedge-backend-cuda-emulated SHARED ${files} ${kernels} $<TARGET_OBJECTS:hedge-emulated-gpu>)
set_target_properties(hedge-backend-cuda-emulated PROPERTIES OUTPUT_NAME hedge-backend-cuda
                      LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/emulated)
target_link_libraries(hedge-backend-cuda-emulated PRIVATE hedge_internal hedge-emulated-cuda)
hedge_emulate(hedge-backend-cuda-emulated KERNELS ${kernels})

file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/backends/cuda/*_test.cpp
                                  ${CMAKE_CURRENT_LIST_DIR}/*_test.cpp)
# Drivers, and allocations in calls of the runtime, are CUDA's own.
list(FILTER tests EXCLUDE REGEX "driver_test|allocation_test")
add_executable(test-cuda-emulated ${tests} backends/layer_cases.cpp backends/integer_cases.cpp)
target_link_libraries(test-cuda-emulated PRIVATE hedge_internal hedge-backend-cuda-emulated hedge-emulated-cuda hedge_program_heap
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
