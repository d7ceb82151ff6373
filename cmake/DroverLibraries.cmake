# Every third-party library, from Debian 12. A new one needs a reason in ARCHITECTURE.md.

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PostgreSQL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(TBB REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(libpqxx REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(libutf8proc REQUIRED IMPORTED_TARGET libutf8proc)
find_package(date REQUIRED)  # Howard Hinnant's, with time zones
if(DROVER_TESTS)
  find_package(Catch2 2 REQUIRED)
endif()

# libpg_query ships neither pkg-config nor CMake files. Without it the scanner serves alone.
find_path(PG_QUERY_INCLUDE_DIR pg_query.h)
find_library(PG_QUERY_LIBRARY pg_query)
if(PG_QUERY_INCLUDE_DIR AND PG_QUERY_LIBRARY)
  add_library(pg_query INTERFACE IMPORTED)
  target_include_directories(pg_query SYSTEM INTERFACE ${PG_QUERY_INCLUDE_DIR})
  target_link_libraries(pg_query INTERFACE ${PG_QUERY_LIBRARY})
  target_compile_definitions(pg_query INTERFACE DROVER_HAS_PG_QUERY)
endif()

# Asio and Beast in one translation unit, for every room that uses them.
add_library(drover_boost STATIC ${CMAKE_CURRENT_LIST_DIR}/boost_sources.cpp)
target_link_libraries(drover_boost PUBLIC Boost::headers Threads::Threads)
