# SPDX-License-Identifier: Apache-2.0
# arm64 Linux from an x86-64 Debian: the cross compiler, the libraries that packaging/arm64-sysroot unpacked, and
# qemu-user for the tests (docs/arm64.md).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build-arm64/sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# A core without SVE, as edge boards have it: qemu's default one would hide what oneDNN lacks there.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-cpu;cortex-a72;-L;${CMAKE_SYSROOT})
# The build folder is copied to the board as it is.
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
