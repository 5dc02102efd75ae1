# Included instead of ../generators where the build is for another machine, or names the program of
# another build by -DUPCONV_GENERATORS=: the target upconv_generators, a program of this machine, that
# one or from a build of its own.
set(UPCONV_GENERATORS "" CACHE FILEPATH "The program upconv_generators of a build for this machine.")

add_executable(upconv_generators IMPORTED GLOBAL)
if(UPCONV_GENERATORS)
  set_target_properties(upconv_generators PROPERTIES IMPORTED_LOCATION "${UPCONV_GENERATORS}")
  return()
endif()

include(ExternalProject)
set(upconv_host_dir "${PROJECT_BINARY_DIR}/host")
set(upconv_host_generators "${upconv_host_dir}/generators/upconv_generators")
ExternalProject_Add(
  upconv_host_generators
  SOURCE_DIR "${PROJECT_SOURCE_DIR}"
  BINARY_DIR "${upconv_host_dir}"
  CMAKE_ARGS -DCMAKE_BUILD_TYPE=Release "-DHalide_DIR=${Halide_DIR}"
             -DUPCONV_BUILD_TOOLS=OFF -DUPCONV_BUILD_COMPILER=OFF -DUPCONV_BUILD_TESTS=OFF
             -DUPCONV_BUILD_BENCH=OFF -DUPCONV_BUILD_EXAMPLES=OFF -DUPCONV_INSTALL=OFF
  BUILD_COMMAND "${CMAKE_COMMAND}" --build <BINARY_DIR> --target upconv_generators
  BUILD_ALWAYS ON # Its build knows its sources; without changes it takes no time.
  BUILD_BYPRODUCTS "${upconv_host_generators}"
  INSTALL_COMMAND "")
set_target_properties(upconv_generators PROPERTIES IMPORTED_LOCATION "${upconv_host_generators}")
add_dependencies(upconv_generators upconv_host_generators)
