# How everything is compiled and linked.

option(DROVER_TESTS "Build the test suites" ON)
option(DROVER_BENCH "Build the benchmarks" ON)
set(DROVER_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
                    -Wold-style-cast -Werror -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
add_compile_definitions(BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)

if(DROVER_SANITIZE)  # at -O0, which compiles three times as fast as -O1 does
  add_compile_options(-fsanitize=${DROVER_SANITIZE} -fno-omit-frame-pointer -O0)
  add_link_options(-fsanitize=${DROVER_SANITIZE})
  if(DROVER_SANITIZE MATCHES thread)
    add_compile_options(-Wno-tsan)  # g++ warns of fences that it cannot follow; Boost has them
  endif()
endif()

set_property(GLOBAL PROPERTY JOB_POOLS heavy=1)
