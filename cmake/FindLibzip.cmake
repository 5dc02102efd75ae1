# Finds libzip: the target libzip::zip, Libzip_FOUND and Libzip_VERSION. The package file that
# Debian ships with libzip wants zip programs of other packages, so it is not asked.
find_path(Libzip_INCLUDE_DIR zip.h)
find_library(Libzip_LIBRARY zip)
mark_as_advanced(Libzip_INCLUDE_DIR Libzip_LIBRARY)

if(Libzip_INCLUDE_DIR)
  # zipconf.h is beside zip.h, or in a folder of the architecture.
  find_file(Libzip_CONFIG_HEADER zipconf.h HINTS "${Libzip_INCLUDE_DIR}")
  mark_as_advanced(Libzip_CONFIG_HEADER)
  if(Libzip_CONFIG_HEADER)
    file(STRINGS "${Libzip_CONFIG_HEADER}" Libzip_VERSION REGEX "#define LIBZIP_VERSION \"")
    string(REGEX REPLACE ".*\"(.*)\".*" "\\1" Libzip_VERSION "${Libzip_VERSION}")
  endif()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Libzip
  REQUIRED_VARS Libzip_LIBRARY Libzip_INCLUDE_DIR
  VERSION_VAR Libzip_VERSION)

if(Libzip_FOUND AND NOT TARGET libzip::zip)
  add_library(libzip::zip UNKNOWN IMPORTED)
  set_target_properties(
    libzip::zip PROPERTIES IMPORTED_LOCATION "${Libzip_LIBRARY}"
                           INTERFACE_INCLUDE_DIRECTORIES "${Libzip_INCLUDE_DIR}")
endif()
