// Scripts for people: what psql and sqlite3 make of them is what an upgrade makes.

#include "engine/offline_sql.h"

#include <catch2/catch.hpp>

#include "engine/base/child_process.h"
#include "tests/engine/executor/rig.h"
#include "tests/support/schema_snapshot.h"

namespace drover::engine::test {
namespace {

base::ChildResult run(std::vector<std::string> argv, const std::string& script) {
  base::ChildRequest request;
  request.argv = std::move(argv);
  request.input = script;
  return base::run_child(request);
}

base::ChildResult psql(const std::string& script) {
  return run({"psql", "-X", "-q", "-f", "-", cluster().conninfo(kDatabase)}, script);
}

base::ChildResult sqlite3_shell(const FileTenant& tenant, const std::string& script) {
  return run({"sqlite3", tenant.path()}, script);
}

std::vector<RevisionId> all_up(const MigrationSet& set) {
  std::vector<RevisionId> ids;
  for (const Migration& migration : set.in_order()) {
    ids.push_back(migration.id);
  }
  return ids;
}

std::vector<RevisionId> all_down(const MigrationSet& set) {
  std::vector<RevisionId> ids = all_up(set);
  std::reverse(ids.begin(), ids.end());
  return ids;
}

/// Branches, a merge, a verify, units of their own, quotes and other scripts' pitfalls.
MigrationSet everything() {
  return set_of(
      {{"0001",
        "none",
        "-- drover: up\nCREATE TABLE a (i integer PRIMARY KEY, t text DEFAULT 'it''s; -- not');\n"
        "INSERT INTO a VALUES (1, 'x'); INSERT INTO a VALUES (2, 'größe $1 ?1');\n"
        "-- drover: verify\nSELECT count(*) = 2 FROM a;\n-- drover: down\nDROP TABLE a;\n"},
       {"0002",
        "0001",
        "-- drover: up\nCREATE TABLE b (i integer REFERENCES a);\nINSERT INTO b VALUES (1);\n"
        "-- drover: up postgres no-transaction\nCREATE INDEX CONCURRENTLY b_i ON b (i);\nVACUUM "
        "b;\n"
        "-- drover: up sqlite no-transaction\nVACUUM;\n"
        "-- drover: up\nINSERT INTO b VALUES (2);\n-- drover: down\nDROP TABLE b;\n"},
       {"0003", "0001", up_down("CREATE VIEW v AS SELECT * FROM a", "DROP VIEW v")},
       {"0004", "0002, 0003", up_down("CREATE INDEX a_t ON a (t)", "DROP INDEX a_t")},
       {"0005",
        "0004",
        "-- drover: up postgres\nSET search_path = pg_temp;\n-- drover: up sqlite\nSELECT 1;\n"
        "-- drover: up postgres no-transaction\nVACUUM;\n-- drover: down\nSELECT 1;\n"}});
}

std::vector<std::string> rows(const PgTenant& tenant, const std::string& sql) {
  std::vector<std::string> result;
  for (const auto& row : tenant.sql(sql)) {
    result.push_back(row.front().value_or("NULL"));
  }
  return result;
}

TEST_CASE("PostgreSQL: a script leaves what an upgrade leaves, and a downgrade") {
  const MigrationSet set = everything();
  const PgTenant online;
  const PgTenant offline;
  Rig rig;
  rig.options.by = {kOfflineName, ""};
  rig.options.chaining = Chaining::off;
  REQUIRE(told(rig.up(online.target(), set)) == "applied");
  const base::ChildResult ran =
      psql(offline_script(set, Dialect::postgres, all_up(set), Direction::up, offline.schema()));
  INFO(ran.errors);
  REQUIRE(ran.succeeded());
  CHECK(ran.errors.empty());
  const std::string conninfo = cluster().conninfo(kDatabase);
  CHECK(difference(schema_of_postgres(conninfo, online.schema()),
                   schema_of_postgres(conninfo, offline.schema()))
            .empty());
  CHECK(rows_of_postgres(conninfo, online.schema()) ==
        rows_of_postgres(conninfo, offline.schema()));
  CHECK(rows(online, "SELECT revision FROM drover_revisions ORDER BY 1") ==
        rows(offline, "SELECT revision FROM drover_revisions ORDER BY 1"));
  const std::string sums =
      "SELECT concat_ws('|', revision, up_sha256, down_sha256, chain_sha256, applied_by, run) FROM "
      "drover_revisions ORDER BY revision";
  CHECK(rows(online, sums) == rows(offline, sums));
  const std::string events =
      "SELECT concat_ws('|', kind, revision, who, run, detail) FROM drover_events ORDER BY epoch";
  CHECK(rows(online, events) == rows(offline, events));
  CHECK(rows(offline, "SELECT in_progress || format FROM drover_tenant") ==
        std::vector<std::string>{"1"});
  CHECK(rows(offline, "SELECT state FROM drover_steps").empty());
  CHECK(told(rig.up(offline.target(), set)) == "current");

  const base::ChildResult back = psql(
      offline_script(set, Dialect::postgres, all_down(set), Direction::down, offline.schema()));
  INFO(back.errors);
  CHECK(back.succeeded());
  CHECK(schema_of_postgres(conninfo, offline.schema()).empty());
  CHECK(rows(offline, "SELECT revision FROM drover_revisions").empty());
  CHECK(told(rig.up(offline.target(), set)) == "applied");
}

TEST_CASE("SQLite: a script leaves what an upgrade leaves, and a downgrade") {
  const MigrationSet set = everything();
  const FileTenant online;
  const FileTenant offline;
  Rig rig;
  rig.options.by = {kOfflineName, ""};
  REQUIRE(told(rig.up(online.target(), set)) == "applied");
  const base::ChildResult ran =
      sqlite3_shell(offline, offline_script(set, Dialect::sqlite, all_up(set), Direction::up, ""));
  INFO(ran.errors << ran.output);
  REQUIRE(ran.succeeded());
  CHECK(ran.errors.empty());
  CHECK(difference(schema_of_sqlite(online.path()), schema_of_sqlite(offline.path())).empty());
  CHECK(rows_of_sqlite(online.path()) == rows_of_sqlite(offline.path()));
  const std::string sums =
      "SELECT revision, up_sha256, down_sha256, chain_sha256, applied_by, run FROM "
      "drover_revisions "
      "ORDER BY revision";
  CHECK(online.sql(sums) == offline.sql(sums));
  const std::string events =
      "SELECT kind, revision, who, run, detail FROM drover_events ORDER BY epoch";
  CHECK(online.sql(events) == offline.sql(events));
  CHECK(told(rig.up(offline.target(), set)) == "current");

  const base::ChildResult back = sqlite3_shell(
      offline, offline_script(set, Dialect::sqlite, all_down(set), Direction::down, ""));
  INFO(back.errors);
  CHECK(back.succeeded());
  CHECK(schema_of_sqlite(offline.path()).empty());
  CHECK(told(rig.up(offline.target(), set)) == "applied");
}

TEST_CASE("a script stops where the tenant is not in the state that it was written for") {
  const MigrationSet set =
      line_of({up_down("CREATE TABLE a (i int)"), up_down("CREATE TABLE b (i int)")});
  Rig rig;
  const std::vector<RevisionId> second{RevisionId{"0002"}};
  const std::string script = offline_script(set, Dialect::sqlite, second, Direction::up, "");

  const FileTenant fresh;
  CHECK_FALSE(sqlite3_shell(fresh, script).succeeded());
  CHECK(fresh.value("SELECT count(*) FROM sqlite_master WHERE name = 'b'") == "0");

  const FileTenant ahead;
  REQUIRE(rig.up(ahead.target(), set).kind == Kind::applied);
  const base::ChildResult again = sqlite3_shell(ahead, script);
  CHECK_FALSE(again.succeeded());
  CHECK(again.errors.find("CHECK constraint failed") != std::string::npos);
  CHECK_FALSE(sqlite3_shell(ahead,
                            offline_script(set,
                                           Dialect::sqlite,
                                           std::vector{RevisionId{"0001"}},
                                           Direction::down,
                                           ""))
                  .succeeded());  // 0002 needs it

  const PgTenant tenant;
  const auto pg = [&](std::vector<RevisionId> steps, Direction direction) {
    return psql(offline_script(set, Dialect::postgres, steps, direction, tenant.schema()));
  };
  CHECK(pg(second, Direction::up).errors.find("division by zero") != std::string::npos);
  CHECK_FALSE(tenant.has_table("b"));
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
  CHECK_FALSE(pg(second, Direction::up).succeeded());
  CHECK_FALSE(pg({RevisionId{"0001"}}, Direction::down).succeeded());
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "2");
  // Another history under the same names is not the one it was written for either.
  const MigrationSet other = line_of({up_down("CREATE TABLE c (i int)"), up_down("SELECT 1")});
  REQUIRE(rig.down(tenant.target(), set, "0001").kind == Kind::applied);
  CHECK_FALSE(psql(offline_script(other, Dialect::postgres, second, Direction::up, tenant.schema()))
                  .succeeded());
}

TEST_CASE("a script whose verify is not true keeps nothing of the revision") {
  const char* const verify = GENERATE("SELECT false",
                                      "SELECT NULL",
                                      "SELECT true UNION ALL SELECT true",
                                      "SELECT true FROM a WHERE i = 99");
  const MigrationSet set =
      line_of({fmt::format("-- drover: up\nCREATE TABLE a (i int);\n-- drover: verify\n{};\n-- "
                           "drover: down\nSELECT 1;\n",
                           verify)});
  CAPTURE(verify);
  const PgTenant tenant;
  CHECK_FALSE(
      psql(offline_script(set, Dialect::postgres, all_up(set), Direction::up, tenant.schema()))
          .succeeded());
  CHECK_FALSE(tenant.has_table("a"));
  const FileTenant file;
  CHECK_FALSE(
      sqlite3_shell(file, offline_script(set, Dialect::sqlite, all_up(set), Direction::up, ""))
          .succeeded());
  CHECK(file.value("SELECT count(*) FROM sqlite_master WHERE name = 'a'") == "0");
}

TEST_CASE("a script that is cut short in a statement leaves a tenant that an upgrade can finish") {
  const MigrationSet set =
      line_of({"-- drover: up postgres\nCREATE TABLE a (i int);\n-- drover: up postgres "
               "no-transaction\nVACUUM a;\nCREATE UNIQUE INDEX CONCURRENTLY a_i ON a (i);\n"
               "-- drover: down\nSELECT 1;\n"});
  const PgTenant tenant;
  std::string script =
      offline_script(set, Dialect::postgres, all_up(set), Direction::up, tenant.schema());
  const std::size_t index = script.find("CREATE UNIQUE INDEX");
  script.insert(index, "INSERT INTO a VALUES (1), (1);\n");
  CHECK_FALSE(psql(script).succeeded());
  CHECK(tenant.value("SELECT in_progress FROM drover_tenant") == "0001");
  tenant.sql("DELETE FROM a");
  Rig rig;
  CHECK(told(rig.up(tenant.target(), set)) == "applied");  // and the INVALID index was cleared away
  CHECK(tenant.value("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'a'::regclass") ==
        "t");
}

TEST_CASE("a script waits for nobody's lock, and foreign keys are looked after in it") {
  const MigrationSet set = line_of(
      {up_down("CREATE TABLE parent (i integer PRIMARY KEY); CREATE TABLE child (i integer "
               "REFERENCES parent ON DELETE CASCADE); INSERT INTO parent VALUES (1); INSERT INTO "
               "child VALUES (1)"),
       up_down("DELETE FROM parent")});
  const FileTenant file;
  CHECK_FALSE(
      sqlite3_shell(file, offline_script(set, Dialect::sqlite, all_up(set), Direction::up, ""))
          .succeeded());
  CHECK(file.value("SELECT count(*) FROM parent") == "1");

  const PgTenant tenant;
  Other holder(tenant.target());
  holder.run(
      fmt::format("SELECT pg_advisory_lock({})", tenant_lock_key(kDatabase, tenant.schema())));
  CHECK_FALSE(
      psql(offline_script(set, Dialect::postgres, all_up(set), Direction::up, tenant.schema()))
          .succeeded());
  CHECK_FALSE(tenant.has_table("drover_tenant"));
}

TEST_CASE("what a script cannot run is refused when it is written") {
  const auto kind_of = [](const MigrationSet& set, std::vector<RevisionId> steps, Direction way) {
    try {
      offline_script(set, Dialect::postgres, steps, way, "public");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      return error.kind_name();
    }
    return std::string("written");
  };
  const RevisionId first{"0001"};
  CHECK(kind_of(line_of({"-- drover: batch postgres table=a\nUPDATE a SET i = i WHERE {range};\n"
                         "-- drover: down\nSELECT 1;\n"}),
                {first},
                Direction::up) == "batch_not_supported");
  const MigrationSet final_one =
      line_of({"-- drover: irreversible gone\n-- drover: up\nSELECT 1;\n"});
  CHECK(kind_of(final_one, {first}, Direction::down) == "irreversible");
  CHECK(kind_of(final_one, {first}, Direction::up) == "written");
  CHECK(kind_of(final_one, {RevisionId{"0002"}}, Direction::up) == "unknown_revision");
}

}  // namespace
}  // namespace drover::engine::test
