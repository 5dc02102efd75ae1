# upconv_add_layer(<target> CONFIG <layer.json> [WEIGHTS <w.npz>] [TARGETS <target>...]
#                  [INPUT_SHAPE <shape>] [TILE <tile>])
#
# A library of a layer, or of a list of layers, that upconvc compiles when the project is built;
# <target> is linked like any other and brings <target>.h (docs/compiler.md). Files are relative to
# the current source folder, and the layer is compiled again when they, or upconvc, change. TARGETS
# are upconvc's own, whatever compiler the project uses, so that a project that is cross-compiled
# names the processor here; without it they are the least that CMAKE_SYSTEM_PROCESSOR promises. With
# several, the functions of each begin with <target>_<its name>, and the program chooses among them.
include_guard(GLOBAL)

# The program upconvc: of this build, of the installed package, or on the path.
function(_upconv_find_compiler result)
  if(TARGET upconv::upconvc)
    set(${result} $<TARGET_FILE:upconv::upconvc> PARENT_SCOPE)
    return()
  endif()
  # A host program, also where libraries are looked for elsewhere.
  find_program(UPCONV_UPCONVC upconvc HINTS "${UPCONV_UPCONVC_HINT}" NO_CMAKE_FIND_ROOT_PATH
               DOC "upconvc, the compiler of layers.")
  if(NOT UPCONV_UPCONVC)
    message(FATAL_ERROR "upconv_add_layer needs upconvc, which this Upconv was built without "
                        "(UPCONV_BUILD_COMPILER); -DUPCONV_UPCONVC= names one.")
  endif()
  set(${result} "${UPCONV_UPCONVC}" PARENT_SCOPE)
endfunction()

function(upconv_add_layer target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CONFIG;WEIGHTS;INPUT_SHAPE;TILE" "TARGETS")
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_CONFIG)
    message(FATAL_ERROR "upconv_add_layer(${target}) takes CONFIG, and may take WEIGHTS, TARGETS, "
                        "INPUT_SHAPE and TILE; it got: ${ARGN}.")
  endif()
  if(NOT arg_TARGETS)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
      set(arg_TARGETS neon)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
      set(arg_TARGETS sse41)
    else()
      message(FATAL_ERROR "upconv_add_layer(${target}): name TARGETS; there is no default for the "
                          "processor \"${CMAKE_SYSTEM_PROCESSOR}\".")
    endif()
  endif()
  cmake_path(ABSOLUTE_PATH arg_CONFIG BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  set(options "${arg_CONFIG}")
  set(inputs "${arg_CONFIG}")
  if(arg_WEIGHTS)
    cmake_path(ABSOLUTE_PATH arg_WEIGHTS BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
    list(APPEND options --weights "${arg_WEIGHTS}")
    list(APPEND inputs "${arg_WEIGHTS}")
  endif()
  if(arg_INPUT_SHAPE)
    list(APPEND options --input-shape "${arg_INPUT_SHAPE}")
  endif()
  if(arg_TILE)
    list(APPEND options --tile "${arg_TILE}")
  endif()
  _upconv_find_compiler(upconvc)

  add_library(${target} INTERFACE)
  list(LENGTH arg_TARGETS count)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  foreach(processor IN LISTS arg_TARGETS)
    set(name "${target}")
    if(count GREATER 1)
      string(MAKE_C_IDENTIFIER "${target}_${processor}" name)
    endif()
    set(prefix "${folder}/${processor}")
    add_custom_command(
      OUTPUT "${prefix}/lib/lib${name}.a" "${prefix}/include/${name}.h"
      COMMAND "${upconvc}" ${options} --target "${processor}" --name ${name} -o "${folder}"
      DEPENDS ${inputs} "${upconvc}"
      COMMENT "Compiling the layer ${name} for ${processor}"
      VERBATIM)
    add_custom_target(${target}_${processor}_layer DEPENDS "${prefix}/lib/lib${name}.a"
                                                           "${prefix}/include/${name}.h")
    add_dependencies(${target} ${target}_${processor}_layer)
    target_include_directories(${target} INTERFACE "${prefix}/include")
    target_link_libraries(${target} INTERFACE "${prefix}/lib/lib${name}.a")
  endforeach()
endfunction()
