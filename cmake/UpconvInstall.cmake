# Install rules: the library with its headers, the package for find_package(upconv), the tool.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(upconv_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/upconv")

set(upconv_gpu_target "")
if(UPCONV_GPU)
  set(upconv_gpu_target upconv_gpu)
endif()
install(
  TARGETS upconv upconv_c ${upconv_gpu_target}
  EXPORT upconv-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(
  EXPORT upconv-targets
  NAMESPACE upconv::
  DESTINATION "${upconv_package_dir}")

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/upconv-config.cmake.in"
  "${PROJECT_BINARY_DIR}/upconv-config.cmake"
  INSTALL_DESTINATION "${upconv_package_dir}"
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/upconv-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(
  FILES "${PROJECT_BINARY_DIR}/upconv-config.cmake"
        "${PROJECT_BINARY_DIR}/upconv-config-version.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/FindLibzip.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/UpconvAddLayer.cmake"
  DESTINATION "${upconv_package_dir}")

# The prefix as seen from the folder of the .pc files, so that a tree can be moved.
file(RELATIVE_PATH upconv_pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
foreach(library upconv upconv_c)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/${library}.pc.in"
                 "${PROJECT_BINARY_DIR}/${library}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${library}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endforeach()

install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(TARGET upconv_tool)
  install(TARGETS upconv_tool RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
if(TARGET upconv_compiler)
  # It finds Halide where it was built with it.
  set_target_properties(
    upconv_compiler PROPERTIES INSTALL_RPATH "$<TARGET_FILE_DIR:Halide::Halide>")
  install(TARGETS upconv_compiler RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
