# What is installed: the program, one shared library of all rooms, the public headers, and how to
# find them (find_package(drover), pkg-config drover).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# The rooms stay static libraries inside; an application sees one library and no third party.
get_property(rooms GLOBAL PROPERTY DROVER_ROOMS)
list(REMOVE_ITEM rooms drover_cli)
set(objects)
foreach(room ${rooms})
  get_target_property(kind ${room} TYPE)
  if(kind STREQUAL STATIC_LIBRARY)
    list(APPEND objects $<TARGET_OBJECTS:${room}>)
  endif()
endforeach()
add_library(drover_library SHARED ${objects})
set_target_properties(drover_library PROPERTIES OUTPUT_NAME drover EXPORT_NAME drover
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      LINKER_LANGUAGE CXX)
target_link_libraries(drover_library PRIVATE ${rooms})  # for the third parties that they link
target_include_directories(drover_library INTERFACE
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/drover>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(drover_library INTERFACE cxx_std_20)

install(TARGETS drover RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS drover_library EXPORT drover LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(header engine/error.h engine/api/database.h orchestrator/api/fleet.h)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/drover/${folder})
endforeach()
install(FILES orchestrator/api/drover.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/drover)

install(EXPORT drover NAMESPACE drover:: FILE droverTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/drover)
configure_package_config_file(cmake/install/droverConfig.cmake.in droverConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/drover)
write_basic_package_version_file(droverConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/droverConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/droverConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/drover)
# By its own place, so that the installed tree may be moved, or installed with another --prefix.
file(RELATIVE_PATH DROVER_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/install/drover.pc.in drover.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/drover.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
