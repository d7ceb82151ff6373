# Installs the build BUILD below WORK, looks at what is there, and builds and runs EXAMPLE with
# nothing but that: once by find_package, once by pkg-config. Everything in WORK is made anew.

cmake_minimum_required(VERSION 3.25)

set(PREFIX ${WORK}/prefix)
set(EXPECTED [[
{"database_migrated": true, "schema_version": "0002"}
created 0003_note_colours.sql
pending 0003
upgraded to 0003
provisioned: acme at 0003
run: 2 of 2 tenants at 0003
fleet: 3 of 3 tenants current
]])

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}: ${status}\n${out}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

# Every include of an installed header is the standard library's, or installed beside it.
function(check_headers)
  file(GLOB_RECURSE headers ${PREFIX}/include/*)
  list(LENGTH headers count)
  if(NOT count EQUAL 4)
    message(FATAL_ERROR "four headers are public, and these are installed: ${headers}")
  endif()
  foreach(header ${headers})
    file(STRINGS ${header} includes REGEX "^[ \t]*#[ \t]*include")
    foreach(include ${includes})
      if(include MATCHES "<([a-z_]+)>")
        continue()
      endif()
      string(REGEX MATCH "\"(.+)\"" quoted "${include}")
      if(NOT quoted OR NOT EXISTS ${PREFIX}/include/drover/${CMAKE_MATCH_1})
        message(FATAL_ERROR "${header} includes what is not installed: ${include}")
      endif()
    endforeach()
  endforeach()
endfunction()

# Runs `program` on new files named after `way`, and compares all that it says.
function(check_example way program)
  file(COPY ${EXAMPLE}/migrations ${EXAMPLE}/drover.yaml DESTINATION ${WORK}/${way}-data)
  run(${program} ${WORK}/${way}-data)
  if(NOT out STREQUAL EXPECTED)
    message(FATAL_ERROR "built by ${way}, the example says\n${out}instead of\n${EXPECTED}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX})
check_headers()
run(${PREFIX}/bin/drover --version)

run(${CMAKE_COMMAND} -S ${EXAMPLE} -B ${WORK}/find_package -G ${GENERATOR}
    -D CMAKE_CXX_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${PREFIX})
run(${CMAKE_COMMAND} --build ${WORK}/find_package)
check_example(find_package ${WORK}/find_package/example)

set(ENV{PKG_CONFIG_PATH} ${PREFIX}/${LIBDIR}/pkgconfig)
run(pkg-config --cflags --libs drover)
separate_arguments(flags UNIX_COMMAND "${out}")
file(MAKE_DIRECTORY ${WORK}/pkg_config)
run(${COMPILER} -std=c++20 -Wall -Wextra -Werror ${EXAMPLE}/main.cpp ${flags}
    -o ${WORK}/pkg_config/example)
set(ENV{LD_LIBRARY_PATH} ${PREFIX}/${LIBDIR})
check_example(pkg_config ${WORK}/pkg_config/example)
