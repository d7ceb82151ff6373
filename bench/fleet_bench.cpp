// Drover against its floors: upgrade, no-op upgrade, status, downgrade, on PostgreSQL databases,
// schemas and SQLite files. Prints one table; every row is a ratio within this run.
//
//   bench_fleet_bench DROVER FLOOR_POSTGRES FLOOR_SQLITE [DATABASES] [SCHEMAS] [FILES] [TENANTS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/timed_run.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/temp_dir.h"

namespace {

namespace fs = std::filesystem;
using drover::bench::Cost;
using drover::bench::median;
using drover::bench::run;
using drover::test::PgCluster;
using drover::test::TempDir;

/// Twenty revisions, 46 statements, as a young service has them.
void write_history(const fs::path& directory) {
  fs::create_directories(directory);
  for (int i = 1; i <= 20; ++i) {
    std::string up;
    std::string down;
    if (i % 4 == 1) {
      up = fmt::format(
          "CREATE TABLE t{0} (id bigint PRIMARY KEY, name text NOT NULL, "
          "size bigint NOT NULL DEFAULT 0, created_at text NOT NULL DEFAULT '');\n"
          "CREATE INDEX t{0}_name ON t{0} (name);\n"
          "CREATE INDEX t{0}_created ON t{0} (created_at);\n",
          i);
      down = fmt::format("DROP TABLE t{};\n", i);
    } else {
      const int table = i - (i - 1) % 4;
      up = fmt::format(
          "ALTER TABLE t{0} ADD COLUMN c{1} integer;\n"
          "CREATE INDEX t{0}_c{1} ON t{0} (c{1});\n",
          table,
          i);
      down = fmt::format("DROP INDEX t{0}_c{1};\nALTER TABLE t{0} DROP COLUMN c{1};\n", table, i);
    }
    const std::string name = fmt::format("{:04}_step.sql", i);
    std::FILE* file = std::fopen((directory / name).c_str(), "w");
    fmt::print(file,
               "-- drover: revision {:04}\n-- drover: parents {}\n-- drover: up\n{}"
               "-- drover: down\n{}",
               i,
               i == 1 ? std::string("none") : fmt::format("{:04}", i - 1),
               up,
               down);
    std::fclose(file);
  }
}

struct Row {
  std::string what;
  Cost floor;
  Cost drover;
  std::size_t tenants;
  double goal;
};

void print(const std::vector<Row>& rows) {
  fmt::print("\n{:<46} {:>9} {:>9} {:>7} {:>6} {:>12} {:>8}\n",
             "",
             "floor s",
             "drover s",
             "ratio",
             "goal",
             "CPU ms each",
             "RSS MB");
  for (const Row& row : rows) {
    fmt::print("{:<46} {:>9.3f} {:>9.3f} {:>7} {:>6} {:>12.3f} {:>8.0f}\n",
               row.what,
               row.floor.wall,
               row.drover.wall,
               row.floor.wall > 0 ? fmt::format("{:.2f}", row.drover.wall / row.floor.wall) : "-",
               row.goal > 0 ? fmt::format("{:.2f}", row.goal) : "-",
               1000 * row.drover.cpu / static_cast<double>(row.tenants),
               row.drover.rss_mb);
  }
}

/// Runs `floor` and `drover` in turn, `rounds` times.
Row compare(std::string what,
            std::size_t tenants,
            double goal,
            int rounds,
            const std::function<Cost(int)>& floor,
            const std::function<Cost(int)>& drover) {
  std::vector<Cost> floors;
  std::vector<Cost> drovers;
  for (int round = 0; round < rounds; ++round) {
    floors.push_back(floor(round));
    drovers.push_back(drover(round));
  }
  fmt::print(stderr, "{}\n", what);
  return {std::move(what), median(floors), median(drovers), tenants, goal};
}

class PostgresBench {
 public:
  PostgresBench(std::string drover, std::string floor, const fs::path& folder, std::size_t count)
      : drover_(std::move(drover)), floor_(std::move(floor)), folder_(folder), count_(count) {
    drover::test::PgClusterOptions options;
    options.max_connections = 150;
    options.settings = {"shared_buffers = 1GB"};  // a server of this size has at least that
    cluster_.emplace(options);
    write_history(folder_ / "migrations");
  }

  void run_all(std::vector<Row>& rows) {
    for (const int in_flight : {8, 32}) {
      const std::string how = fmt::format("{} databases, {} in flight", count_, in_flight);
      connect_through(cluster_->port());
      rows.push_back(compare(
          how + ": upgrade",
          count_,
          1.10,
          2,
          [&](int round) {
            make_databases(fmt::format("f{}_", round));
            return floor("upgrade", fmt::format("f{}_", round), in_flight);
          },
          [&](int round) {
            drop_databases(fmt::format("f{}_", round));
            if (round > 0) {
              drop_databases("t_");
            }
            make_databases("t_");
            return ours({"upgrade", "--yes"}, in_flight);
          }));
      read_only(rows, how, in_flight, 1.15);
      rows.push_back({how + ": downgrade base",
                      {},
                      ours({"downgrade", "base", "--yes"}, in_flight),
                      count_,
                      0});
      drop_databases("t_");
    }
  }

  void with_latency(std::vector<Row>& rows, std::size_t count) {
    count_ = count;
    drover::test::TcpProxy proxy(cluster_->port());
    proxy.delay(std::chrono::milliseconds(5));
    const int in_flight = 8;
    const std::string how =
        fmt::format("{} databases, 5 ms each way, {} in flight", count, in_flight);
    connect_through(proxy.port());
    make_databases("f_");
    make_databases("t_");
    rows.push_back(compare(
        how + ": upgrade",
        count,
        1.30,
        1,
        [&](int) { return floor("upgrade", "f_", in_flight); },
        [&](int) {
          return ours({"upgrade", "--yes"}, in_flight);
        }));
    read_only(rows, how, in_flight, 1.15);
    drop_databases("f_");
    drop_databases("t_");
  }

  void schemas(std::vector<Row>& rows, std::size_t count) {
    connect_through(cluster_->port());
    cluster_->create_database("many");
    std::string make;
    for (std::size_t i = 0; i < count; ++i) {
      make += fmt::format("CREATE SCHEMA s{:05};", i);
    }
    cluster_->execute("many", make);
    write_settings(
        fmt::format("schemas: {{database: \"{} dbname=many\", match: \"s*\"}}", conninfo_));
    ours({"upgrade", "0001", "--yes"}, 8);
    const std::string how = fmt::format("{} schemas of one database", count);
    const auto floor_all = [&](int) {
      return run({floor_,
                  "schemas",
                  conninfo_ + " dbname=many",
                  "s",
                  std::to_string(count),
                  "1",
                  (folder_ / "migrations").string()},
                 folder_);
    };
    rows.push_back(compare(how + ": no-op upgrade", count, 1.15, 3, floor_all, [&](int) {
      return ours({"upgrade", "0001", "--yes"}, 8);
    }));
    rows.push_back(compare(
        how + ": status", count, 1.15, 3, floor_all, [&](int) { return ours({"status"}, 8); }));
  }

  /// Half schemas of one database, half SQLite files: what a big fleet costs in memory.
  void big_fleet(std::vector<Row>& rows, std::size_t count) {
    connect_through(cluster_->port());
    const std::string name = fmt::format("big_{}", count);
    cluster_->create_database(name);
    fs::create_directories(folder_ / name);
    for (std::size_t from = 0; from < count / 2; from += 500) {
      std::string make;
      for (std::size_t i = from; i < std::min(from + 500, count / 2); ++i) {
        make += fmt::format("CREATE SCHEMA s{:05};", i);
        std::fclose(std::fopen((folder_ / name / fmt::format("f{:05}.db", i)).c_str(), "w"));
      }
      cluster_->execute(name, make);
    }
    write_settings(
        fmt::format("schemas: {{database: \"{} dbname={}\", match: \"s*\"}}\n"
                    "      - sqlite: {}/*.db",
                    conninfo_,
                    name,
                    name));
    const std::string how = fmt::format("{} tenants, schemas and files", count);
    rows.push_back({how + ": one revision",
                    {},
                    ours({"upgrade", "0001", "--yes", "--create-files"}, 8),
                    count,
                    0});
    rows.push_back({how + ": status", {}, ours({"status"}, 8), count, 0});
  }

 private:
  void read_only(std::vector<Row>& rows, const std::string& how, int in_flight, double goal) {
    const auto floor_status = [&](int) { return floor("status", "t_", in_flight); };
    rows.push_back(compare(how + ": no-op upgrade", count_, goal, 3, floor_status, [&](int) {
      return ours({"upgrade", "--yes"}, in_flight);
    }));
    rows.push_back(compare(how + ": status", count_, goal, 3, floor_status, [&](int) {
      return ours({"status"}, in_flight);
    }));
  }

  void connect_through(int port) {
    conninfo_ = fmt::format("host=127.0.0.1 port={} user=postgres", port);
    write_settings(
        fmt::format("databases: {{server: \"{} dbname=postgres sslmode=disable\", match: \"t_*\"}}",
                    conninfo_));
  }

  void write_settings(const std::string& source) {
    std::FILE* file = std::fopen((folder_ / "drover.yaml").c_str(), "w");
    fmt::print(file,
               "migrations: migrations\nstore: runs.db\nenvironments:\n  bench:\n    tenants:\n"
               "      - {}\n",
               source);
    std::fclose(file);
  }

  void make_databases(const std::string& prefix) {
    for (std::size_t i = 0; i < count_; ++i) {
      cluster_->execute("postgres", fmt::format("CREATE DATABASE {}{:05}", prefix, i));
    }
    cluster_->execute("postgres", "CHECKPOINT");
  }

  void drop_databases(const std::string& prefix) {
    for (std::size_t i = 0; i < count_; ++i) {
      cluster_->execute("postgres", fmt::format("DROP DATABASE {}{:05}", prefix, i));
    }
  }

  Cost floor(const std::string& mode, const std::string& prefix, int in_flight) {
    return run({floor_,
                mode,
                conninfo_,
                prefix,
                std::to_string(count_),
                std::to_string(in_flight),
                (folder_ / "migrations").string()},
               folder_);
  }

  Cost ours(std::vector<std::string> words, int in_flight) {
    setenv("DROVER_LIMITS_IN_FLIGHT", std::to_string(in_flight).c_str(), 1);
    setenv("DROVER_LIMITS_PER_SERVER", std::to_string(in_flight).c_str(), 1);
    words.insert(words.begin(), drover_);
    return run(words, folder_);
  }

  const std::string drover_;
  const std::string floor_;
  const fs::path folder_;
  std::size_t count_;
  std::optional<PgCluster> cluster_;
  std::string conninfo_;
};

void sqlite_rows(std::vector<Row>& rows,
                 const std::string& drover,
                 const std::string& floor,
                 const fs::path& folder,
                 std::size_t count) {
  const fs::path migrations = folder / "migrations";
  write_history(migrations);
  fs::create_directories(folder / "floor");
  fs::create_directories(folder / "tenants");
  const std::string threads = "2";
  setenv("DROVER_LIMITS_IN_FLIGHT", threads.c_str(), 1);
  setenv("DROVER_LIMITS_PER_SERVER", threads.c_str(), 1);
  for (std::size_t i = 0; i < count; ++i) {
    std::fclose(std::fopen((folder / "tenants" / fmt::format("t{:05}.db", i)).c_str(), "w"));
  }
  std::FILE* file = std::fopen((folder / "drover.yaml").c_str(), "w");
  fmt::print(file,
             "migrations: migrations\nstore: runs.db\nenvironments:\n  bench:\n    tenants:\n"
             "      - sqlite: tenants/*.db\n");
  std::fclose(file);
  const auto plain = [&](const std::string& mode, const std::string& where) {
    return run({floor,
                mode,
                (folder / where).string(),
                std::to_string(count),
                threads,
                migrations.string()},
               folder);
  };
  const std::string how = fmt::format("{} SQLite files, {} in flight", count, threads);
  rows.push_back(compare(
      how + ": upgrade",
      count,
      1.15,
      1,
      [&](int) { return plain("upgrade", "floor"); },
      [&](int) {
        return run({drover, "upgrade", "--yes", "--create-files"}, folder);
      }));
  rows.push_back(compare(
      how + ": status",
      count,
      0,
      3,
      [&](int) { return plain("status", "tenants"); },
      [&](int) {
        return run({drover, "status"}, folder);
      }));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: see the top of fleet_bench.cpp\n");
    return 2;
  }
  const auto number = [&](int at, std::size_t otherwise) {
    return argc > at ? static_cast<std::size_t>(std::atoi(argv[at])) : otherwise;
  };
  std::vector<Row> rows;
  {
    const TempDir folder("drover-bench");
    PostgresBench bench(argv[1], argv[2], folder.path(), number(4, 400));
    bench.run_all(rows);
    bench.with_latency(rows, std::min<std::size_t>(number(4, 400), 100));
    bench.schemas(rows, number(5, 1000));
    const std::size_t most = number(7, 10000);
    bench.big_fleet(rows, most / 10);
    bench.big_fleet(rows, most);
  }
  {
    const TempDir folder("drover-bench");
    sqlite_rows(rows, argv[1], argv[3], folder.path(), number(6, 1000));
  }
  print(rows);
  return 0;
}
