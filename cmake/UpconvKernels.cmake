# The table of kernels: every row of schedules/kernels.json becomes one ahead-of-time compiled
# object, one declaration, one entry of the run-time table, and so one test and one benchmark.
#
# upconv_add_kernels(<prefix> PROCESSOR <x86_64|aarch64> [ISAS <isa>...]), of all instruction sets of
# the processor or of those, sets in the caller:
#   <prefix>_OBJECTS  object files
#   <prefix>_TABLE    a folder of
#                     {wide,listed,narrow,winograd_input,winograd_output,few_columns,added,
#                     epilogue,target}_rows.inc,
#                     which hold UPCONV_TILE_KERNEL(...), of listed UPCONV_LISTED_KERNEL(...),
#                     UPCONV_WINOGRAD_INPUT(...), UPCONV_WINOGRAD_OUTPUT(...),
#                     UPCONV_FEW_COLUMNS_KERNEL(...), UPCONV_ADDED_KERNEL(...),
#                     UPCONV_EPILOGUE_KERNEL(...) and UPCONV_TARGET(...)

set(UPCONV_KERNEL_TABLE
    "${PROJECT_SOURCE_DIR}/schedules/kernels.json"
    CACHE FILEPATH "The table of kernels; ./dev tune builds with others"
)
set(UPCONV_ISAS
    ""
    CACHE STRING "Instruction sets of the library, for example sse41;avx2; empty: all of the table"
)
set(UPCONV_KERNEL_FEATURES
    ""
    CACHE STRING "Extra Halide target features of every kernel, for example asan; joined by -"
)

# Leaf functions: nothing to check (the library validates before it calls), nothing to allocate, no
# threads; an object has no undefined symbol.
set(_upconv_leaf_features "no_runtime-no_asserts-no_bounds_query")

# Of each object that is linked here, Halide's entry by an array of arguments and the description of
# its arguments are taken out: nothing calls them, and they are a third of all bytes. A sanitizer's
# objects are left as they are, since it keeps tables of its own in them.
set(_upconv_unused_sections "")
foreach(section .comment .data.rel.ro .text.*_argv .text.*_metadata)
  list(APPEND _upconv_unused_sections "--remove-section=${section}" "--remove-section=.rela${section}")
endforeach()

# One object, upconv_<name>.o, with the function <upconv_c_prefix>_<name>: runs the generator, with
# its parameters as name=value pairs. Halide's only hint to prefetch is the one for data that is used
# once (x86: prefetchnta), which keeps it out of the second-level cache, where weights belong. So an
# object with `prefetch=true` is assembled from text in which the hint is another (prefetcht1).
function(_upconv_add_kernel name generator target)
  set(file "upconv_${name}")
  set(features "${_upconv_leaf_features}")
  set(strip "")
  if(UPCONV_KERNEL_FEATURES)
    string(APPEND features "-${UPCONV_KERNEL_FEATURES}")
  elseif(CMAKE_OBJCOPY AND arg_PROCESSOR STREQUAL upconv_processor)
    set(strip COMMAND "${CMAKE_OBJCOPY}" ${_upconv_unused_sections}
              "${CMAKE_CURRENT_BINARY_DIR}/kernels/${file}.o"
    )
  endif()
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/kernels")
  set(assemble "")
  set(depends upconv_generators)
  if("prefetch=true" IN_LIST ARGN)
    set(hint_script "${PROJECT_SOURCE_DIR}/cmake/UpconvPrefetchHint.cmake")
    list(APPEND depends "${hint_script}")
    set(assemble
        COMMAND "${CMAKE_COMMAND}" "-DASSEMBLY=${directory}/${file}.s"
        -P "${hint_script}"
        COMMAND "${CMAKE_CXX_COMPILER}" -c -o "${directory}/${file}.o" "${directory}/${file}.s"
    )
  endif()
  add_custom_command(
    OUTPUT "${directory}/${file}.o"
    BYPRODUCTS "${directory}/${file}.s"
    COMMAND upconv_generators -g ${generator} -f ${upconv_c_prefix}_${name} -n ${file}
            -o "${directory}" -e object,assembly "target=${target}-${features}" ${ARGN}
    ${assemble}
    ${strip}
    DEPENDS ${depends}
    COMMENT "Generating ${file}"
    VERBATIM
  )
  set_source_files_properties("${directory}/${file}.o" PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
endfunction()

function(upconv_add_kernels prefix)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PROCESSOR" "ISAS")
  set(data "${UPCONV_KERNEL_TABLE}")
  set_property(
    DIRECTORY APPEND
    PROPERTY CMAKE_CONFIGURE_DEPENDS "${data}"
  )
  file(READ "${data}" json)
  file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/kernels")
  # The wide strategy reads packed weights as vectors; the narrow one rows of x, any distance apart.
  set(options_wide packed=true)
  set(options_narrow packed=false)
  set(options_listed "")
  set(objects "")
  foreach(kind wide listed narrow winograd_input winograd_output few_columns added epilogue target)
    set(${kind}_rows "")
  endforeach()
  set(unknown_isas "${arg_ISAS}")

  string(JSON isa_count LENGTH "${json}" targets)
  math(EXPR isa_last "${isa_count} - 1")
  foreach(isa_index RANGE ${isa_last})
    string(JSON isa MEMBER "${json}" targets ${isa_index})
    string(JSON processor GET "${json}" targets ${isa} processor)
    if(NOT processor STREQUAL arg_PROCESSOR OR (arg_ISAS AND NOT isa IN_LIST arg_ISAS))
      continue()
    endif()
    list(REMOVE_ITEM unknown_isas ${isa})
    string(JSON target GET "${json}" targets ${isa} halide)
    foreach(size slab_bytes panel_bytes piece_rows strip_bytes points_bytes
            points_cache_bytes products_bytes
            thread_multiply_adds new_thread_multiply_adds)
      string(JSON ${size} GET "${json}" targets ${isa} sizes ${size})
    endforeach()
    string(APPEND target_rows
           "UPCONV_TARGET(${isa}, ${slab_bytes}, ${panel_bytes}, ${piece_rows}, ${strip_bytes}, "
           "${points_bytes}, ${points_cache_bytes}, ${products_bytes}, ${thread_multiply_adds}, "
           "${new_thread_multiply_adds})\n"
    )
    foreach(dtype float32 float64)
      string(JSON lanes GET "${json}" targets ${isa} lanes ${dtype})

      foreach(strategy wide listed narrow)
        # Of the wide strategy, too: the same tiles, whose rows of weights are in lists.
        if(strategy STREQUAL "listed")
          set(name_start wide)
          set(name_end _listed)
          set(generator listed_rows)
          set(macro UPCONV_LISTED_KERNEL)
          set(last_column most_inputs)
        else()
          set(name_start ${strategy})
          set(name_end "")
          set(generator conv_transpose)
          set(macro UPCONV_TILE_KERNEL)
          set(last_column cost)
        endif()
        string(JSON tile_count LENGTH "${json}" ${strategy} ${isa})
        math(EXPR tile_last "${tile_count} - 1")
        foreach(tile_index RANGE ${tile_last})
          foreach(member vectors unroll ${last_column})
            string(JSON ${member} GET "${json}" ${strategy} ${isa} ${tile_index} ${member})
          endforeach()
          string(JSON height_count LENGTH "${json}" ${strategy} ${isa} ${tile_index} pixels)
          math(EXPR height_last "${height_count} - 1")
          foreach(height_index RANGE ${height_last})
            string(JSON pixels GET "${json}" ${strategy} ${isa} ${tile_index} pixels ${height_index})
            set(name "${name_start}_${dtype}_${isa}_${pixels}x${vectors}${name_end}")
            set(options ${options_${strategy}})
            # Weights come too slowly for tiles of many vectors; of many pixels, too, there is room for
            # another load per step. Without fused multiply-adds no cache is too slow.
            if(strategy STREQUAL "wide" AND target MATCHES "x86.*fma"
               AND vectors GREATER 2 AND pixels GREATER_EQUAL vectors)
              list(APPEND options prefetch=true)
              # Narrower vectors take long enough for each line of x and y, and hints a part of that.
              if(target MATCHES "avx512" AND height_index EQUAL 0)
                list(APPEND options prefetch_far=true)
              endif()
            endif()
            _upconv_add_kernel(
              ${name} ${generator} ${target} dtype=${dtype} lanes=${lanes}
              vectors=${vectors} pixels=${pixels} unroll=${unroll} ${options}
            )
            list(APPEND objects "${CMAKE_CURRENT_BINARY_DIR}/kernels/upconv_${name}.o")
            string(APPEND ${strategy}_rows "${macro}(${upconv_c_prefix}, ${name}, ${dtype}, ${isa}, "
                                           "${lanes}, ${vectors}, ${pixels}, ${${last_column}})\n"
            )
          endforeach()
        endforeach()
      endforeach()

      set(letters u v)
      foreach(side input output)
        string(JSON row_count LENGTH "${json}" winograd ${side})
        math(EXPR row_last "${row_count} - 1")
        foreach(row RANGE ${row_last})
          # Of both axes: name=value for the generator, values for the table, words for the name.
          set(parameters "")
          set(values "")
          set(axes "")
          foreach(axis RANGE 1)
            list(GET letters ${axis} letter)
            set(word "")
            string(JSON member_count LENGTH "${json}" winograd ${side} ${row})
            math(EXPR member_last "${member_count} - 1")
            foreach(index RANGE ${member_last})
              string(JSON member MEMBER "${json}" winograd ${side} ${row} ${index})
              string(JSON value GET "${json}" winograd ${side} ${row} ${member} ${axis})
              list(APPEND parameters ${member}_${letter}=${value})
              string(APPEND values ", ${value}")
              list(APPEND word ${value})
            endforeach()
            list(JOIN word "r" word)
            list(APPEND axes ${word})
          endforeach()
          list(JOIN axes "x" axes)
          set(name "winograd_${dtype}_${isa}_${side}_${axes}")
          _upconv_add_kernel(
            ${name} winograd_${side} ${target} dtype=${dtype} lanes=${lanes} ${parameters}
          )
          list(APPEND objects "${CMAKE_CURRENT_BINARY_DIR}/kernels/upconv_${name}.o")
          string(TOUPPER ${side} macro)
          string(APPEND winograd_${side}_rows
                 "UPCONV_WINOGRAD_${macro}(${upconv_c_prefix}, ${name}, ${dtype}, ${isa}${values})\n"
          )
        endforeach()
      endforeach()

      # A vector of pixels for each column: where a vector of columns would be half empty or more,
      # and one of pixels is of whole groups of four.
      string(JSON all_columns GET "${json}" few_columns ${isa})
      string(REGEX MATCHALL "[0-9]+" all_columns "${all_columns}")
      math(EXPR most_columns "${lanes} / 2")
      foreach(columns IN LISTS all_columns)
        if(lanes LESS 4 OR columns GREATER most_columns)
          continue()
        endif()
        set(name "scatter_${dtype}_${isa}_${columns}columns")
        _upconv_add_kernel(
          ${name} few_columns ${target} dtype=${dtype} lanes=${lanes} columns=${columns}
        )
        list(APPEND objects "${CMAKE_CURRENT_BINARY_DIR}/kernels/upconv_${name}.o")
        string(APPEND few_columns_rows "UPCONV_FEW_COLUMNS_KERNEL(${upconv_c_prefix}, ${name}, ${dtype}, "
                                       "${isa}, ${lanes}, ${columns})\n"
        )
      endforeach()

      # Of instruction sets whose vectors are longer than those of the library's own code.
      string(JSON added_isas GET "${json}" added)
      if(added_isas MATCHES "\"${isa}\"")
        set(name "scatter_${dtype}_${isa}_rows")
        _upconv_add_kernel(${name} added_rows ${target} dtype=${dtype} lanes=${lanes})
        list(APPEND objects "${CMAKE_CURRENT_BINARY_DIR}/kernels/upconv_${name}.o")
        string(APPEND added_rows
               "UPCONV_ADDED_KERNEL(${upconv_c_prefix}, ${name}, ${dtype}, ${isa}, ${lanes})\n"
        )
      endif()

      string(JSON activation_count LENGTH "${json}" epilogue)
      math(EXPR activation_last "${activation_count} - 1")
      foreach(activation_index RANGE ${activation_last})
        string(JSON activation GET "${json}" epilogue ${activation_index})
        set(name "epilogue_${activation}_${dtype}_${isa}")
        _upconv_add_kernel(
          ${name} epilogue ${target} dtype=${dtype} lanes=${lanes} activation=${activation}
        )
        list(APPEND objects "${CMAKE_CURRENT_BINARY_DIR}/kernels/upconv_${name}.o")
        string(APPEND epilogue_rows "UPCONV_EPILOGUE_KERNEL(${upconv_c_prefix}, ${name}, ${activation}, "
                                    "${dtype}, ${isa})\n"
        )
      endforeach()
    endforeach()
  endforeach()

  if(unknown_isas)
    message(FATAL_ERROR "UPCONV_ISAS names ${unknown_isas}; ${data} has no such instruction set for "
                        "${arg_PROCESSOR}.")
  endif()
  set(table "${CMAKE_CURRENT_BINARY_DIR}/kernels/${prefix}")
  foreach(kind wide listed narrow winograd_input winograd_output few_columns added epilogue target)
    file(CONFIGURE OUTPUT "${table}/${kind}_rows.inc" CONTENT "${${kind}_rows}" @ONLY)
  endforeach()
  set(${prefix}_OBJECTS "${objects}" PARENT_SCOPE)
  set(${prefix}_TABLE "${table}" PARENT_SCOPE)
endfunction()
