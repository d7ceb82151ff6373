// A batch within the history of its tenant: what may pass while it is under way, what waits for it,
// and the ways back.

#include <catch2/catch.hpp>

#include "tests/engine/batch/staged_governor.h"

namespace drover::engine::test {
namespace {

constexpr int kRows = 2'000;

/// 0002 is a batch on 0001, 0003 a hotfix beside it, and 0004 rests on the batch.
MigrationSet forked(const std::string& keys = "") {
  const std::vector<std::string> bodies = counting(kRows, "rows=100..100 " + keys);
  return set_of({{"0001", "none", bodies[0]},
                 {"0002", "0001", bodies[1]},
                 {"0003", "0001", up_down("CREATE TABLE hotfix (a integer)", "DROP TABLE hotfix")},
                 {"0004", "0002", up_down("CREATE TABLE after AS SELECT min(n) AS n FROM hits")}});
}

BatchLeave hold_from(int first, int time, const std::atomic<bool>& let_on) {
  return time >= first && !let_on ? StagedGovernor::hold() : BatchLeave{};
}

TEST_CASE("a hotfix on another branch passes while a batch is under way, its heirs wait",
          "[batch]") {
  const PgTenant tenant;
  const MigrationSet set = forked();
  StagedRig rig;
  std::atomic<bool> let_on = false;
  rig.governor.on_ask = [&](int time) { return hold_from(5, time, let_on); };
  Running running(rig, tenant.target(), set, "0004");
  REQUIRE(eventually([&] {
    return tenant.has_table("drover_batch_ranges") &&
           tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == "400";
  }));
  CHECK(tenant.value("SELECT at_batch FROM drover_tenant") == "0002");

  StagedRig hotfix;
  const ApplyOutcome passed = hotfix.up(tenant.target(), set, "0003");
  CHECK(told(passed) == "applied");
  CHECK(names(passed.done) == std::vector<std::string>{"0003"});
  CHECK_FALSE(running.over());
  CHECK_FALSE(tenant.has_table("after"));

  const ApplyOutcome heir = hotfix.up(tenant.target(), set, "0004");
  REQUIRE(heir.fault);
  CHECK(heir.fault->kind == "batch_held");
  CHECK_FALSE(tenant.has_table("after"));

  let_on = true;
  CHECK(told(running.outcome()) == "applied");
  CHECK(tenant.value("SELECT n FROM after") == "1");
  CHECK(counts(tenant) == fmt::format("{} x 1", kRows));
  CHECK(tenant.value("SELECT string_agg(revision, ' ' ORDER BY revision) FROM drover_revisions") ==
        "0001 0002 0003 0004");
}

TEMPLATE_TEST_CASE("a revision at its batch can be undone, and done anew from the start",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  std::vector<std::string> bodies = counting(kRows, "rows=100..100");
  bodies[1].replace(bodies[1].find("SELECT 1"), 8, "UPDATE hits SET n = 0");
  const MigrationSet set = line_of(bodies);
  StagedRig rig;
  std::stop_source stop;
  rig.patience.stop = stop.get_token();
  rig.governor.on_ask = [&](int time) {
    if (time == 5) {
      stop.request_stop();
    }
    return BatchLeave{};
  };
  CHECK(rig.up(tenant.target(), set).kind == Kind::partial);
  CHECK(counts(tenant) != fmt::format("{} x 0", kRows));
  rig.patience = {};

  const ApplyOutcome refused = rig.down(tenant.target(), set, "0001");
  REQUIRE(refused.fault);
  CHECK(refused.fault->kind == "partial");
  CHECK(told(rig.apply(tenant.target(), set, {Direction::down, "0001", FromPartial::yes})) ==
        "applied");
  CHECK(counts(tenant) == fmt::format("{} x 0", kRows));
  CHECK(tenant.value("SELECT at_batch FROM drover_tenant").empty());

  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  CHECK(counts(tenant) == fmt::format("{} x 1", kRows));
  CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == std::to_string(kRows));
}

TEMPLATE_TEST_CASE("a batch in the background is recorded at once, and nothing may rest on it yet",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  const MigrationSet set = forked("mode=background");
  BatchRig rig;
  CHECK(told(rig.up(tenant.target(), set, "0002")) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM drover_revisions") == "2");
  CHECK(tenant.value("SELECT at_batch FROM drover_tenant") == "0002");
  CHECK(tenant.value("SELECT state FROM drover_batches") == "announced");
  CHECK(counts(tenant) == fmt::format("{} x 0", kRows));
  CHECK(told(rig.up(tenant.target(), set, "0003")) == "applied");
  const ApplyOutcome heir = rig.up(tenant.target(), set, "0004");
  REQUIRE(heir.fault);
  CHECK(heir.fault->kind == "batch_unfinished");
  CHECK(heir.fault->code == ErrorCode::waiting);
  CHECK(heir.fault->message == "revision '0004' rests on '0002', whose batch is not done");

  const Migration& migration = *set.find(RevisionId{"0002"});
  const auto order = [&](const std::string& checksum) {
    return BatchOrder{tenant.target(),
                      rig.facts,
                      rig.options.approach,
                      migration,
                      migration.sections.front(),
                      {RevisionId{"0002"}, 1},
                      checksum,
                      rig.options.by,
                      {}};
  };
  const auto edited = rig.runner.work(order("of another text"), {}, {});
  REQUIRE(edited);
  CHECK(edited->kind == "edited");
  CHECK(counts(tenant) == fmt::format("{} x 0", kRows));
  const std::string checksum = tenant.value("SELECT sha256 FROM drover_batches");
  CHECK_FALSE(rig.runner.work(order(checksum), {}, {}));
  CHECK(counts(tenant) == fmt::format("{} x 1", kRows));
  CHECK(tenant.value("SELECT state FROM drover_batches") == "done");
}

TEST_CASE("a table that was made anew meanwhile is not the one that a batch began with",
          "[batch]") {
  const PgTenant tenant;
  const MigrationSet set = line_of(counting(kRows, "rows=100..100"));
  StagedRig rig;
  std::stop_source stop;
  rig.patience.stop = stop.get_token();
  rig.governor.on_ask = [&](int time) {
    if (time == 5) {
      stop.request_stop();
    }
    return BatchLeave{};
  };
  CHECK(rig.up(tenant.target(), set).kind == Kind::partial);
  rig.patience = {};
  tenant.sql("ALTER TABLE hits RENAME TO old; CREATE TABLE hits (LIKE old INCLUDING ALL)");
  const ApplyOutcome outcome = rig.up(tenant.target(), set);
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "batch_table_changed");
  CHECK(tenant.value("SELECT owner FROM drover_batches").empty());
}

TEST_CASE("a batch whose file was edited meanwhile does not go on", "[batch]") {
  const PgTenant tenant;
  std::vector<std::string> bodies = counting(kRows, "rows=100..100");
  StagedRig rig;
  std::stop_source stop;
  rig.patience.stop = stop.get_token();
  rig.governor.on_ask = [&](int time) {
    if (time == 5) {
      stop.request_stop();
    }
    return BatchLeave{};
  };
  CHECK(rig.up(tenant.target(), line_of(bodies)).kind == Kind::partial);
  rig.patience = {};
  const std::string seen = tenant.value("SELECT rows_seen FROM drover_batch_ranges");
  bodies[1].replace(bodies[1].find("n + 1"), 5, "n + 2");
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of(bodies));
  REQUIRE(outcome.fault);
  CHECK(outcome.fault->kind == "edited");
  CHECK(tenant.value("SELECT rows_seen FROM drover_batch_ranges") == seen);
}

}  // namespace
}  // namespace drover::engine::test
