#include "engine/administration.h"

#include <catch2/catch.hpp>

#include "engine/tenant_plan.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

const Provenance kCarol{"carol@host", "run-9"};

/// A tenant of either kind, and calls on it.
struct Desk {
  explicit Desk(Dialect dialect) {
    if (dialect == Dialect::postgres) {
      postgres.emplace();
    } else {
      sqlite.emplace();
    }
  }

  const Target& target() const { return postgres ? postgres->target() : sqlite->target(); }
  std::string value(const std::string& sql) const {
    return postgres ? postgres->value(sql) : sqlite->value(sql);
  }
  void sql(const std::string& text) const {
    if (postgres) {
      postgres->sql(text);
    } else {
      sqlite->sql(text);
    }
  }
  template <typename Call>
  auto with_session(Call call) {
    TenantSession session(rig.sessions, *rig.clock, target(), rig.facts, rig.options.approach);
    return call(session);
  }
  AdministrationResult stamped(const MigrationSet& set,
                               const std::vector<std::string>& refs,
                               Purge purge = Purge::no,
                               Commit commit = Commit::yes) {
    return with_session([&](TenantSession& session) {
      return stamp(session, set, refs, purge, kCarol, commit, {});
    });
  }
  AdministrationResult repaired(const MigrationSet& set,
                                const RepairRequest& request,
                                Commit commit = Commit::yes) {
    return with_session(
        [&](TenantSession& session) { return repair(session, set, request, kCarol, commit, {}); });
  }
  std::string applied() const {
    return value(postgres
                     ? "SELECT string_agg(revision, ' ' ORDER BY revision) FROM drover_revisions"
                     : "SELECT group_concat(revision, ' ') FROM drover_revisions");
  }

  std::optional<PgTenant> postgres;
  std::optional<FileTenant> sqlite;
  Rig rig;
};

std::vector<std::string> told(const std::vector<HistoryChange>& changes) {
  std::vector<std::string> result;
  for (const HistoryChange& change : changes) {
    result.push_back(fmt::format("{}: {} -> {}", change.what, change.before, change.after));
  }
  return result;
}

MigrationSet three() {
  return line_of({up_down("CREATE TABLE a (i int)"),
                  up_down("CREATE TABLE b (i int)"),
                  up_down("CREATE TABLE c (i int)")});
}

Dialect any_dialect() {
  return GENERATE(Dialect::postgres, Dialect::sqlite);
}

TEST_CASE("stamp makes the history say what is there, and runs nothing") {
  Desk desk(any_dialect());
  const MigrationSet set = three();
  const AdministrationResult asked = desk.stamped(set, {"0002"}, Purge::no, Commit::no);
  CHECK(told(asked.changes) == std::vector<std::string>{"revision 0001: not applied -> applied",
                                                        "revision 0002: not applied -> applied"});
  CHECK(desk.rig.up(desk.target(), set, "base").kind == Kind::current);  // nothing was written

  const AdministrationResult done = desk.stamped(set, {"0002"});
  CHECK_FALSE(done.fault);
  CHECK(done.changes.size() == 2);
  CHECK(desk.applied() == "0001 0002");
  CHECK(desk.value("SELECT count(*) FROM drover_events WHERE kind = 'stamp' AND who = "
                   "'carol@host' AND run = 'run-9'") == "3");
  CHECK(desk.stamped(set, {"0002"}).changes.empty());

  const AdministrationResult back = desk.stamped(set, {"0001"});
  CHECK(told(back.changes) == std::vector<std::string>{"revision 0002: applied -> not applied"});
  CHECK(desk.applied() == "0001");
  CHECK_FALSE(desk.stamped(set, {"base"}).fault);
  CHECK(desk.applied().empty());
}

TEST_CASE("stamp with purge throws away even what no file knows") {
  Desk desk(any_dialect());
  REQUIRE_FALSE(desk.stamped(three(), {"heads"}).fault);
  const MigrationSet other = set_of({{"0007", "none", up_down("SELECT 1")}});
  const AdministrationResult purged = desk.stamped(other, {"0007"}, Purge::yes);
  CHECK_FALSE(purged.fault);
  CHECK(purged.changes.size() == 4);
  CHECK(desk.applied() == "0007");
  CHECK(desk.rig.up(desk.target(), other).kind == Kind::current);
}

TEST_CASE("a tenant that is half done is stamped only with purge") {
  Desk desk(Dialect::postgres);
  const MigrationSet set =
      line_of({"-- drover: up\nCREATE TABLE a (i int);\n-- drover: up postgres no-transaction\n"
               "SELECT nothing;\n-- drover: down\nSELECT 1;\n"});
  REQUIRE(desk.rig.up(desk.target(), set).kind == Kind::partial);
  CHECK(desk.stamped(set, {"0001"}).fault->kind == "partial");
  const AdministrationResult purged = desk.stamped(set, {"0001"}, Purge::yes);
  CHECK_FALSE(purged.fault);
  CHECK(told(purged.changes) ==
        std::vector<std::string>{"revision 0001: not applied -> applied",
                                 "progress of revision 0001: half done -> forgotten"});
  CHECK(desk.value("SELECT in_progress FROM drover_tenant").empty());
  CHECK(desk.value("SELECT count(*) FROM drover_steps") == "0");
  CHECK(desk.rig.up(desk.target(), set).kind == Kind::current);
}

TEST_CASE("repair accepts edited files, and says what it changed") {
  Desk desk(any_dialect());
  const MigrationSet before = three();
  REQUIRE_FALSE(desk.stamped(before, {"heads"}).fault);
  const MigrationSet after = line_of({up_down("CREATE TABLE a (i int)"),
                                      up_down("CREATE TABLE b (i bigint)"),
                                      up_down("CREATE TABLE c (i int)")});
  REQUIRE(desk.rig.up(desk.target(), after).fault->kind == "edited");
  CHECK(desk.repaired(after, {}).changes.empty());
  RepairRequest accept;
  accept.accept_edits = true;
  const AdministrationResult asked = desk.repaired(after, accept, Commit::no);
  REQUIRE(asked.changes.size() == 2);  // and the chain of what stands on it
  CHECK(asked.changes[0].what == "revision 0002: up checksum");
  CHECK(asked.changes[1].what == "revision 0003: chain checksum");
  CHECK(desk.rig.up(desk.target(), after).fault->kind == "edited");
  CHECK_FALSE(desk.repaired(after, accept).fault);
  CHECK(desk.rig.up(desk.target(), after).kind == Kind::current);
  CHECK(desk.value("SELECT count(*) FROM drover_events WHERE kind = 'repair'") == "1");
}

TEST_CASE("repair accepts other parents") {
  Desk desk(any_dialect());
  REQUIRE_FALSE(desk.stamped(line_of({up_down("SELECT 1"), up_down("SELECT 2")}), {"heads"}).fault);
  const MigrationSet moved =
      set_of({{"0001", "none", up_down("SELECT 1")}, {"0002", "none", up_down("SELECT 2")}});
  REQUIRE(desk.rig.up(desk.target(), moved).fault->kind == "diverged");
  RepairRequest accept;
  accept.accept_parents = true;
  CHECK(desk.repaired(moved, accept).changes.size() == 1);
  CHECK(desk.rig.up(desk.target(), moved).kind == Kind::current);
}

TEST_CASE("repair forgets the progress of a half-done revision") {
  Desk desk(any_dialect());
  const MigrationSet set = line_of(
      {"-- drover: up\nCREATE TABLE a (i int);\n-- drover: up postgres no-transaction\nSELECT "
       "nowhere;\n-- drover: up sqlite no-transaction\nSELECT nowhere;\n-- drover: down\nDROP "
       "TABLE "
       "a;\n"});
  REQUIRE(desk.rig.up(desk.target(), set).kind == Kind::partial);
  RepairRequest forget;
  forget.forget_partial = true;
  CHECK(told(desk.repaired(set, forget).changes) ==
        std::vector<std::string>{"progress of revision 0001: half done -> forgotten"});
  CHECK(desk.rig.up(desk.target(), set, "base").kind == Kind::current);
  CHECK(desk.value("SELECT count(*) FROM drover_steps") == "0");
}

TEST_CASE("the tables go when nothing is applied any more, and not before") {
  Desk desk(any_dialect());
  const auto drop = [&] {
    return desk.with_session([](TenantSession& session) { return drop_history(session, {}); });
  };
  REQUIRE_FALSE(desk.stamped(three(), {"heads"}).fault);
  REQUIRE(drop());
  CHECK(drop()->message == "the tenant has applied 3 revisions");
  REQUIRE_FALSE(desk.stamped(three(), {"base"}).fault);
  CHECK_FALSE(drop());
  CHECK_THROWS(desk.value("SELECT count(*) FROM drover_tenant"));
  CHECK_THROWS(desk.value("SELECT count(*) FROM drover_events"));
  CHECK_FALSE(drop());  // nothing to do
}

TEST_CASE("who administers waits for the lock, and loses at the fence like a runner") {
  const PgTenant tenant;
  Rig rig;
  REQUIRE(rig.up(tenant.target(), three()).kind == Kind::applied);
  TenantSession session(rig.sessions, *rig.clock, tenant.target(), rig.facts, rig.options.approach);
  REQUIRE_FALSE(approach_for_change(session, CheckEnvironment::yes, {}));
  TenantSession second(rig.sessions, *rig.clock, tenant.target(), rig.facts, rig.options.approach);
  const auto held = approach_for_change(second, CheckEnvironment::yes, {});
  REQUIRE(held);
  CHECK(held->kind == "lock_held");
  CHECK(held->code == ErrorCode::busy);
}

}  // namespace
}  // namespace drover::engine::test
