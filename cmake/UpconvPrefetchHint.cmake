# cmake -DASSEMBLY=<file> -P UpconvPrefetchHint.cmake: the prefetches in the file bring lines to the
# second-level cache (_upconv_add_kernel says why). It is an error when there are none.
file(READ "${ASSEMBLY}" text)
string(REPLACE "prefetchnta" "prefetcht1" hinted "${text}")
if(hinted STREQUAL text)
  message(FATAL_ERROR "${ASSEMBLY} has no prefetchnta; what Halide emits for a prefetch has changed")
endif()
file(WRITE "${ASSEMBLY}" "${hinted}")
