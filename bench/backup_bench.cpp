// What backups cost over pg_dump (or sqlite3's .backup) by hand with the same number at a time:
// made by `drover backup`, and by an upgrade under `backup: {policy: required}` beyond the same
// upgrade without. Prints one table; every row is a ratio within this run.
//
//   bench_backup DROVER [DATABASES] [MB] [FILES] [ROUNDS]

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/server_cpu.h"
#include "bench/timed_run.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/temp_dir.h"

namespace {

namespace fs = std::filesystem;
using drover::bench::Cost;
using drover::bench::median;
using drover::bench::middle;
using drover::bench::run;
using drover::bench::server_cpu;
using drover::test::PgCluster;
using drover::test::TempDir;

/// Enough for every upgrade of every round; each is one revision further.
constexpr int kRevisions = 60;

/// Rows of {0} MB: half of it bytes that hardly compress, the other half text and JSON.
constexpr const char* kPostgresRows = R"(
CREATE TABLE contents (id bigserial PRIMARY KEY, data bytea NOT NULL);
CREATE TABLE files (id bigserial PRIMARY KEY, path text NOT NULL, size bigint NOT NULL,
                    changed_at timestamptz NOT NULL);
CREATE TABLE events (id bigserial PRIMARY KEY, file_id bigint NOT NULL, facts jsonb NOT NULL);
INSERT INTO contents (data)
  SELECT (SELECT string_agg(sha512((i * 100 + j)::text::bytea), '') FROM generate_series(1, 32) j)
    FROM generate_series(1, {0} * 250) i;
INSERT INTO files (path, size, changed_at)
  SELECT '/home/user' || i % 97 || '/' || md5(i::text) || '/report ' || i || '.pdf', i * 7919,
         now() - i * interval '1 minute'
    FROM generate_series(1, {0} * 700) i;
INSERT INTO events (file_id, facts)
  SELECT i % 5000, jsonb_build_object('kind', 'changed', 'by', 'user' || i % 97, 'at', i,
                                      'digest', md5(i::text), 'tags', array['a', 'b', 'c'])
    FROM generate_series(1, {0} * 1000) i;
CREATE INDEX files_path ON files (path);
CREATE INDEX events_file ON events (file_id);
)";

constexpr const char* kSqliteRows = R"(
CREATE TABLE contents (id integer PRIMARY KEY, data blob NOT NULL);
CREATE TABLE files (id integer PRIMARY KEY, path text NOT NULL, size integer NOT NULL);
CREATE TABLE events (id integer PRIMARY KEY, file_id integer NOT NULL, facts text NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0} * 250)
  INSERT INTO contents (data) SELECT randomblob(2048) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0} * 700)
  INSERT INTO files (path, size) SELECT '/home/user/' || hex(randomblob(16)) || i, i * 7919 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0} * 700)
  INSERT INTO events (file_id, facts)
    SELECT i % 5000, json_object('kind', 'changed', 'at', i, 'by', hex(randomblob(16))) FROM n;
CREATE INDEX files_path ON files (path);
)";

/// One way to save the fleet, and what it cost in each round.
struct Way {
  std::string what;
  std::function<Cost()> once;
  double goal = 0;
  std::vector<Cost> costs = {};
  std::vector<double> client_cpu = {};
  std::vector<double> server_cpu = {};
};

void write(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

/// A table, and revisions that do next to nothing.
void write_history(const fs::path& directory) {
  fs::create_directories(directory);
  for (int i = 1; i <= kRevisions; ++i) {
    write(
        directory / fmt::format("{:04}_step.sql", i),
        fmt::format("-- drover: revision {:04}\n-- drover: parents {}\n-- drover: up\n"
                    "CREATE TABLE t{} (id bigint PRIMARY KEY);\n-- drover: down\nDROP TABLE t{};\n",
                    i,
                    i == 1 ? std::string("none") : fmt::format("{:04}", i - 1),
                    i,
                    i));
  }
}

/// What a way costs client and server; the machine's other tenants hardly show in it.
double cpu(const Way& way) {
  return middle(way.client_cpu) + middle(way.server_cpu);
}

class BackupBench {
 public:
  BackupBench(std::string drover, const fs::path& folder, int rounds)
      : drover_(std::move(drover)), folder_(folder), rounds_(rounds) {
    write_history(folder_ / "migrations");
  }

  /// All ways in turn, `rounds` times; the first is the floor.
  void compare(std::vector<Way> ways, const PgCluster* cluster) {
    for (int round = 0; round < rounds_; ++round) {
      for (Way& way : ways) {
        const double before = cluster == nullptr ? 0 : server_cpu(*cluster);
        way.costs.push_back(way.once());
        way.client_cpu.push_back(way.costs.back().cpu);
        way.server_cpu.push_back(cluster == nullptr ? 0 : server_cpu(*cluster) - before);
        fs::remove_all(folder_ / "out");
        fs::remove_all(folder_ / "backups");
      }
    }
    for (const Way& way : ways) {
      print(way, ways.front());
    }
    print_policy(ways[ways.size() - 2], ways.back(), ways.front());
    std::fflush(stdout);
  }

  /// `command` for each of `names`, as {} in it, so many at a time.
  Cost by_hand(const std::vector<std::string>& names, int at_a_time, const std::string& command) {
    fs::create_directories(folder_ / "out");
    write(folder_ / "names", fmt::format("{}\n", fmt::join(names, "\n")));
    return run(
        {"/bin/sh", "-c", fmt::format("xargs -P {} -I NAME sh -c '{}' <names", at_a_time, command)},
        folder_);
  }

  Cost ours(std::vector<std::string> words) {
    words.insert(words.begin(), drover_);
    return run(words, folder_);
  }

  Cost one_step(const std::string& settings) {
    return ours({"upgrade", "+1", "--yes", "-c", settings});
  }

  /// plain.yaml and guarded.yaml: the same environment, without and with backups.
  void write_settings(const std::string& tenants, int at_a_time) {
    const std::string plain = fmt::format(
        "migrations: migrations\nstore: runs.db\nenvironments:\n  bench:\n"
        "    limits: {{in_flight: {0}, per_server: {0}}}\n    tenants:\n      - {1}\n",
        at_a_time,
        tenants);
    write(folder_ / "plain.yaml", plain);
    write(folder_ / "guarded.yaml",
          plain + fmt::format("    backup: {{policy: required, directory: backups, in_flight: {0}, "
                              "per_server: {0}}}\n",
                              at_a_time));
  }

  const fs::path& folder() const { return folder_; }

 private:
  static void print(const Way& way, const Way& floor) {
    const Cost cost = median(way.costs);
    fmt::print("| {} | {:.2f} | {:.2f} | {} | {:.2f} | {:.2f} | {:.2f} |\n",
               way.what,
               cost.wall,
               cost.wall / median(floor.costs).wall,
               way.goal > 0 ? fmt::format("{:.2f}", way.goal) : "-",
               middle(way.client_cpu),
               middle(way.server_cpu),
               cpu(way) / cpu(floor));
  }

  /// What the policy adds to an upgrade, in each round, against the floor of that round.
  static void print_policy(const Way& plain, const Way& guarded, const Way& floor) {
    std::vector<double> seconds;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < floor.costs.size(); ++i) {
      seconds.push_back(guarded.costs[i].wall - plain.costs[i].wall);
      ratios.push_back(seconds.back() / floor.costs[i].wall);
    }
    fmt::print(
        "| what the policy adds to an upgrade | {:.2f} | {:.2f} | 1.10 | {:.2f} | {:.2f} | {:.2f} "
        "|\n",
        middle(seconds),
        middle(ratios),
        middle(guarded.client_cpu) - middle(plain.client_cpu),
        middle(guarded.server_cpu) - middle(plain.server_cpu),
        (cpu(guarded) - cpu(plain)) / cpu(floor));
  }

  const std::string drover_;
  const fs::path folder_;
  const int rounds_;
};

void heading(const std::string& what) {
  fmt::print(
      "\n| {} | s | ratio | goal | CPU s | server CPU s | CPU ratio |\n"
      "|---|---:|---:|---:|---:|---:|---:|\n",
      what);
}

void postgres_rows(BackupBench& bench, std::size_t count, int megabytes) {
  drover::test::PgClusterOptions options;
  options.settings = {"shared_buffers = 1GB"};
  const PgCluster cluster(options);
  cluster.create_database("model_of_all");
  cluster.execute("model_of_all", fmt::format(kPostgresRows, megabytes));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(fmt::format("t_{:03}", i));
    cluster.execute("postgres", "CREATE DATABASE " + names.back() + " TEMPLATE model_of_all");
  }
  const std::string conninfo =
      fmt::format("host=127.0.0.1 port={} user=postgres sslmode=disable", cluster.port());
  const std::string dump =
      "pg_dump --format=custom --file=out/NAME \"" + conninfo + " dbname=NAME\"";
  for (const int at_a_time : {1, 2, 4}) {
    bench.write_settings(
        fmt::format("databases: {{server: \"{} dbname=postgres\", match: \"t_*\"}}", conninfo),
        at_a_time);
    if (at_a_time == 1) {
      bench.ours({"upgrade", "0001", "--yes", "-c", "plain.yaml"});
      cluster.execute("postgres", "CHECKPOINT");
    }
    heading(
        fmt::format("{} databases of {}, {} at a time",
                    count,
                    cluster.value("postgres", "SELECT pg_size_pretty(pg_database_size('t_000'))"),
                    at_a_time));
    bench.compare({{"pg_dump by hand", [&] { return bench.by_hand(names, at_a_time, dump); }},
                   {"the same, with sync of each file",
                    [&] { return bench.by_hand(names, at_a_time, dump + " && sync out/NAME"); }},
                   {"the same, read by pg_restore and sha256sum as well",
                    [&] {
                      return bench.by_hand(names,
                                           at_a_time,
                                           dump +
                                               " && sync out/NAME && pg_restore --section=data "
                                               "--file=/dev/null out/NAME && sha256sum out/NAME");
                    }},
                   {"drover backup",
                    [&] {
                      return bench.ours({"backup", "-c", "guarded.yaml"});
                    },
                    1.10},
                   {"upgrade without backups", [&] { return bench.one_step("plain.yaml"); }},
                   {"upgrade with backups", [&] { return bench.one_step("guarded.yaml"); }}},
                  &cluster);
  }
}

void sqlite_rows(BackupBench& bench, std::size_t count, int megabytes) {
  const fs::path files = bench.folder() / "files";
  fs::create_directories(files);
  write(bench.folder() / "rows.sql", fmt::format(kSqliteRows, megabytes));
  run({"/bin/sh", "-c", "sqlite3 model.db <rows.sql"}, bench.folder());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(fmt::format("f_{:03}.db", i));
    fs::copy_file(bench.folder() / "model.db", files / names.back());
  }
  const std::string save = "sqlite3 files/NAME \".backup out/NAME\"";
  for (const int at_a_time : {1, 2, 4}) {
    bench.write_settings("sqlite: files/*.db", at_a_time);
    if (at_a_time == 1) {
      bench.ours({"upgrade", "0001", "--yes", "-c", "plain.yaml"});
    }
    heading(fmt::format("{} SQLite files of {:.0f} MB, {} at a time",
                        count,
                        static_cast<double>(fs::file_size(files / names.front())) / 1e6,
                        at_a_time));
    bench.compare(
        {{"sqlite3 .backup by hand", [&] { return bench.by_hand(names, at_a_time, save); }},
         {"the same, with integrity_check and sha256sum of the copy",
          [&] {
            return bench.by_hand(names,
                                 at_a_time,
                                 save +
                                     " && sync out/NAME && sqlite3 out/NAME \"PRAGMA "
                                     "integrity_check\" && sha256sum out/NAME");
          }},
         {"drover backup",
          [&] {
            return bench.ours({"backup", "-c", "guarded.yaml"});
          },
          1.10},
         {"upgrade without backups", [&] { return bench.one_step("plain.yaml"); }},
         {"upgrade with backups", [&] { return bench.one_step("guarded.yaml"); }}},
        nullptr);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: see the top of backup_bench.cpp\n");
    return 2;
  }
  const auto number = [&](int at, int otherwise) {
    return argc > at ? std::atoi(argv[at]) : otherwise;
  };
  const std::string drover = fs::absolute(argv[1]).string();
  const int megabytes = number(3, 30);
  const int rounds = number(5, 3);
  if (number(2, 24) > 0) {
    const TempDir folder("drover-bench");
    BackupBench bench(drover, folder.path(), rounds);
    postgres_rows(bench, static_cast<std::size_t>(number(2, 24)), megabytes);
  }
  if (number(4, 24) > 0) {
    const TempDir folder("drover-bench");
    BackupBench bench(drover, folder.path(), rounds);
    sqlite_rows(bench, static_cast<std::size_t>(number(4, 24)), megabytes);
  }
  return 0;
}
