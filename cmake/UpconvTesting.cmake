# One call for each test program. The label of a test is the folder of its promise.
include_guard(GLOBAL)
include(GoogleTest)

set(UPCONV_TEST_LABELS unit property golden errors faults gpu fuzz peers cli compiler install)

# The Python that scripts of the tests run under: the one of .venv, which has numpy.
find_program(
  UPCONV_PYTHON
  NAMES python3
  HINTS "${PROJECT_SOURCE_DIR}/.venv/bin"
  DOC "Python 3 with numpy, for tests that are scripts.")

# Checks what a call for the test `name` left in arg_...: LABEL and `required` are there, nothing is
# left over. Sets arg_TIMEOUT where it was not given. `usage` and ARGN, the call's arguments, are for
# the message.
function(_upconv_check_test call name required usage)
  if(arg_UNPARSED_ARGUMENTS OR NOT arg_${required})
    message(FATAL_ERROR "${call}(${name}) takes LABEL and ${required}, and may take ${usage}; it "
                        "got: ${ARGN}.")
  endif()
  if(NOT arg_LABEL IN_LIST UPCONV_TEST_LABELS)
    message(FATAL_ERROR "The test ${name} has LABEL \"${arg_LABEL}\"; it must be one of "
                        "${UPCONV_TEST_LABELS}, the folders of tests/.")
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT
        300
        PARENT_SCOPE)
  endif()
endfunction()

# upconv_add_test(<target> LABEL <label> SOURCES <file>... [LINK <library>...]
#                 [DEFINITIONS <definition>...] [TIMEOUT <seconds>])
#
# A GoogleTest program with the library, the shared helpers, gmock and gtest_main linked in. Each
# of its cases is a CTest test named <label>.<suite>.<case>, with a time limit (default 300 s).
function(upconv_add_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "SOURCES;LINK;DEFINITIONS")
  _upconv_check_test(upconv_add_test ${target} SOURCES "LINK, DEFINITIONS and TIMEOUT" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  upconv_target_defaults(${target})
  # A test's own code: what it checks is in the libraries, and most of the time goes into compiling.
  target_compile_options(${target} PRIVATE -O0)
  target_compile_definitions(${target} PRIVATE ${arg_DEFINITIONS}
                                               $<$<BOOL:${CMAKE_CROSSCOMPILING}>:UPCONV_EMULATED>)
  target_link_libraries(${target} PRIVATE ${arg_LINK} upconv_test_support upconv::upconv
                                          GTest::gmock GTest::gtest_main)
  gtest_discover_tests(
    ${target}
    TEST_PREFIX "${arg_LABEL}."
    DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 120
    PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT})
endfunction()

# upconv_command_of(<variable> <target>)
#
# Sets the variable to a command that runs a program of the build on this machine, for scripts to
# call: the program, or where it is for another machine, a script that has the emulator run it.
function(upconv_command_of variable target)
  set(command "$<TARGET_FILE:${target}>")
  if(CMAKE_CROSSCOMPILING)
    list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
    set(command "${CMAKE_CURRENT_BINARY_DIR}/run_${target}")
    file(
      GENERATE
      OUTPUT "${command}"
      CONTENT "#!/bin/sh\nexec ${emulator} '$<TARGET_FILE:${target}>' \"$@\"\n"
      FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  endif()
  set(${variable} "${command}" PARENT_SCOPE)
endfunction()

# upconv_add_script_test(<name> LABEL <label> COMMAND <command> [<argument>...]
#                        [TIMEOUT <seconds>])
#
# A command that is one test, named <label>.<name>: it passes when it exits with 0 and is skipped
# when it exits with 77. "${UPCONV_PYTHON}" runs Python scripts.
function(upconv_add_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "COMMAND")
  _upconv_check_test(upconv_add_script_test ${name} COMMAND "TIMEOUT" ${ARGN})
  add_test(NAME ${arg_LABEL}.${name} COMMAND ${arg_COMMAND})
  set_tests_properties(
    ${arg_LABEL}.${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()
