#include "orchestrator/backup/schema_restore.h"

#include <map>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/tenant_lock.h"
#include "orchestrator/backup/desk.h"
#include "orchestrator/backup/schema_references.h"
#include "tests/orchestrator/backup/restore_bench.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::engine::TenantFault;

namespace {

constexpr const char* kFiles = "SELECT count(*) FROM t_7.files";

/// A script in place of an archive; a word of it that is no SQL fails half-way.
class ScriptSource final : public BackupSource {
 public:
  ScriptSource(RestoreBench& bench, std::string sql)
      : reader_(bench.means, ""), bench_(bench), sql_(std::move(sql)) {}

  std::string template_database() const override { return ""; }
  std::optional<TenantFault> fill(const drover::engine::Target& target,
                                  const drover::engine::Patience& /*patience*/) override {
    try {
      bench_.cluster.execute(target.database, "BEGIN; " + sql_ + "; COMMIT");
      return std::nullopt;
    } catch (const std::runtime_error&) {
      TenantFault fault;
      fault.kind = "restore_failed";
      fault.message = "the script broke off";
      fault.hint = "Mend it.";
      return fault;
    }
  }
  ContentReading read(const drover::engine::Target& target,
                      Extent extent,
                      const drover::engine::Patience& patience) override {
    return reader_.read(target, extent, patience);
  }

 private:
  CopySource reader_;
  RestoreBench& bench_;
  std::string sql_;
};

/// A tenant in schema t_7 of a database, what was saved of it, and a script that makes it again.
struct SchemaBench : RestoreBench {
  explicit SchemaBench(std::string database) : RestoreBench(std::move(database)) {
    execute(
        "CREATE SCHEMA other; CREATE SCHEMA t_7; "
        "CREATE TABLE t_7.files (id bigint PRIMARY KEY, name text); "
        "INSERT INTO t_7.files SELECT i, 'file ' || i FROM generate_series(1, 100) i");
    tenant.target = cluster.target(name, "t_7");
    uid = begin_history();
    execute("CREATE SCHEMA kept");
    for (const char* const table :
         {"files", "drover_tenant", "drover_revisions", "drover_events", "drover_steps"}) {
      execute(fmt::format("CREATE TABLE kept.{0} AS TABLE t_7.{0}", table));
      script += fmt::format("CREATE TABLE t_7.{0} AS TABLE kept.{0};", table);
    }
    saved.id = {"20261122T221403-4f2a9c"};
    saved.tenant = tenant.id;
    saved.uid = uid;
    saved.environment = "prod";
    saved.server = tenant.target.server;
    saved.database = name;
    saved.schema = "t_7";
    saved.heads = {{"0001"}};
    saved.tables = CopySource(means, "").read(tenant.target, Extent::schema, {}).tables;
    execute("DELETE FROM t_7.files WHERE id > 40");
  }

  std::string restore(const std::string& more = "SELECT 1") {
    ScriptSource source(*this, script + more);
    return words_of(restore_schema(request(saved, source, "9b"), means, {}));
  }

  std::string schemas() const {
    return value(
        "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace "
        "WHERE nspname LIKE 't\\_7%'");
  }

  std::string script = "CREATE SCHEMA t_7;";
  Backup saved;
};

std::vector<std::string> references(SchemaBench& bench) {
  Desk desk(bench.means, bench.tenant.target, {}, {});
  return references_to_schema(desk, "t_7", {});
}

}  // namespace

TEST_CASE("a restored schema takes the place of the live one, which is kept") {
  SchemaBench bench("sch_a");
  bench.execute("COMMENT ON SCHEMA t_7 IS 'number 7'");
  CHECK(bench.restore() == "");
  CHECK(bench.value(kFiles) == "100");
  CHECK(bench.value("SELECT count(*) FROM t_7_before_9b.files") == "40");
  CHECK(bench.schemas() == "t_7 t_7_before_9b");
  const auto comment = [&](const std::string& schema) {
    return bench.value(
        fmt::format("SELECT obj_description('{}'::regnamespace, 'pg_namespace')", schema));
  };
  CHECK(comment("t_7") == "");
  CHECK(comment("t_7_before_9b") == "[drover: restore 9b] number 7");
  CHECK(bench.steps == std::vector<std::string>{"renaming t_7 to t_7_away_9b",
                                                "restoring backup 20261122T221403-4f2a9c as t_7",
                                                "renaming t_7 to t_7_check_9b",
                                                "checking 5 tables",
                                                "renaming t_7_check_9b to t_7"});
  bench.steps.clear();
  bench.execute("DELETE FROM t_7.files");
  CHECK(bench.restore() == "");  // finished long ago: not again
  CHECK(bench.value(kFiles) == "0");
  CHECK(bench.steps.empty());
}

TEST_CASE("a restore of a schema that is killed before any step is finished by the next call") {
  for (int step = 0; step < 5; ++step) {
    SchemaBench bench("sch_k");
    ScriptSource source(bench, bench.script);
    INFO("killed at step " << step);
    const RestoreMeans killed = bench.killed_at(step);
    CHECK_THROWS_AS(restore_schema(bench.request(bench.saved, source, "9b"), killed, {}), Killed);
    CHECK(unfinished_schema_restores(bench.tenant, bench.means, {}).marks ==
          (step == 0 ? std::vector<std::string>() : std::vector<std::string>{"9b"}));
    CHECK(bench.restore() == "");
    CHECK(bench.value(kFiles) == "100");
    CHECK(bench.schemas() == "t_7 t_7_before_9b");
    CHECK(unfinished_schema_restores(bench.tenant, bench.means, {}).marks.empty());
  }
}

TEST_CASE("what fails or is not proven leaves the schema as it was") {
  SchemaBench bench("sch_f");
  const std::string put_back = " Schema 't_7' is as it was.";
  const std::string not_proven =
      "restore_not_proven: what was restored from backup '20261122T221403-4f2a9c' is not what was "
      "saved: ";
  const std::string hint = " Verify the backup, and take another one of this tenant." + put_back;
  const std::map<std::string, std::string> cases = {
      {"nonsense", "restore_failed: the script broke off. Mend it." + put_back},
      {"DELETE FROM t_7.files WHERE id = 7",
       not_proven + "table 't_7.files' has 99 rows, and had 100." + hint},
      {"UPDATE t_7.drover_tenant SET uid = 'another'",
       not_proven + "its history is that of uid 'another', not of '" + bench.uid + "'." + hint},
      {"DROP TABLE t_7.drover_tenant", not_proven + "it has no history." + hint},
      {"ALTER SCHEMA t_7 RENAME TO elsewhere",
       "restore_failed: restoring backup '20261122T221403-4f2a9c' made no schema 't_7'. Verify the "
       "backup." +
           put_back}};
  for (const auto& [sql, words] : cases) {
    CHECK(bench.restore(sql) == words);
    CHECK(bench.schemas() == "t_7");
    CHECK(bench.value(kFiles) == "40");
  }
}

TEST_CASE("references from elsewhere are listed and refused, those of the schema's own are not") {
  SchemaBench bench("sch_r");
  bench.execute(R"(
    CREATE TABLE other.shared (id bigint PRIMARY KEY);
    CREATE TABLE t_7.own (id bigint PRIMARY KEY REFERENCES t_7.files, s bigint REFERENCES other.shared,
                          big text);
    CREATE VIEW t_7.seen AS SELECT * FROM t_7.own JOIN other.shared USING (id);
    CREATE MATERIALIZED VIEW t_7.filled AS SELECT * FROM t_7.seen;
    CREATE TYPE t_7.mood AS ENUM ('fine');
    CREATE DOMAIN t_7.short AS text CHECK (length(value) < 5);
    CREATE FUNCTION t_7.one() RETURNS int BEGIN ATOMIC SELECT 1; END;
    CREATE FUNCTION t_7.trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER t BEFORE INSERT ON t_7.own FOR EACH ROW EXECUTE FUNCTION t_7.trg();
    CREATE SEQUENCE t_7.numbers OWNED BY t_7.own.id;
    CREATE TABLE t_7.parts (id int) PARTITION BY RANGE (id);
    CREATE TABLE t_7.parts_1 PARTITION OF t_7.parts FOR VALUES FROM (0) TO (10);
    CREATE INDEX ON t_7.parts (id);
    CREATE POLICY p ON t_7.own USING (id > t_7.one());
    CREATE RULE r AS ON DELETE TO t_7.own DO NOTHING;
    CREATE STATISTICS t_7.s ON id, s FROM t_7.own;
    ALTER DEFAULT PRIVILEGES IN SCHEMA t_7 GRANT SELECT ON TABLES TO PUBLIC;)");
  CHECK(references(bench).empty());
  bench.execute(R"(
    CREATE TABLE other.child (id bigint DEFAULT nextval('t_7.numbers'), mood t_7.mood,
                              f bigint CONSTRAINT fk REFERENCES t_7.files);
    CREATE VIEW other.view AS SELECT * FROM t_7.files;
    CREATE FUNCTION other.body() RETURNS int BEGIN ATOMIC SELECT t_7.one(); END;
    CREATE TABLE other.parts_2 PARTITION OF t_7.parts FOR VALUES FROM (10) TO (20);
    CREATE TRIGGER t BEFORE INSERT ON other.shared FOR EACH ROW EXECUTE FUNCTION t_7.trg();
    CREATE PUBLICATION news FOR TABLE t_7.files;
    CREATE EXTENSION pg_trgm SCHEMA t_7;)");
  CHECK(references(bench) ==
        std::vector<std::string>{"default value for other.child.id",
                                 "extension pg_trgm",
                                 "function other.body()",
                                 "index other.parts_2_id_idx",
                                 "publication relation t_7.files in publication news",
                                 "table column other.child.mood",
                                 "table constraint fk on other.child",
                                 "table other.parts_2",
                                 "trigger t on other.shared",
                                 "view other.view"});
  bench.execute(
      "DROP PUBLICATION news; DROP EXTENSION pg_trgm; DROP TABLE other.parts_2, other.child; "
      "DROP FUNCTION other.body; DROP TRIGGER t ON other.shared");
  CHECK(bench.restore() ==
        "restore_refused: schema 't_7' cannot be replaced while others refer to it: view "
        "other.view. Drop what is named and make it again afterwards, or restore the whole "
        "database.");
  CHECK(bench.schemas() == "t_7");
}

TEST_CASE("the rename waits for whoever uses the tables, and gives up in time") {
  SchemaBench bench("sch_w");
  auto user = bench.sessions.open(bench.tenant.target, {}, {});
  const auto say = [&](const char* sql) {
    const drover::engine::Statement statement{sql};
    REQUIRE(user.session->exchange(std::span(&statement, 1), {}).ok());
  };
  say("BEGIN");
  say("UPDATE t_7.files SET name = 'mine' WHERE id = 1");
  bench.means.lock_timeout = drover::engine::Milliseconds(50);
  const std::string words = bench.restore();
  CHECK(
      words.starts_with("lock_timeout: renaming schema 't_7' to 't_7_away_9b' failed: canceling "
                        "statement due to lock timeout"));
  CHECK(bench.schemas() == "t_7");
  say("COMMIT");
  CHECK(bench.restore() == "");
}

TEST_CASE("a schema that somebody made in place of the one that is away is not touched") {
  SchemaBench bench("sch_m");
  ScriptSource source(bench, bench.script);
  const RestoreMeans killed = bench.killed_at(1);
  CHECK_THROWS_AS(restore_schema(bench.request(bench.saved, source, "9b"), killed, {}), Killed);
  bench.execute("CREATE SCHEMA t_7; CREATE TABLE t_7.precious (id int)");
  CHECK(
      bench.restore() ==
      "restore_refused: schema 't_7' is not what restore 9b left behind. Somebody made or renamed "
      "schemas meanwhile; look at 't_7', 't_7_away_9b', 't_7_check_9b' and 't_7_before_9b'.");
  CHECK(bench.schemas() == "t_7 t_7_away_9b");
}

TEST_CASE("schemas that only look like ours are neither dropped nor put in place") {
  for (const std::string infix : {"away", "check", "before"}) {
    SchemaBench bench("sch_x");
    bench.execute(fmt::format("CREATE SCHEMA t_7_{}_9b", infix));
    CHECK(bench.restore().starts_with(
        "restore_refused: schema 't_7' is not what restore 9b left behind."));
    CHECK(bench.schemas() == fmt::format("t_7 t_7_{}_9b", infix));
  }
}

TEST_CASE("a schema that is gone altogether is made anew, or not at all") {
  SchemaBench bench("sch_l");
  bench.execute("DROP SCHEMA t_7 CASCADE");
  CHECK(bench.restore("DELETE FROM t_7.files WHERE id = 7")
            .ends_with("There still is no schema 't_7'."));
  CHECK(bench.schemas() == "");
  CHECK(bench.restore() == "");
  CHECK(bench.value(kFiles) == "100");
  CHECK(bench.schemas() == "t_7");
}

TEST_CASE("a schema is put back only where that is possible, and under its lock") {
  SchemaBench bench("sch_o");
  ScriptSource source(bench, bench.script);
  Backup whole = bench.saved;
  whole.schema.clear();
  CHECK(words_of(restore_schema(bench.request(whole, source), bench.means, {})) ==
        "restore_refused: backup '20261122T221403-4f2a9c' is of all of a database, not of schema "
        "'t_7'. Choose a backup of this tenant.");
  RestoreMeans elsewhere = bench.means;
  elsewhere.history_schema = "drover";
  CHECK(words_of(restore_schema(bench.request(bench.saved, source), elsewhere, {})) ==
        "restore_refused: the history of schema 't_7' is in schema 'drover', which a backup of the "
        "one does not hold. Restore the whole database.");
  auto other = bench.sessions.open(bench.tenant.target, {}, {});
  const std::string sql =
      fmt::format("SELECT pg_advisory_lock({})", drover::engine::tenant_lock_key("sch_o", "t_7"));
  const drover::engine::Statement lock{sql};
  REQUIRE(other.session->exchange(std::span(&lock, 1), {}).ok());
  CHECK(bench.restore().starts_with("lock_held: the lock of tenant 'sch_o' is held by pid "));
  bench.tenant.target.schema = "public";
  Backup open = bench.saved;
  open.schema = "public";
  CHECK(
      words_of(restore_schema(bench.request(open, source), bench.means, {})) ==
      "restore_refused: schema 'public' cannot be put back by itself. Restore the whole database.");
}
