# What all targets of the project share, and one call for each kind of target.
include_guard(GLOBAL)

# Warnings. -Wconversion keeps 64-bit extents from silently becoming int; sign conversion is left
# out, since indices are signed and sizes of containers are not. Halide's headers and those of other
# libraries are system headers and say nothing.
add_library(upconv_warnings INTERFACE)
target_compile_options(
  upconv_warnings
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wno-sign-conversion
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            -Wcast-qual
            -Wundef
            # GCC 12 finds overlaps in std::string's operator+ that are not there (GCC bug 105651).
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
            $<$<BOOL:${UPCONV_WERROR}>:-Werror>)

# Checks at run time: sanitizers when asked for; the standard library's own assertions with them and
# in debug builds.
add_library(upconv_checks INTERFACE)
target_compile_definitions(upconv_checks INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
if(UPCONV_FUZZ) # Counts which code was reached.
  target_compile_options(upconv_checks INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(UPCONV_SANITIZE)
  target_compile_definitions(upconv_checks INTERFACE _GLIBCXX_ASSERTIONS)
  # GCC's flow analysis warns of code that the sanitizers themselves put in.
  target_compile_options(
    upconv_checks INTERFACE -fsanitize=${UPCONV_SANITIZE} -fno-sanitize-recover=all
                            -fno-omit-frame-pointer
                            $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(upconv_checks INTERFACE -fsanitize=${UPCONV_SANITIZE})
endif()

# What calls spend their time in stays optimised where a build is not: a sanitizer's build, whose
# programs take three times as long to compile at -O1.
add_library(upconv_optimised INTERFACE)
if(UPCONV_SANITIZE)
  target_compile_options(upconv_optimised INTERFACE -O1)
endif()

# upconv_target_defaults(<target>)
#
# C++20 without extensions, hidden visibility, the warnings and the checks. For every C++ target of
# the project but the generators, which run while building and are neither checked nor shipped.
function(upconv_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(
    ${target}
    PROPERTIES CXX_EXTENSIONS OFF
               CXX_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON)
  # Of this build only: an installed static library does not hand them on.
  target_link_libraries(${target} PRIVATE $<BUILD_LOCAL_INTERFACE:upconv_warnings>
                                          $<BUILD_LOCAL_INTERFACE:upconv_checks>)
endfunction()

# upconv_add_program(<target> [OUTPUT_NAME <name>] SOURCES <file>... [LINK <library>...])
#
# A program in <build>/bin, linked to the library.
function(upconv_add_program target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "OUTPUT_NAME" "SOURCES;LINK")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_SOURCES)
    message(FATAL_ERROR "upconv_add_program(${target}) takes SOURCES, and may take OUTPUT_NAME and "
                        "LINK; it got: ${ARGN}.")
  endif()
  if(NOT arg_OUTPUT_NAME)
    set(arg_OUTPUT_NAME ${target})
  endif()
  add_executable(${target} ${arg_SOURCES})
  upconv_target_defaults(${target})
  target_link_libraries(${target} PRIVATE ${arg_LINK} upconv::upconv)
  set_target_properties(
    ${target} PROPERTIES OUTPUT_NAME ${arg_OUTPUT_NAME}
                         RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

# upconv_require(<package> <what> <debian package> [<find_package argument>...])
#
# find_package(<package>), with a word of help when it is missing. A macro: what find_package sets
# must reach the caller.
macro(upconv_require package what debian)
  find_package(${package} QUIET ${ARGN})
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "${what} was not found. On Debian it is in the package ${debian}, which "
                        "`./dev setup` installs.")
  endif()
endmacro()
