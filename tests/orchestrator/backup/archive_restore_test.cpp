// Archives of the real pg_dump, put back by the real pg_restore.

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/base/child_process.h"
#include "orchestrator/backup/archive_source.h"
#include "orchestrator/backup/database_restore.h"
#include "orchestrator/backup/pg_dump_provider.h"
#include "orchestrator/backup/pg_tools.h"
#include "orchestrator/backup/schema_restore.h"
#include "tests/orchestrator/backup/restore_bench.h"
#include "tests/support/pg_seed.h"
#include "tests/support/temp_dir.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::engine::base::ChildRequest;
using drover::engine::base::ChildResult;

namespace {

/// Those that belong to the cluster.
const PgTools& tools() {
  static const PgTools kTools(drover::test::pg_binaries());
  return kTools;
}

ChildRequest request_of(std::string_view program,
                        const drover::engine::Target& target,
                        const std::vector<std::string>& arguments) {
  return tools().request(program, target, nullptr, arguments);
}

/// A tenant and an archive of it, made by the real tools.
struct ArchiveBench : RestoreBench {
  ArchiveBench(std::string database, std::string owner = "")
      : RestoreBench(std::move(database), std::move(owner)) {}

  /// The manifest's line of what is there now, and the archive itself.
  Backup dump(const std::vector<std::string>& arguments, Extent extent = Extent::whole) {
    std::vector<std::string> words = arguments;
    words.push_back("--file=" + archive.string());
    const ChildResult result = run_child(request_of("pg_dump", tenant.target, words));
    REQUIRE(result.errors == "");
    REQUIRE(result.succeeded());
    Backup backup;
    backup.id = {"20261122T221403-4f2a9c"};
    backup.tenant = tenant.id;
    backup.uid = uid;
    backup.environment = "prod";
    backup.schema = extent == Extent::schema ? tenant.target.schema : "";
    backup.heads = {{"0001"}};
    const auto content = read_archive(tools(), archive, tenant.target.schema, {});
    REQUIRE(std::holds_alternative<DumpContent>(content));
    backup.tables = std::get<DumpContent>(content).tables;
    REQUIRE(std::get<DumpContent>(content).uid == uid);
    return backup;
  }

  ArchiveSource source(Extent extent = Extent::whole) {
    const auto read = [](const drover::engine::Target& target,
                         Extent what,
                         const drover::engine::Patience& patience) -> ContentReading {
      auto content = read_live(tools(), target, what, target.schema, patience);
      if (auto* const fault = std::get_if<drover::engine::TenantFault>(&content)) {
        return {{}, std::move(*fault)};
      }
      return {std::get<DumpContent>(content).tables, std::nullopt};
    };
    return {{request_of, read, 3}, archive, extent};
  }

  drover::test::TempDir folder;
  std::filesystem::path archive = folder / "acme.dump";
};

/// One of everything that a tenant may hold.
constexpr const char* kEverything = R"(
  CREATE EXTENSION pg_trgm;
  CREATE SCHEMA "we ird";
  CREATE TYPE "we ird".mood AS ENUM ('fine', 'bad');
  CREATE DOMAIN short AS text CHECK (length(value) < 9);
  CREATE TABLE big (id bigserial PRIMARY KEY, f bigint REFERENCES files DEFERRABLE, mood "we ird".mood,
                    s short, g int GENERATED ALWAYS AS (1) STORED, doc jsonb, body bytea);
  INSERT INTO big (f, mood, s, doc, body)
    SELECT i, 'fine', E'a\\.\n\t', '{"a": "\\."}', '\x00ff' FROM generate_series(1, 50) i;
  CREATE INDEX ON big USING gin (doc);
  CREATE INDEX ON files USING gin (name gin_trgm_ops);
  CREATE TABLE parts (id int) PARTITION BY RANGE (id);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
  INSERT INTO parts VALUES (1), (2);
  CREATE VIEW seen AS SELECT big.id, name FROM big JOIN files ON files.id = f;
  CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM big;
  CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.s := ''x''; RETURN NEW; END';
  CREATE TRIGGER bump BEFORE INSERT ON big FOR EACH ROW EXECUTE FUNCTION bump();
  CREATE SEQUENCE numbers START 42; SELECT nextval('numbers');
  CREATE STATISTICS st ON id, f FROM big;
  ALTER TABLE big ENABLE ROW LEVEL SECURITY;
  CREATE POLICY mine ON big USING (id > 0);
  GRANT SELECT ON big TO PUBLIC;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
  COMMENT ON TABLE big IS 'the ''big'' one';
  SELECT lo_from_bytea(4711, '\x010203');)";

/// All that is in a database but its rows, as pg_dump says it; without the key that it makes up.
std::vector<std::string> layout_of(const drover::engine::Target& target) {
  ChildRequest request = request_of("pg_dump", target, {"--schema-only"});
  request.output_limit = std::size_t{16} << 20U;
  std::istringstream text(run_child(request).output);
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) {
      lines.push_back(line);
    }
  }
  return lines;
}

/// What `is` has more or less of than `was`, line by line.
std::string difference(std::vector<std::string> was, std::vector<std::string> is) {
  std::sort(was.begin(), was.end());
  std::sort(is.begin(), is.end());
  std::vector<std::string> found;
  std::set_symmetric_difference(
      was.begin(), was.end(), is.begin(), is.end(), std::back_inserter(found));
  return fmt::format("{}", fmt::join(found, "\n"));
}

}  // namespace

TEST_CASE("every kind of object comes back out of an archive, by a superuser and by an owner") {
  for (const std::string role : {"", "keeper"}) {
    for (const std::string format : {"--format=custom", "--format=directory"}) {
      ArchiveBench bench("arc_a", role);
      INFO("role '" << role << "', " << format);
      bench.cluster.execute(
          "arc_a", role.empty() ? kEverything : fmt::format("SET ROLE {}; {}", role, kEverything));
      const std::vector<std::string> layout = layout_of(bench.tenant.target);
      REQUIRE(layout.size() > 400);
      const Backup saved = bench.dump({format});
      bench.execute("DROP TABLE big CASCADE; DELETE FROM files");
      ArchiveSource source = bench.source();
      CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
      CHECK(difference(layout, layout_of(bench.tenant.target)) == "");
      CHECK(bench.value("SELECT count(*) FROM big") == "50");
    }
  }
}

TEST_CASE("a database that sorts by ICU does so when it is put back") {
  ArchiveBench bench("arc_i");
  if (std::stoi(bench.value("SHOW server_version_num")) < 150000) {
    return;  // it knows no such databases
  }
  bench.cluster.execute("postgres", "ALTER DATABASE arc_i RENAME TO arc_i_plain");
  bench.cluster.execute("postgres",
                        "CREATE DATABASE arc_i TEMPLATE template0 LOCALE_PROVIDER icu "
                        "ICU_LOCALE 'de-AT' LC_COLLATE 'C' LC_CTYPE 'C'");
  bench.uid = bench.begin_history();
  const Backup saved = bench.dump({"--format=custom"});
  ArchiveSource source = bench.source();
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
  const std::string locale = bench.value(
      "SELECT concat_ws(' ', j->>'datlocprovider', "
      "coalesce(j->>'datlocale', j->>'daticulocale'), j->>'datcollate') "
      "FROM (SELECT to_json(d) AS j FROM pg_database d WHERE datname = 'arc_i') x");
  CHECK(locale == "i de-AT C");
}

TEST_CASE("an archive that breaks off leaves the live database alone, and no other") {
  ArchiveBench bench("arc_b");
  const Backup saved = bench.dump({"--format=custom", "--compress=0"});
  const auto size = std::filesystem::file_size(bench.archive);
  std::filesystem::resize_file(bench.archive, size - 800);
  ArchiveSource source = bench.source();
  const std::string words =
      words_of(restore_database(bench.request(saved, source), bench.means, {}));
  INFO(words);
  CHECK(words.starts_with("restore_failed: pg_restore exited with status 1: "));
  CHECK(
      words.ends_with("Nothing live was touched, and database 'arc_b_restore_4f2a9c' is dropped."));
  CHECK(bench.value("SELECT count(*) FROM files") == "100");
  CHECK_FALSE(bench.exists("arc_b_restore_4f2a9c"));
}

TEST_CASE("a restore that takes too long is ended and leaves nothing") {
  ArchiveBench bench("arc_t");
  const Backup saved = bench.dump({"--format=custom"});
  const auto slow = [](std::string_view, const drover::engine::Target&, const auto&) {
    ChildRequest request;
    request.argv = {"sleep", "1000"};
    return request;
  };
  ArchiveSource source({slow, {}, 1}, bench.archive, Extent::whole);
  drover::engine::Patience patience;
  patience.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const auto fault = restore_database(bench.request(saved, source), bench.means, patience);
  REQUIRE(fault);
  CHECK(fault->kind == "restore_timed_out");
  CHECK(fault->message.starts_with("pg_restore did not end within "));
  CHECK(fault->hint ==
        "Give it more time. Nothing live was touched, and database 'arc_t_restore_4f2a9c' is "
        "dropped.");
}

TEST_CASE("a pg_restore that cannot be started leaves nothing") {
  ArchiveBench bench("arc_m");
  const Backup saved = bench.dump({"--format=custom"});
  const auto missing = [](std::string_view, const drover::engine::Target&, const auto&) {
    ChildRequest request;
    request.argv = {"/nowhere/pg_restore"};
    return request;
  };
  ArchiveSource source({missing, {}, 1}, bench.archive, Extent::whole);
  const auto fault = restore_database(bench.request(saved, source), bench.means, {});
  REQUIRE(fault);
  CHECK(fault->kind == "command_not_started");
  CHECK(fault->hint.ends_with(
      " Nothing live was touched, and database 'arc_m_restore_4f2a9c' is dropped."));
  CHECK_FALSE(bench.exists("arc_m_restore_4f2a9c"));
}

TEST_CASE(
    "a schema comes back out of its archive, and an archive that breaks off leaves the old one") {
  for (const std::string role : {"", "keeper"}) {
    ArchiveBench bench("arc_s", role);
    INFO("role '" << role << "'");
    bench.execute(
        fmt::format("CREATE SCHEMA \"t 7\" {}", role.empty() ? "" : "AUTHORIZATION " + role));
    bench.tenant.target.schema = "t 7";
    bench.uid = bench.begin_history();
    bench.cluster.execute(
        "arc_s",
        fmt::format(
            "SET ROLE {}; SET search_path = \"t 7\";"
            "CREATE TABLE files (id bigserial PRIMARY KEY, o bigint REFERENCES public.files);"
            "INSERT INTO files (o) SELECT i FROM generate_series(1, 90) i;"
            "CREATE VIEW seen AS SELECT * FROM files; GRANT USAGE ON SCHEMA \"t 7\" TO PUBLIC",
            role.empty() ? "postgres" : role));
    const std::vector<std::string> layout = layout_of(bench.tenant.target);
    const Backup saved =
        bench.dump({"--format=custom", "--schema=\"t 7\"", "--compress=0"}, Extent::schema);
    bench.execute("DELETE FROM \"t 7\".files WHERE id > 10");
    const std::string whole = bench.folder.read("acme.dump");
    std::filesystem::resize_file(bench.archive, whole.size() - 800);
    ArchiveSource source = bench.source(Extent::schema);
    const std::string words =
        words_of(restore_schema(bench.request(saved, source), bench.means, {}));
    INFO(words);
    CHECK(words.starts_with("restore_failed: pg_restore exited with status 1: "));
    CHECK(words.ends_with("Schema 't 7' is as it was."));
    CHECK(bench.value("SELECT count(*) FROM \"t 7\".files") == "10");
    static_cast<void>(bench.folder.write("acme.dump", whole));
    CHECK(words_of(restore_schema(bench.request(saved, source), bench.means, {})) == "");
    CHECK(bench.value("SELECT count(*) FROM \"t 7\".files") == "90");
    bench.execute("DROP SCHEMA \"t 7_before_4f2a9c\" CASCADE");
    CHECK(difference(layout, layout_of(bench.tenant.target)) == "");
  }
}
