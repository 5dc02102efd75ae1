# Kernels of GPUs and Halide's run time for them, as a library of its own. Included with UPCONV_GPU.
include_guard(GLOBAL)

set(UPCONV_GPU_APIS "cuda;opencl" CACHE STRING
    "Programming interfaces of GPUs to build kernels for, best first: cuda, opencl.")

# PTX of the least capability is compiled for the GPU that is there, by its driver.
set(_upconv_gpu_features_cuda cuda-cuda_capability_70)
set(_upconv_gpu_features_opencl opencl)
set(_upconv_gpu_device_cuda kCuda)
set(_upconv_gpu_device_opencl kOpencl)
# The same as in runtime/gpu_apis.cpp; clamps are in the convolution.
set(_upconv_gpu_activations leaky_relu elu selu gelu gelu_tanh sigmoid tanh softplus silu hard_swish)

# upconv_add_gpu(<target> <interface>...)
#
# A static library of one object. Halide's run time is in it with all names hidden, so that it is not
# that of another Halide program in the process; where it would print or abort, it reports to the
# call (runtime/gpu_hooks.h). gpu_rows.inc, for runtime/gpu_apis.cpp, is in the folder
# <target>_ROWS in the caller.
function(upconv_add_gpu target)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(host arm-64-linux)
  else()
    set(host x86-64-linux-sse41)
  endif()
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  file(MAKE_DIRECTORY "${folder}")
  set(objects "")
  set(rows "")
  set(all_features "")
  set(renamed "")
  foreach(api IN LISTS ARGN)
    set(features "${_upconv_gpu_features_${api}}")
    if(NOT features)
      message(FATAL_ERROR "UPCONV_GPU_APIS has \"${api}\"; it may have cuda and opencl.")
    endif()
    string(APPEND all_features "-${features}")
    string(APPEND rows "UPCONV_GPU_API(${upconv_c_prefix}, ${api}, ${_upconv_gpu_device_${api}})\n")
    list(APPEND renamed
         --redefine-sym halide_${api}_device_interface=${upconv_c_prefix}_gpu_${api}_interface)
    # Its status codes are checked by what no_asserts would leave out.
    set(kernel_target "target=${host}-${features}-user_context-no_runtime-no_bounds_query")
    foreach(kernel conv_transpose ${_upconv_gpu_activations})
      set(name ${upconv_c_prefix}_gpu_${api}_${kernel})
      set(generator gpu_epilogue)
      set(parameters activation=${kernel})
      if(kernel STREQUAL "conv_transpose")
        set(generator gpu_conv_transpose)
        set(parameters "")
      endif()
      add_custom_command(
        OUTPUT "${folder}/${name}.o"
        COMMAND upconv_gpu_generators -g ${generator} -f ${name} -o "${folder}" -e object
                "${kernel_target}" ${parameters}
        DEPENDS upconv_gpu_generators
        COMMENT "Generating ${name}"
        VERBATIM)
      list(APPEND objects "${folder}/${name}.o")
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT "${folder}/gpu_rows.inc" CONTENT "${rows}" @ONLY)

  set(runtime "${folder}/halide_gpu_runtime.o")
  add_custom_command(
    OUTPUT "${runtime}"
    COMMAND upconv_gpu_generators -r halide_gpu_runtime -o "${folder}" -e object
            "target=${host}${all_features}-user_context"
    DEPENDS upconv_gpu_generators
    COMMENT "Generating Halide's run time for ${ARGN}"
    VERBATIM)

  add_library(${target}_hooks OBJECT gpu_hooks.cpp)
  upconv_target_defaults(${target}_hooks)
  target_include_directories(${target}_hooks PRIVATE "${PROJECT_SOURCE_DIR}/include")
  set_target_properties(
    ${target}_hooks PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET default)
  target_compile_options(${target}_hooks PRIVATE -fno-exceptions -fno-sanitize=all)
  set(whole "${folder}/${target}.o")
  add_custom_command(
    OUTPUT "${whole}"
    COMMAND "${CMAKE_LINKER}" -r --force-group-allocation -o "${whole}" ${objects} "${runtime}"
            $<TARGET_OBJECTS:${target}_hooks>
    COMMAND "${CMAKE_OBJCOPY}" ${renamed} --wildcard
            "--keep-global-symbol=${upconv_c_prefix}_gpu_*_argv"
            "--keep-global-symbol=${upconv_c_prefix}_gpu_*_interface" "${whole}"
    DEPENDS ${objects} "${runtime}" ${target}_hooks $<TARGET_OBJECTS:${target}_hooks>
    COMMAND_EXPAND_LISTS
    VERBATIM)

  add_library(${target} STATIC "${whole}")
  add_library(upconv::gpu ALIAS ${target})
  set_source_files_properties("${whole}" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME gpu)
  # It opens the drivers' libraries when it is first used.
  target_link_libraries(${target} INTERFACE Threads::Threads ${CMAKE_DL_LIBS})
  set(${target}_ROWS "${folder}" PARENT_SCOPE)
endfunction()
