# One library per folder, so that a room can link only what it may know.

# drover_room(NAME [LINK target...]): the library drover_NAME of this folder's *.cpp. A room without
# sources is an interface.
function(drover_room name)
  cmake_parse_arguments(ROOM "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")  # a program, not a part of the library
  if(sources)
    add_library(drover_${name} STATIC ${sources})
    target_include_directories(drover_${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_link_libraries(drover_${name} PUBLIC ${ROOM_LINK} Threads::Threads)
  else()
    add_library(drover_${name} INTERFACE)
    target_include_directories(drover_${name} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
    target_link_libraries(drover_${name} INTERFACE ${ROOM_LINK} Threads::Threads)
  endif()
  set_property(GLOBAL APPEND PROPERTY DROVER_ROOMS drover_${name})
endfunction()

# drover_tests(NAME [LINK target...] [LABELS label...]): the suite test_NAME of this folder's
# *_test.cpp, one ctest entry.
function(drover_tests name)
  cmake_parse_arguments(SUITE "" "TIMEOUT" "LINK;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  if(NOT SUITE_TIMEOUT)
    set(SUITE_TIMEOUT 300)
  endif()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${SUITE_LINK} test_main)
  add_test(NAME ${name} COMMAND test_${name} --durations no)
  set_tests_properties(${name} PROPERTIES LABELS "${SUITE_LABELS}" TIMEOUT ${SUITE_TIMEOUT})
  foreach(label IN LISTS SUITE_LABELS)  # suites_unit builds every suite that bears the label
    if(NOT TARGET suites_${label})
      add_custom_target(suites_${label})
    endif()
    add_dependencies(suites_${label} test_${name})
  endforeach()
endfunction()
