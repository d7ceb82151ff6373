// The floor on SQLite: open, one text of all revisions, close, for each file.
//
//   bench_floor_sqlite upgrade|status DIRECTORY COUNT THREADS MIGRATIONS

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <sqlite3.h>

#include "bench/floor.h"

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: see the top of floor_sqlite.cpp\n");
    return 2;
  }
  const std::string mode = argv[1];
  const std::string directory = argv[2];
  const auto count = static_cast<std::size_t>(std::atoi(argv[3]));
  const auto threads = static_cast<std::size_t>(std::atoi(argv[4]));
  const std::string text =
      mode == "upgrade" ? drover::bench::upgrade_text(argv[5], drover::engine::Dialect::sqlite)
                        : std::string("SELECT revision, up_sha256 FROM drover_revisions");
  drover::bench::on_threads(count, threads, [&](std::size_t i) {
    sqlite3* file = nullptr;
    const std::string path = fmt::format("{}/t{:05}.db", directory, i);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    char* message = nullptr;
    if (sqlite3_open_v2(path.c_str(), &file, flags, nullptr) != SQLITE_OK ||
        sqlite3_exec(file, text.c_str(), nullptr, nullptr, &message) != SQLITE_OK) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(), message != nullptr ? message : "cannot open");
      std::exit(1);
    }
    sqlite3_close(file);
  });
  return 0;
}
