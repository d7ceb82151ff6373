// What a batch costs over one big UPDATE and over loops that people write by hand: time, CPU of the
// server, WAL, growth of the table; whether it slows down towards its end; what a load beside it
// feels; and what 200 small tenants cost. Every ratio is of this run.
//
//   bench_batch DROVER [ROWS] [ROUNDS] [TENANTS]      -1 tenants: nothing but the loops

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
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
using drover::bench::process_cpu;
using drover::bench::run;
using drover::bench::server_cpu;
using drover::test::PgCluster;
using drover::test::TempDir;

/// Rows of about 190 bytes with a primary key and two indexes, as in many user tables.
constexpr const char* kTable = R"(
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name text NOT NULL,
                    note text NOT NULL, created timestamptz NOT NULL, email_norm text);
INSERT INTO users SELECT i, 'User' || i || '@Example' || i % 97 || '.COM', md5(i::text),
                         repeat(md5((i + 7)::text), 3), '2026-01-01'::timestamptz + i * interval '1 s'
                    FROM generate_series(1, {0}) i;
CREATE INDEX users_name ON users (name);
CREATE INDEX users_created ON users (created);
)";

constexpr const char* kUpdate = "UPDATE users SET email_norm = lower(email)";

constexpr const char* kKeysetLoop = R"(
DO $$ DECLARE c bigint := 0; n bigint; last boolean := false; BEGIN
  LOOP
    SELECT id INTO n FROM users WHERE id > c ORDER BY id LIMIT 1 OFFSET {0} - 1;
    IF n IS NULL THEN SELECT max(id), true INTO n, last FROM users; END IF;
    UPDATE users SET email_norm = lower(email) WHERE id > c AND id <= n;
    COMMIT;
    EXIT WHEN last;
    c := n;
  END LOOP; END $$)";

constexpr const char* kNullLoop = R"(
DO $$ DECLARE done bigint; BEGIN
  LOOP
    UPDATE users SET email_norm = lower(email)
     WHERE id IN (SELECT id FROM users WHERE email_norm IS NULL LIMIT 10000);
    GET DIAGNOSTICS done = ROW_COUNT;
    COMMIT;
    EXIT WHEN done = 0;
  END LOOP; END $$)";

constexpr const char* kJoinLoop = R"(
DO $$ DECLARE c bigint := 0; n bigint; BEGIN
  LOOP
    WITH batch AS (SELECT id FROM users WHERE id > c ORDER BY id LIMIT 10000 FOR NO KEY UPDATE),
         changed AS (UPDATE users SET email_norm = lower(users.email) FROM batch
                      WHERE users.id = batch.id RETURNING users.id)
    SELECT max(id) INTO n FROM changed;
    COMMIT;
    EXIT WHEN n IS NULL;
    c := n;
  END LOOP; END $$)";

/// One way to change the table, and what it cost in each round.
struct Way {
  std::string what;
  std::function<Cost(const std::string& database)> once;
  bool is_loop_by_key = false;
  std::vector<Cost> costs = {};
  std::vector<double> cpu = {};
  double wal_mb = 0;
  double growth = 0;

  double seconds() const { return median(costs).wall; }
};

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

class BatchBench {
 public:
  BatchBench(std::string drover, int rows, int rounds)
      : drover_(std::move(drover)), rows_(rows), rounds_(rounds), cluster_(options()) {
    make_model("model", rows);
  }

  void against_loops() {
    std::vector<Way> ways{{"one UPDATE", by_sql(kUpdate)}, loop_by_key(10'000)};
    if (rows_ <= kMostForAll) {
      ways.push_back(loop_by_key(1'000));
      ways.push_back(loop_by_key(50'000));
      ways.push_back({"loop with a CTE and a join, 10,000 rows", by_sql(kJoinLoop)});
      ways.push_back({"loop with IS NULL LIMIT 10,000", by_sql(kNullLoop)});
      ways.push_back({"drover, check=count", by_drover("vacuum=100%", kDone)});
      ways.push_back({"drover, check=checksum", by_drover("vacuum=100% check=checksum")});
      ways.push_back({"drover, 2 workers", by_drover("vacuum=100% check=none workers=2")});
      ways.push_back({"drover, vacuum=20%", by_drover("vacuum=20% check=none")});
    }
    ways.push_back({"drover, check=none", by_drover("vacuum=100% check=none")});
    ways.push_back({"drover, vacuum=20% check=count (what is usual)", by_drover("", kDone)});
    for (int round = 0; round < rounds_; ++round) {
      for (Way& way : ways) {
        measure(way);
      }
    }
    print(ways);
  }

  /// Rows for each second of the server's CPU, at the beginning and at the end.
  void first_and_last_tenth() {
    std::vector<double> ratios(static_cast<std::size_t>(rounds_));
    std::generate(ratios.begin(), ratios.end(), [this] { return last_against_first_tenth(); });
    fmt::print(
        "\nrows for a CPU second at the end (85 to 95 %) over those at the beginning (5 to "
        "15 %): {:.2f} (goal 0.90), of rounds {:.2f}\n",
        middle(ratios),
        fmt::join(ratios, ", "));
  }

  /// pgbench at a third of what it can do, alone and beside a batch with the governor's usual
  /// limits.
  void beside_a_load() {
    cluster_.create_database("load");
    shell(fmt::format("pgbench -q -i -s 20 \"{}\"", conninfo("load")));
    const double most =
        rate_of(shell(fmt::format("pgbench -c 4 -j 2 -T 6 -n \"{}\"", conninfo("load"))));
    const int rate = std::max(static_cast<int>(most / 3), 1);
    const auto load = [&](const std::string& name, int seconds) {
      shell(
          fmt::format("rm -f {2}*; pgbench -c 4 -j 2 -T {0} -R {1} -n -l --log-prefix={2} \"{3}\"",
                      seconds,
                      rate,
                      name,
                      conninfo("load")));
      return latencies(name);
    };
    constexpr int kSeconds = 20;
    const std::vector<double> alone = load("alone", kSeconds);
    copy_model("model", "beside");
    std::vector<double> beside;
    Cost batch;
    {
      const std::jthread pgbench([&] { beside = load("beside", kSeconds); });
      batch = by_drover("vacuum=20%", kDone)("beside");
    }
    fmt::print(
        "\npgbench at {} transactions a second (a third of {:.0f}), ms:\n\n"
        "| | p50 | p95 | p99 |\n|---|---:|---:|---:|\n"
        "| alone | {:.1f} | {:.1f} | {:.1f} |\n| beside a batch | {:.1f} | {:.1f} | {:.1f} |"
        "\n\nThe batch took {:.1f} s beside it.\n",
        rate,
        most,
        share(alone, 0.50),
        share(alone, 0.95),
        share(alone, 0.99),
        share(beside, 0.50),
        share(beside, 0.95),
        share(beside, 0.99),
        batch.wall);
  }

  void fleet(int tenants) {
    constexpr int kSmall = 10'000;
    constexpr int kAtOnce = 8;
    make_model("small", kSmall);
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(tenants));
    for (int i = 0; i < tenants; ++i) {
      names.push_back(fmt::format("f_{:04}", i));
    }
    write(folder() / "names", fmt::format("{}\n", fmt::join(names, "\n")));
    std::vector<Way> ways{
        {"psql -c UPDATE under xargs",
         [&](const std::string&) {
           return run({"/bin/sh",
                       "-c",
                       fmt::format("xargs -P {} -I NAME psql -qX -d '{}' -c '{}' <names",
                                   kAtOnce,
                                   conninfo("NAME"),
                                   kUpdate)},
                      folder());
         }},
        {"drover, check=none", fleet_by_drover("check=none", "", kAtOnce)},
        {"drover, check=count", fleet_by_drover("", kDone, kAtOnce)},
        {"drover with 0002 as plain SQL", fleet_by_drover("", "", kAtOnce, true)}};
    for (int round = 0; round < rounds_; ++round) {
      for (Way& way : ways) {
        for (const std::string& name : names) {
          copy_model("small", name);
        }
        measure_costs(way, "");
      }
    }
    fmt::print(
        "\n| {} tenants of {} rows, {} at a time | s | ratio | server CPU s | ratio |\n"
        "|---|---:|---:|---:|---:|\n",
        tenants,
        kSmall,
        kAtOnce);
    for (const Way& way : ways) {
      fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |\n",
                 way.what,
                 way.seconds(),
                 way.seconds() / ways.front().seconds(),
                 middle(way.cpu),
                 middle(way.cpu) / middle(ways.front().cpu));
    }
  }

  void sqlite() {
    const fs::path model = folder() / "model.db";
    write(folder() / "rows.sql",
          fmt::format("CREATE TABLE users (id integer PRIMARY KEY, email text NOT NULL, name text "
                      "NOT NULL, note text NOT NULL, email_norm text);\n"
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                      "{}) INSERT INTO users SELECT i, 'User' || i || '@Example.COM', "
                      "hex(randomblob(16)), hex(randomblob(48)), NULL FROM n;\n"
                      "CREATE INDEX users_name ON users (name);\nPRAGMA journal_mode = wal;\n",
                      rows_));
    shell("rm -f model.db; sqlite3 model.db <rows.sql");
    std::string loop = "PRAGMA synchronous = normal;\n";
    for (int from = 0; from < rows_; from += 10'000) {
      loop += fmt::format("{} WHERE id > {} AND id <= {};\n", kUpdate, from, from + 10'000);
    }
    write(folder() / "loop.sql", loop);
    std::vector<Way> ways{
        {"sqlite3: one UPDATE",
         [&](const std::string&) {
           return run({"/bin/sh", "-c", fmt::format("sqlite3 files/t.db '{}'", kUpdate)}, folder());
         }},
        {"sqlite3: 10,000 rows each",
         [&](const std::string&) {
           return run({"/bin/sh", "-c", "sqlite3 files/t.db <loop.sql"}, folder());
         }},
        {"drover, check=none", by_drover_on("sqlite: files/*.db", "check=none", "")},
        {"drover, check=count", by_drover_on("sqlite: files/*.db", "", kDone)}};
    for (int round = 0; round < rounds_; ++round) {
      for (Way& way : ways) {
        shell("rm -rf files; mkdir files; cp model.db files/t.db");
        way.costs.push_back(way.once(""));
        way.cpu.push_back(way.costs.back().cpu);
      }
    }
    fmt::print("\n| SQLite, {} rows | s | ratio | CPU s | ratio |\n|---|---:|---:|---:|---:|\n",
               rows_);
    for (const Way& way : ways) {
      fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |\n",
                 way.what,
                 way.seconds(),
                 way.seconds() / ways.front().seconds(),
                 middle(way.cpu),
                 middle(way.cpu) / middle(ways.front().cpu));
    }
  }

 private:
  using Once = std::function<Cost(const std::string& database)>;

  static constexpr int kMostForAll = 2'000'000;  ///< Rows; the worst loops take the square of them.
  static constexpr const char* kDone = "-- drover: done email_norm IS NOT NULL\n";

  static drover::test::PgClusterOptions options() {
    drover::test::PgClusterOptions options;
    options.files = drover::test::PgClusterOptions::Files::memory_if_roomy;
    options.settings = {"shared_buffers = 2GB", "autovacuum = off", "max_wal_size = 8GB"};
    return options;
  }

  const fs::path& folder() const { return folder_.path(); }

  std::string conninfo(const std::string& database) const {
    return fmt::format("host=127.0.0.1 port={} user=postgres sslmode=disable dbname={}",
                       cluster_.port(),
                       database);
  }

  std::string shell(const std::string& command) {
    run({"/bin/sh", "-c", command}, folder());
    std::ifstream file(folder() / "log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  void make_model(const std::string& name, int rows) {
    cluster_.create_database(name);
    cluster_.execute(name, fmt::format(kTable, rows));
    cluster_.execute(name, "VACUUM ANALYZE users");
  }

  void copy_model(const std::string& model, const std::string& name) {
    cluster_.execute("postgres", fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name));
    cluster_.execute("postgres",
                     fmt::format("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, model));
  }

  double last_against_first_tenth() {
    copy_model("model", "watched");
    std::vector<std::pair<double, double>> seen;  // rows, CPU seconds
    {
      const std::jthread watch([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          sample("watched", seen);
          std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
      });
      by_drover("vacuum=100% check=none")("watched");
    }
    const double rows = rows_;
    const double first = cpu_at(seen, 0.15 * rows) - cpu_at(seen, 0.05 * rows);
    const double last = cpu_at(seen, 0.95 * rows) - cpu_at(seen, 0.85 * rows);
    return last > 0 ? first / last : 0;
  }

  Way loop_by_key(int rows) {
    Way way{fmt::format("PL/pgSQL loop by key, {} rows", rows),
            by_sql(fmt::format(kKeysetLoop, rows))};
    way.is_loop_by_key = true;
    return way;
  }

  Once by_sql(std::string sql) {
    return [this, sql = std::move(sql)](const std::string& database) {
      write(folder() / "way.sql", "SET synchronous_commit = off;\n" + sql + ";\n");
      return run(
          {"/bin/sh",
           "-c",
           fmt::format("psql -qX -v ON_ERROR_STOP=1 -d '{}' -f way.sql", conninfo(database))},
          folder());
    };
  }

  /// `drover upgrade` over `tenants`, from nothing to the revision that holds the batch.
  Once by_drover_on(const std::string& tenants,
                    const std::string& keys,
                    const std::string& lines,
                    const std::string& more = "",
                    bool plain = false) {
    return [=, this](const std::string&) {
      fs::remove(folder() / "runs.db");
      const std::string head = "-- drover: parents none\n";
      write(folder() / "migrations/0001_norm.sql",
            plain ? fmt::format("{}-- drover: up\n{};\n-- drover: down\nSELECT 1;\n", head, kUpdate)
                  : fmt::format("{}-- drover: batch table=users {}\n{}{} WHERE {{range}};\n"
                                "-- drover: down\nSELECT 1;\n",
                                head,
                                keys,
                                lines,
                                kUpdate));
      write(folder() / "drover.yaml",
            fmt::format("migrations: migrations\nstore: runs.db\nenvironments:\n  bench:\n{}"
                        "    tenants:\n      - {}\n",
                        more,
                        tenants));
      return run({drover_, "upgrade", "--yes"}, folder());
    };
  }

  Once by_drover(const std::string& keys, const std::string& lines = "") {
    return [=, this](const std::string& database) {
      return by_drover_on(
          fmt::format("list:\n          - {{id: t, target: \"{}\"}}", conninfo(database)),
          keys,
          lines)(database);
    };
  }

  Once fleet_by_drover(const std::string& keys,
                       const std::string& lines,
                       int at_once,
                       bool plain = false) {
    return by_drover_on(
        fmt::format("databases: {{server: \"{}\", match: \"f_*\"}}", conninfo("postgres")),
        keys,
        lines,
        fmt::format("    limits: {{in_flight: {0}, per_server: {0}}}\n", at_once),
        plain);
  }

  void measure_costs(Way& way, const std::string& database) {
    cluster_.execute("postgres", "CHECKPOINT");
    const double before = server_cpu(cluster_);
    way.costs.push_back(way.once(database));
    way.cpu.push_back(server_cpu(cluster_) - before);
  }

  void measure(Way& way) {
    copy_model("model", "way");
    const double size = number("way", "SELECT pg_relation_size('users')");
    const std::string at = cluster_.value("postgres", "SELECT pg_current_wal_lsn()");
    measure_costs(way, "way");
    way.wal_mb =
        number("postgres", fmt::format("SELECT pg_current_wal_lsn() - '{}'::pg_lsn", at)) / 1e6;
    way.growth = number("way", "SELECT pg_relation_size('users')") / size;
    if (cluster_.value("way",
                       "SELECT count(*) FROM users WHERE email_norm IS DISTINCT FROM "
                       "lower(email)") != "0") {
      fmt::print(stderr, "{}: not everything was changed\n", way.what);
      std::exit(1);
    }
  }

  double number(const std::string& database, const std::string& sql) {
    return std::stod(cluster_.value(database, sql));
  }

  void print(const std::vector<Way>& ways) const {
    const auto best = [&](auto what) {
      double least = 1e9;
      for (const Way& way : ways) {
        least = way.is_loop_by_key ? std::min(least, what(way)) : least;
      }
      return least;
    };
    const double least_seconds = best([](const Way& way) { return way.seconds(); });
    const double least_cpu = best([](const Way& way) { return middle(way.cpu); });
    fmt::print(
        "| PostgreSQL, {} rows | s | speed of the best loop | server CPU s | of one UPDATE | "
        "of the best loop | WAL MB | heap grows |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
        rows_);
    for (const Way& way : ways) {
      fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:.0f} | {:.2f} |\n",
                 way.what,
                 way.seconds(),
                 least_seconds / way.seconds(),
                 middle(way.cpu),
                 middle(way.cpu) / middle(ways.front().cpu),
                 middle(way.cpu) / least_cpu,
                 way.wal_mb,
                 way.growth);
    }
  }

  /// How many rows are done, and what the sessions there have used for it so far.
  void sample(const std::string& database, std::vector<std::pair<double, double>>& seen) {
    try {
      const auto rows = cluster_.execute(
          database,
          "SELECT (SELECT sum(rows_seen) FROM drover_batch_ranges), string_agg(pid::text, ' ') "
          "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
      if (!rows.front()[0] || !rows.front()[1]) {
        return;
      }
      std::istringstream pids(*rows.front()[1]);
      double cpu = 0;
      for (long pid = 0; pids >> pid;) {
        cpu += process_cpu(pid).own;
      }
      seen.emplace_back(std::stod(*rows.front()[0]), cpu);
    } catch (const std::exception&) {
      // the tables are not there yet
    }
  }

  /// Between two samples, as if it had gone evenly.
  static double cpu_at(const std::vector<std::pair<double, double>>& seen, double rows) {
    for (std::size_t i = 1; i < seen.size(); ++i) {
      if (seen[i].first >= rows && seen[i].first > seen[i - 1].first) {
        const double part = (rows - seen[i - 1].first) / (seen[i].first - seen[i - 1].first);
        return seen[i - 1].second + part * (seen[i].second - seen[i - 1].second);
      }
    }
    return 0;
  }

  static double rate_of(const std::string& output) {
    const std::size_t at = output.find("tps = ");
    return at == std::string::npos ? 0 : std::stod(output.substr(at + 6));
  }

  /// The milliseconds in pgbench's log: client, number, microseconds ...
  std::vector<double> latencies(const std::string& prefix) const {
    std::vector<double> times;
    for (const auto& entry : fs::directory_iterator(folder())) {
      if (!entry.path().filename().string().starts_with(prefix + ".")) {
        continue;
      }
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        double time = 0;
        if (std::sscanf(line.c_str(), "%*s %*s %lf", &time) == 1) {
          times.push_back(time / 1000);
        }
      }
    }
    std::sort(times.begin(), times.end());
    return times;
  }

  static double share(const std::vector<double>& sorted, double part) {
    return sorted.empty()
               ? 0
               : sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
  }

  const std::string drover_;
  const int rows_;
  const int rounds_;
  const TempDir folder_{"drover-bench"};
  const PgCluster cluster_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: see the top of batch_bench.cpp\n");
    return 2;
  }
  const auto number = [&](int at, int otherwise) {
    return argc > at ? std::atoi(argv[at]) : otherwise;
  };
  BatchBench bench(fs::absolute(argv[1]).string(), number(2, 1'000'000), number(3, 3));
  bench.against_loops();
  std::fflush(stdout);
  if (number(4, 200) >= 0) {
    bench.first_and_last_tenth();
    bench.beside_a_load();
    std::fflush(stdout);
  }
  if (number(4, 200) > 0) {
    bench.fleet(number(4, 200));
    bench.sqlite();
  }
  return 0;
}
