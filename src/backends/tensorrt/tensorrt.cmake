# SPDX-License-Identifier: Apache-2.0
# The tensorrt backend: TensorRT's headers are needed to build it, its libraries only to run it, which
# opens them by their names. The CUDA runtime is linked statically and opens the driver when it is first used.
set(TensorRT_ROOT "$ENV{TensorRT_ROOT}" CACHE PATH "Folder of TensorRT (or of its headers in include/)")
find_path(TENSORRT_INCLUDE_DIR NvInfer.h HINTS ${TensorRT_ROOT} PATH_SUFFIXES include)
find_path(TENSORRT_PARSER_INCLUDE_DIR NvOnnxParser.h HINTS ${TensorRT_ROOT} ${TENSORRT_INCLUDE_DIR} PATH_SUFFIXES include)
if(NOT TENSORRT_INCLUDE_DIR OR NOT TENSORRT_PARSER_INCLUDE_DIR)
  message(STATUS "TensorRT's headers (NvInfer.h, NvOnnxParser.h) not found (TensorRT_ROOT): no tensorrt backend")
  return()
endif()
find_package(CUDAToolkit 11.8 QUIET)
if(NOT TARGET CUDA::cudart_static)
  message(STATUS "the CUDA toolkit not found: no tensorrt backend")
  return()
endif()
# "#define NV_TENSORRT_MAJOR 8", or by another name in the same file (10.16 and 11).
file(STRINGS ${TENSORRT_INCLUDE_DIR}/NvInferVersion.h major REGEX "define (NV_TENSORRT_MAJOR|TRT_MAJOR_ENTERPRISE) +[0-9]+")
string(REGEX MATCH "[0-9]+" major "${major}")
set(HEDGE_TENSORRT_MAJOR ${major} CACHE INTERNAL "Major version of the headers")
message(STATUS "TensorRT ${HEDGE_TENSORRT_MAJOR}: ${TENSORRT_INCLUDE_DIR}")

# Compiled once: for the module, and for the tests' module, which runs on doubles.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tensorrt/*.cpp)
add_library(hedge-tensorrt-objects OBJECT ${files} ${CMAKE_CURRENT_SOURCE_DIR}/cuda/device.cpp)
target_link_libraries(hedge-tensorrt-objects PUBLIC hedge_internal)
target_include_directories(hedge-tensorrt-objects SYSTEM PUBLIC
  ${TENSORRT_INCLUDE_DIR} ${TENSORRT_PARSER_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})

add_library(hedge-backend-tensorrt SHARED $<TARGET_OBJECTS:hedge-tensorrt-objects>)
target_link_libraries(hedge-backend-tensorrt PRIVATE hedge_internal CUDA::cudart_static ${CMAKE_DL_LIBS})
