// Where a tenant stands: states by table, and histories of many schemas at once.

#include "engine/tenant_status.h"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>

#include "engine/schema_histories.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

/// 0001 -- 0002 -- 0003, and 0009 beside them.
MigrationSet files() {
  return set_of({{"0001", "none", up_down("SELECT 1")},
                 {"0002", "0001", up_down("SELECT 2")},
                 {"0003",
                  "0002",
                  "-- drover: up\nSELECT 3;\n-- drover: up postgres no-transaction\nSELECT 4;\n"
                  "-- drover: down\nSELECT 1;\n"},
                 {"0009", "none", up_down("SELECT 9")}});
}

/// A history that says these were applied, as the files have them now.
History applied(const MigrationSet& set, const std::vector<std::string>& ids) {
  History history;
  history.exists = !ids.empty();
  for (const std::string& id : ids) {
    const Migration* migration = set.find(RevisionId{id});
    AppliedRevision row;
    row.id = RevisionId{id};
    if (migration != nullptr) {
      row.checksums = migration->checksums.at(Dialect::postgres);
    }
    history.applied.push_back(row);
  }
  return history;
}

struct Case {
  std::string state;
  std::vector<std::string> applied;
  std::string target;
  std::vector<std::string> pending;
  std::string fault = {};
  std::function<void(History&)> change = [](History&) {};
  std::string progress = {};
};

TEST_CASE("a tenant is in the first state that fits") {
  const auto edit = [](History& history) { history.applied.front().checksums.up = "other"; };
  const auto move = [](History& history) { history.applied.back().checksums.chain = "other"; };
  const auto half = [](History& history) {
    history.exists = true;
    history.tenant.in_progress = "0003";
    history.steps.push_back({RevisionId{"0003"}, Direction::up, 1, 0, "", true, 7});
    history.steps.push_back({RevisionId{"0003"}, Direction::up, 2, 1, "", false, 7});
  };
  const Case cases[] = {
      {"behind", {}, "0002", {"0001", "0002"}},
      {"empty", {}, "base", {}},
      {"behind", {"0001"}, "0002", {"0002"}},
      {"behind", {"0001"}, "heads", {"0009", "0002", "0003"}},
      {"current", {"0001", "0002"}, "0002", {}},
      {"ahead", {"0001", "0002"}, "0001", {}},
      {"behind", {"0001", "0009"}, "0002", {"0002"}},
      {"edited", {"0001", "0002"}, "heads", {}, "edited", edit},
      {"edited", {"0001", "0008"}, "heads", {}, "edited", edit},
      {"unknown_revision", {"0001", "0008"}, "heads", {}, "unknown_revision"},
      {"diverged", {"0002"}, "heads", {}, "diverged"},
      {"diverged", {"0001", "0002"}, "heads", {}, "diverged", move},
      {"partial",
       {"0001", "0002"},
       "0003",
       {"0003"},
       "",
       half,
       "1 of 2 units of revision '0003' done"},
      {"partial",
       {"0001", "0002"},
       "0003",
       {},
       "edited",
       [&](History& history) {
         edit(history);
         half(history);
       },
       "1 of 2 units of revision '0003' done"},
      {"partial",
       {"0001", "0002", "0003"},
       "0003",
       {},
       "",
       [&](History& history) {
         half(history);
         history.steps = {{RevisionId{"0003"}, Direction::down, 1, 1, "", false, 7}};
       },
       "0 of 1 units of revision '0003' undone"},
  };
  const MigrationSet set = files();
  for (const Case& example : cases) {
    History history = applied(set, example.applied);
    example.change(history);
    const TenantStatus status = status_of(set, Dialect::postgres, history, example.target);
    CAPTURE(example.applied, example.target, example.state);
    CHECK(name_of(status.state) == example.state);
    std::vector<std::string> pending = names(status.pending);
    std::vector<std::string> expected = example.pending;
    std::sort(pending.begin(), pending.end());
    std::sort(expected.begin(), expected.end());
    CHECK(pending == expected);
    CHECK((status.fault ? status.fault->kind : "") == example.fault);
    CHECK(status.progress == example.progress);
  }
}

TEST_CASE("status reads one tenant and takes no lock") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = files();
  const auto read = [&] {
    TenantSession session(
        rig.sessions, *rig.clock, tenant.target(), rig.facts, rig.options.approach);
    return read_status(session, set, "0002", {});
  };
  CHECK(read().state == TenantState::behind);
  REQUIRE(rig.up(tenant.target(), set, "0002").kind == Kind::applied);
  const TenantStatus status = read();
  CHECK(status.state == TenantState::current);
  CHECK(names(status.current) == std::vector<std::string>{"0002"});
  CHECK_FALSE(status.fault);
  rig.options.approach.environment = "staging";
  tenant.sql("UPDATE drover_tenant SET environment = 'production'");
  CHECK(read().fault->kind == "environment_mismatch");
  CHECK(read().state == TenantState::current);
}

TEST_CASE("status of what cannot be read says why") {
  Rig rig;
  const auto read = [&](const Target& target) {
    TenantSession session(rig.sessions, *rig.clock, target, rig.facts, rig.options.approach);
    return read_status(session, files(), "heads", {});
  };
  const TenantStatus schema = read(cluster().target(kDatabase, "nowhere"));
  CHECK(schema.state == TenantState::unreachable);
  CHECK(schema.fault->kind == "schema_missing");
  const TenantStatus database = read(cluster().target("nowhere"));
  CHECK(database.fault->kind == "database_missing");
  const PgTenant damaged;
  REQUIRE(rig.up(damaged.target(), files(), "0001").kind == Kind::applied);
  damaged.sql("DROP TABLE drover_revisions");
  CHECK(read(damaged.target()).state == TenantState::unreachable);
  CHECK(read(damaged.target()).fault->kind == "undefined_table");
  CHECK(read(FileTenant().target()).fault->kind == "file_missing");
}

TEST_CASE("an empty file is a tenant to begin with where files may be made, and nowhere else") {
  Rig rig;
  const FileTenant tenant;
  std::ofstream(tenant.target().connection).close();
  const auto read = [&] {
    TenantSession session(
        rig.sessions, *rig.clock, tenant.target(), rig.facts, rig.options.approach);
    return read_status(session, files(), "heads", {});
  };
  rig.options.approach.create_files = false;
  CHECK(read().fault->kind == "file_empty");
  rig.options.approach.create_files = true;
  CHECK(read().state == TenantState::behind);
  CHECK(read().pending.size() == 4);
  CHECK(std::filesystem::file_size(tenant.target().connection) == 0);  // looking makes nothing
}

TEST_CASE("a thousand schemas are read in a few statements") {
  constexpr int kSchemas = 1000;
  cluster().create_database("many");
  const Target target = cluster().target("many", "s1");
  // One real history, copied by SQL into every fourth schema.
  cluster().execute("many", "CREATE SCHEMA s1");
  Rig rig;
  const MigrationSet set = files();
  REQUIRE(rig.up(target, set, "0002").kind == Kind::applied);
  for (int from = 2; from <= kSchemas; from += 500) {  // a transaction each: locks are few
    cluster().execute("many",
                      fmt::format(R"(DO $$ BEGIN FOR i IN {} .. {} LOOP
  EXECUTE format('CREATE SCHEMA s%s', i);
  IF i % 4 = 0 THEN
    EXECUTE format('CREATE TABLE s%s.drover_tenant AS SELECT * FROM s1.drover_tenant', i);
    EXECUTE format('CREATE TABLE s%s.drover_revisions AS SELECT * FROM s1.drover_revisions', i);
    EXECUTE format('UPDATE s%s.drover_tenant SET uid = %L', i, 'uid-' || i);
  END IF;
END LOOP; END $$)",
                                  from,
                                  std::min(from + 499, kSchemas)));
  }
  cluster().execute("many", R"(UPDATE s4.drover_tenant SET in_progress = '0003';
    UPDATE s8.drover_tenant SET format = 2;
    ALTER TABLE s12.drover_tenant DROP COLUMN epoch;
    DROP TABLE s16.drover_tenant)");
  std::vector<std::string> schemas;
  for (int i = 1; i <= kSchemas; ++i) {
    schemas.push_back(fmt::format("s{}", i));
  }
  schemas.push_back("not \"there\", {or} is\\it");
  const auto session = rig.sessions.open(target, {}, {}).session;
  const SchemaHistories read = read_schema_histories(*session, schemas, {});
  CHECK_FALSE(read.fault);
  CHECK(read.missing == std::vector<std::string>{schemas.back()});
  // Those that are half done, of another format or damaged are left for a look of their own.
  CHECK(read.by_schema.size() == kSchemas - 4);
  for (const char* const odd : {"s4", "s8", "s12", "s16"}) {
    CHECK_FALSE(read.by_schema.contains(odd));
  }
  CHECK_FALSE(read.by_schema.at("s21").exists);
  CHECK(read.by_schema.at("s776").tenant.uid == "uid-776");
  CHECK(read.by_schema.at("s776").applied_ids() ==
        RevisionSet{RevisionId{"0001"}, RevisionId{"0002"}});
  const TenantStatus status = status_of(set, Dialect::postgres, read.by_schema.at("s776"), "0002");
  CHECK(status.state == TenantState::current);
  REQUIRE(read.by_schema.at("s776").applied.size() == 2);
  CHECK(read.by_schema.at("s776").applied.back().id.value == "0002");  // oldest first
}

}  // namespace
}  // namespace drover::engine::test
