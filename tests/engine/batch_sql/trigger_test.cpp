// The trigger that changes rows which others write while a batch runs.

#include <catch2/catch.hpp>

#include "tests/engine/batch_sql/walk.h"

namespace drover::engine::test {
namespace {

const BatchId kId{RevisionId{"0002"}, 1};  // NOLINT(cert-err58-cpp): a test's own

SectionText syncing(const std::string& sql = "UPDATE hits SET low = lower(name) WHERE {range}",
                    const std::string& more = "") {
  return {"table=hits trigger=sync", "-- drover: done low = lower(name)\n" + more, sql};
}

/// hits with its trigger.
template <typename Tenant>
struct Synced {
  explicit Synced(const SectionText& text = syncing()) {
    tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, name text, low text)");
    tenant.sql("INSERT INTO hits VALUES (100, 'OLD', NULL)");
    walk.emplace(tenant.target(), text);
    walk->speaker.answers(walk->script().make_trigger(kId, tenant.target().schema));
  }
  void drop() { walk->speaker.answers(walk->script().drop_trigger(kId, tenant.target().schema)); }
  std::string low(int id) const {
    return tenant.value(fmt::format("SELECT low FROM hits WHERE id = {}", id));
  }

  Tenant tenant;
  std::optional<Walk> walk;
};

}  // namespace

TEMPLATE_TEST_CASE("rows that others write are changed until the trigger goes",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Synced<TestType> synced;
  synced.tenant.sql("INSERT INTO hits VALUES (1, 'ONE', NULL), (2, 'TWO', 'wrong')");
  CHECK(synced.low(1) == "one");
  CHECK(synced.low(2) == "two");
  synced.tenant.sql("UPDATE hits SET name = 'UNO' WHERE id = 1");
  CHECK(synced.low(1) == "uno");
  synced.tenant.sql(
      "INSERT INTO hits VALUES (2, 'X', NULL) ON CONFLICT (id) DO UPDATE "
      "SET name = 'DUE'");
  CHECK(synced.low(2) == "due");
  CHECK(synced.low(100).empty());  // nobody wrote it
  synced.walk->speaker.answers(
      synced.walk->script().make_trigger(kId, synced.tenant.target().schema));  // once more
  synced.drop();
  synced.tenant.sql("INSERT INTO hits VALUES (3, 'THREE', NULL)");
  CHECK(synced.low(3).empty());
  synced.drop();
}

TEST_CASE("a trigger bears a statement with an alias", "[batch_sql]") {
  SectionText text = syncing("UPDATE hits AS h SET low = lower(h.name) WHERE {range}");
  text.keys = "postgres " + text.keys;
  Synced<PgTenant> synced(text);
  synced.tenant.sql("INSERT INTO hits VALUES (1, 'ONE', NULL)");
  CHECK(synced.low(1) == "one");
}

TEMPLATE_TEST_CASE("a row that is not meant stays as it was written",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Synced<TestType> synced(
      syncing("UPDATE hits SET low = lower(name) WHERE {range}", "-- drover: where id < 50\n"));
  synced.tenant.sql("INSERT INTO hits VALUES (49, 'IN', NULL), (50, 'OUT', NULL)");
  CHECK(synced.low(49) == "in");
  CHECK(synced.low(50).empty());
}

TEMPLATE_TEST_CASE("the trigger and a walk together leave no row undone",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Synced<TestType> synced;
  synced.tenant.sql("INSERT INTO hits VALUES (1, 'A', NULL), (200, 'B', NULL)");
  if (synced.tenant.target().dialect == Dialect::postgres) {
    synced.walk->speaker.answer({"SET drover.in_batch = 'on'"});
  }
  synced.walk->go(2);
  CHECK(synced.low(100) == "old");
  CHECK(synced.tenant.value("SELECT count(*) FROM hits WHERE low IS NULL") == "0");
}

TEST_CASE("a session that runs batches does without the trigger", "[batch_sql]") {
  Synced<PgTenant> synced;
  synced.walk->speaker.answer({"SET drover.in_batch = 'on'"});
  synced.walk->speaker.answer({"INSERT INTO hits VALUES (1, 'ONE', NULL)"});
  CHECK(synced.low(1).empty());
  synced.walk->speaker.answer({"RESET drover.in_batch"});
  synced.walk->speaker.answer({"UPDATE hits SET name = name WHERE id = 1"});
  CHECK(synced.low(1) == "one");
}

TEST_CASE("an application's transaction that fails midway is synced afterwards all the same",
          "[batch_sql]") {
  Synced<PgTenant> synced;
  Other other(synced.tenant.target());
  other.run(fmt::format("SET search_path = {}", synced.tenant.schema()));
  other.run("BEGIN");
  other.run("SAVEPOINT s");
  CHECK(other.run("INSERT INTO hits VALUES (1, 'ONE', NULL), (100, 'TWICE', NULL)") == "23505");
  other.run("ROLLBACK TO s");
  other.run("INSERT INTO hits VALUES (2, 'TWO', NULL)");
  other.run("COMMIT");
  CHECK(synced.low(2) == "two");
}

TEST_CASE("a low key that is committed after the walk went by is done", "[batch_sql]") {
  Synced<PgTenant> synced;
  Other other(synced.tenant.target());
  other.run(fmt::format("SET search_path = {}", synced.tenant.schema()));
  other.run("BEGIN");
  other.run("INSERT INTO hits VALUES (1, 'LATE', NULL)");
  synced.walk->speaker.answer({"SET drover.in_batch = 'on'"});
  CHECK(synced.walk->go(10) == std::vector<std::uint64_t>{1});
  other.run("COMMIT");
  CHECK(synced.low(1) == "late");
}

TEST_CASE("whoever writes before the trigger is there is waited for", "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql("CREATE TABLE hits (id integer PRIMARY KEY, name text, low text)");
  Other other(tenant.target());
  other.run(fmt::format("SET search_path = {}", tenant.schema()));
  other.run("BEGIN");
  other.run("INSERT INTO hits VALUES (1, 'EARLY', NULL)");
  Walk walk(tenant.target(), syncing());
  std::vector<OwnedStatement> message{{"BEGIN"}, {"SET LOCAL lock_timeout = '50ms'"}};
  for (OwnedStatement& statement : walk.script().make_trigger(kId, tenant.schema())) {
    message.push_back(std::move(statement));
  }
  CHECK(walk.speaker.told(message) == "55P03");
  walk.speaker.answer({"ROLLBACK"});
  other.run("COMMIT");
  CHECK(walk.speaker.told(message) == "ok");
  walk.speaker.answer({"COMMIT"});
  CHECK(walk.go(10) == std::vector<std::uint64_t>{1});  // the end is fixed after the trigger
}

TEST_CASE("the trigger works whatever the writer's search_path is, and in every leaf",
          "[batch_sql]") {
  const PgTenant tenant;
  tenant.sql(R"(CREATE TABLE hits (id integer PRIMARY KEY, name text, low text)
      PARTITION BY RANGE (id);
    CREATE TABLE leaf_1 PARTITION OF hits FOR VALUES FROM (1) TO (100);
    CREATE TABLE leaf_2 PARTITION OF hits FOR VALUES FROM (100) TO (200))");
  Walk walk(tenant.target(), syncing());
  walk.speaker.answers(walk.script().make_trigger(kId, tenant.schema()));
  Other other(tenant.target());
  other.run("SET search_path = pg_catalog");
  CHECK(other
            .run(fmt::format("INSERT INTO {}.hits VALUES (1, 'ONE', NULL), (150, 'TWO', NULL)",
                             tenant.schema()))
            .empty());
  CHECK(tenant.value("SELECT string_agg(low, ',' ORDER BY id) FROM hits") == "one,two");
}

TEST_CASE("triggers of two batches stand beside each other", "[batch_sql]") {
  CHECK(trigger_name(kId) != trigger_name({RevisionId{"0002"}, 2}));
  CHECK(trigger_name(kId) != trigger_name({RevisionId{"0003"}, 1}));
  CHECK(trigger_name({RevisionId{std::string(128, 'r')}, 1}).size() < 60);
  Synced<PgTenant> synced;
  const BatchId other{RevisionId{"0002"}, 2};
  synced.walk->speaker.answers(synced.walk->script().make_trigger(other, synced.tenant.schema()));
  synced.drop();
  synced.tenant.sql("INSERT INTO hits VALUES (1, 'ONE', NULL)");
  CHECK(synced.low(1) == "one");
}

}  // namespace drover::engine::test
