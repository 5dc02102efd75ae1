# Toolchain: AArch64 Linux by Debian's cross compiler (g++-aarch64-linux-gnu). Libraries come from
# .sysroot-aarch64, which `./dev build --preset aarch64` fills with Debian's arm64 packages; what is
# built runs under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Loader, C library and all others of one origin: a loader and a C library of different builds hang.
cmake_path(SET upconv_sysroot NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../.sysroot-aarch64")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L "${upconv_sysroot}")
set(CMAKE_FIND_ROOT_PATH "${upconv_sysroot}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Shared libraries there need others beside them, which no command line names.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${upconv_sysroot}/usr/lib/aarch64-linux-gnu")
unset(upconv_sysroot)
