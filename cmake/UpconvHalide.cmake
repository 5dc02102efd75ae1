# Finds Halide: the C++ SDK inside the Python wheel that `./dev setup` puts into .venv, unless
# Halide_DIR, Halide_ROOT or CMAKE_PREFIX_PATH name another one. Halide is needed to build only:
# what is built does not link to it.
set(upconv_halide_hints "")
foreach(minor RANGE 10 13)
  list(APPEND upconv_halide_hints
       "${PROJECT_SOURCE_DIR}/.venv/lib/python3.${minor}/site-packages/halide/lib64/cmake/Halide")
endforeach()

# The hints name the very folder: the wheel puts a second HalideConfig.cmake into .venv/share that
# fails where Python's headers are missing. The Python bindings are of no use here.
set(CMAKE_DISABLE_FIND_PACKAGE_Halide_Python TRUE)
# It and what it needs run on this machine, whatever machine is built for.
set(upconv_find_packages "${CMAKE_FIND_ROOT_PATH_MODE_PACKAGE}")
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE NEVER)
find_package(Halide 21.0.0 QUIET COMPONENTS Halide HINTS ${upconv_halide_hints})
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE "${upconv_find_packages}")
unset(upconv_find_packages)
unset(CMAKE_DISABLE_FIND_PACKAGE_Halide_Python)
if(NOT Halide_FOUND)
  message(FATAL_ERROR
    "Halide 21, which makes the kernels, was not found. `./dev setup` installs it into .venv on "
    "x86-64 Linux; an installation elsewhere is named by -DHalide_DIR=, the folder that holds "
    "HalideConfig.cmake. ${Halide_NOT_FOUND_MESSAGE}")
endif()
unset(upconv_halide_hints)
