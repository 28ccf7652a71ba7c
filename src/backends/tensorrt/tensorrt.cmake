# SPDX-License-Identifier: Apache-2.0
# The tensorrt backend: TensorRT's headers are needed to build it, its libraries only to run it, which
# opens them by their names.

# Ends this file: with a word, or with an error where the backend is asked for.
macro(hedge_no_tensorrt reason)
  if(NOT HEDGE_TENSORRT STREQUAL "AUTO")
    message(FATAL_ERROR "HEDGE_TENSORRT is ${HEDGE_TENSORRT}, but ${reason}.")
  endif()
  message(STATUS "No tensorrt backend: ${reason}")
  return()
endmacro()

if(NOT TARGET hedge-backend-cuda)
  hedge_no_tensorrt("it needs what the cuda backend is built with (HEDGE_CUDA)")
endif()
# What was found is of one root: another one, of -D or of the environment, is looked through again.
set(TensorRT_ROOT "$ENV{TensorRT_ROOT}" CACHE PATH "Folder of TensorRT (or of its headers in include/)")
if(DEFINED ENV{TensorRT_ROOT} AND TensorRT_ROOT STREQUAL "${HEDGE_TENSORRT_ROOT_OF_ENVIRONMENT}")
  set_property(CACHE TensorRT_ROOT PROPERTY VALUE "$ENV{TensorRT_ROOT}")
endif()
if(TensorRT_ROOT STREQUAL "$ENV{TensorRT_ROOT}")
  set(HEDGE_TENSORRT_ROOT_OF_ENVIRONMENT "${TensorRT_ROOT}" CACHE INTERNAL "TensorRT_ROOT as the environment had it")
endif()
if(DEFINED HEDGE_TENSORRT_ROOT_SEARCHED AND NOT TensorRT_ROOT STREQUAL "${HEDGE_TENSORRT_ROOT_SEARCHED}")
  unset(TENSORRT_INCLUDE_DIR CACHE)
  unset(TENSORRT_PARSER_INCLUDE_DIR CACHE)
endif()
set(HEDGE_TENSORRT_ROOT_SEARCHED "${TensorRT_ROOT}" CACHE INTERNAL "TensorRT_ROOT whose headers were found")
find_path(TENSORRT_INCLUDE_DIR NvInfer.h HINTS ${TensorRT_ROOT} PATH_SUFFIXES include)
find_path(TENSORRT_PARSER_INCLUDE_DIR NvOnnxParser.h HINTS ${TensorRT_ROOT} ${TENSORRT_INCLUDE_DIR} PATH_SUFFIXES include)
mark_as_advanced(TENSORRT_INCLUDE_DIR TENSORRT_PARSER_INCLUDE_DIR)
if(NOT TENSORRT_INCLUDE_DIR OR NOT TENSORRT_PARSER_INCLUDE_DIR)
  hedge_no_tensorrt("NvInfer.h and NvOnnxParser.h are not found (install libnvinfer-dev and libnvonnxparsers-dev, or set TensorRT_ROOT)")
endif()
# "#define NV_TENSORRT_MAJOR 8", or by another name in the same file (10.16 and 11).
file(STRINGS ${TENSORRT_INCLUDE_DIR}/NvInferVersion.h major REGEX "define (NV_TENSORRT_MAJOR|TRT_MAJOR_ENTERPRISE) +[0-9]+")
file(STRINGS ${TENSORRT_INCLUDE_DIR}/NvInferVersion.h minor REGEX "define (NV_TENSORRT_MINOR|TRT_MINOR_ENTERPRISE) +[0-9]+")
string(REGEX MATCH "[0-9]+" major "${major}")
string(REGEX MATCH "[0-9]+" minor "${minor}")
if("${major}.${minor}" VERSION_LESS 8.6)
  hedge_no_tensorrt("${TENSORRT_INCLUDE_DIR} is not of TensorRT 8.6 or later")
endif()
set(HEDGE_TENSORRT_MAJOR ${major} CACHE INTERNAL "Major version of the headers")
message(STATUS "TensorRT ${major}.${minor}: ${TENSORRT_INCLUDE_DIR}")

# Compiled once: for the module, and for the tests' module, which runs on doubles.
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tensorrt/*.cpp)
add_library(hedge-tensorrt-objects OBJECT ${files})
target_link_libraries(hedge-tensorrt-objects PUBLIC hedge_internal)
target_include_directories(hedge-tensorrt-objects SYSTEM PUBLIC
  ${TENSORRT_INCLUDE_DIR} ${TENSORRT_PARSER_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS})

add_library(hedge-backend-tensorrt SHARED $<TARGET_OBJECTS:hedge-tensorrt-objects> $<TARGET_OBJECTS:hedge-gpu>)
target_link_libraries(hedge-backend-tensorrt PRIVATE hedge_internal hedge-cuda-kernels CUDA::cudart_static ${CMAKE_DL_LIBS})
