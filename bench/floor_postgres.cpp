// The floor on PostgreSQL: connect, one text message, close, for each database.
//
//   bench_floor_postgres upgrade|status CONNINFO PREFIX COUNT THREADS MIGRATIONS
//   bench_floor_postgres schemas CONNINFO PREFIX COUNT 1 MIGRATIONS   all histories on one
//   connection

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <libpq-fe.h>

#include "bench/floor.h"

namespace {

struct Closer {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
};

void run(const std::string& conninfo, const std::string& text) {
  const std::unique_ptr<PGconn, Closer> connection(PQconnectdb(conninfo.c_str()));
  const std::unique_ptr<PGresult, Closer> result(PQexec(connection.get(), text.c_str()));
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    std::fprintf(stderr, "%s\n", PQerrorMessage(connection.get()));
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: see the top of floor_postgres.cpp\n");
    return 2;
  }
  const std::string mode = argv[1];
  const std::string conninfo = argv[2];
  const std::string prefix = argv[3];
  const auto count = static_cast<std::size_t>(std::atoi(argv[4]));
  const auto threads = static_cast<std::size_t>(std::atoi(argv[5]));
  if (mode == "schemas") {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      text += fmt::format("{}SELECT {}, revision, up_sha256 FROM {}{:05}.drover_revisions",
                          i == 0 ? "" : "\nUNION ALL\n",
                          i,
                          prefix,
                          i);
      if (i % 500 == 499) {
        text += ";\n";
        text += i + 1 < count ? "SELECT 1, 'x', 'x' WHERE false" : "";
      }
    }
    run(conninfo, text);
    return 0;
  }
  const std::string text =
      mode == "upgrade"
          ? drover::bench::upgrade_text(argv[6], drover::engine::Dialect::postgres)
          : std::string("SELECT revision, up_sha256 FROM drover_revisions ORDER BY epoch");
  drover::bench::on_threads(count, threads, [&](std::size_t i) {
    run(fmt::format("{} dbname={}{:05} sslmode=disable", conninfo, prefix, i), text);
  });
  return 0;
}
