// Who works on a batch: one process at a time. Another takes over from one that died, or that was
// silent for too long, and whoever lost it changes nothing any more.

#include <catch2/catch.hpp>

#include <chrono>

#include "engine/batch/batch_owner.h"
#include "tests/engine/batch/batch_child.h"

namespace drover::engine::test {
namespace {

constexpr int kRows = 40'000;
constexpr Milliseconds kSilence{400};

/// A rig that counts a silent process as gone after kSilence.
struct HastyRig : BatchRig {
  HastyRig() { options.batches = &hasty; }

  batch::BatchRunner hasty{
      sessions, real_clock, governor, {Milliseconds(20), Milliseconds(50), kSilence}};
};

template <typename Tenant>
bool has_begun(const Tenant& tenant, const std::string& is_there) {
  return tenant.value(is_there) == "1" &&
         tenant.value("SELECT count(*) FROM drover_batch_ranges WHERE cursor_key IS NOT NULL") !=
             "0";
}
bool has_begun(const PgTenant& tenant) {
  return has_begun(tenant, "SELECT count(to_regclass('drover_batch_ranges'))");
}
bool has_begun(const FileTenant& tenant) {
  try {
    return has_begun(tenant,
                     "SELECT count(*) FROM sqlite_master WHERE name = 'drover_batch_ranges'");
  } catch (const std::runtime_error&) {
    return false;  // the file is locked while a transaction commits
  }
}

TEMPLATE_TEST_CASE("a batch that another process works on is left to it, until that is dead",
                   "[batch]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  const CountingFiles files(counting(kRows / 2, "rows=10..10"));
  BatchChild child(tenant.target(), files.dir());
  REQUIRE(eventually([&] { return has_begun(tenant); }));
  BatchRig rig;
  const ApplyOutcome held = rig.up(tenant.target(), files.set());
  REQUIRE(held.fault);
  CHECK(held.fault->kind == "batch_held");
  CHECK_THAT(held.fault->message, Catch::Contains("works on the batch, and gave a sign of life"));
  CHECK(held.fault->code == ErrorCode::busy);
  child.signal(SIGKILL);
  CHECK(child.wait() == -1);
  CHECK(told(rig.up(tenant.target(), files.set())) == "applied");  // at once
  CHECK(counts(tenant) == fmt::format("{} x 1", kRows / 2));
}

TEST_CASE("what this process no longer works on is nobody's", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  std::vector<std::string> bodies = counting(100);
  const std::string plain = "n integer NOT NULL)";
  bodies[0].replace(
      bodies[0].find(plain), plain.size(), "n integer NOT NULL, CHECK (n = 0 OR id <> 50))");
  const MigrationSet set = line_of(bodies);
  CHECK(rig.up(tenant.target(), set).fault);
  std::string past;
  {
    const batch::OwnerToken token;
    past = token.text();
    tenant.sql(fmt::format("UPDATE drover_batches SET owner = '{}', seen_at = now()", past));
    const ApplyOutcome held = rig.up(tenant.target(), set);
    REQUIRE(held.fault);
    CHECK(held.fault->kind == "batch_held");
  }
  CHECK(batch::is_gone(past));
  tenant.sql("ALTER TABLE hits DROP CONSTRAINT hits_check");
  CHECK(told(rig.up(tenant.target(), set)) == "applied");  // at once, though it gave a sign of life
  CHECK(counts(tenant) == "100 x 1");
}

TEST_CASE("a process that was frozen and thaws changes nothing of a batch that was taken over",
          "[batch]") {
  for (const std::string more : {"", "trigger=sync"}) {
    CAPTURE(more);
    const PgTenant tenant;
    const CountingFiles files(counting(
        kRows, "rows=100..100 workers=2 " + more, more.empty() ? "" : "-- drover: done n > 0\n"));
    BatchChild child(tenant.target(), files.dir());
    REQUIRE(eventually([&] { return has_begun(tenant); }));
    child.signal(SIGSTOP);
    const std::string frozen = tenant.value("SELECT owner FROM drover_batches");
    REQUIRE(eventually([&] {
      return tenant.value(
                 "SELECT clock_timestamp() - seen_at > interval '0.5 s' FROM "
                 "drover_batches") == "t";
    }));
    HastyRig rig;
    ApplyOutcome outcome;
    std::jthread second([&] { outcome = rig.up(tenant.target(), files.set()); });
    CHECK(eventually([&] { return tenant.value("SELECT owner FROM drover_batches") != frozen; }));
    child.signal(SIGCONT);
    const int status = child.wait();
    second.join();
    CHECK(told(outcome) == "applied");
    CHECK((status == 3 || status == 4 || status == 0));  // 0: when it looks, all is done
    CHECK(counts(tenant) == fmt::format("{} x 1", kRows));
    CHECK(tenant.value("SELECT sum(rows_seen) FROM drover_batch_ranges") == std::to_string(kRows));
    CHECK(tenant.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'drover_sync%' AND "
                       "tgrelid = 'hits'::regclass") == "0");
  }
}

TEST_CASE("two processes at once do each row once", "[batch]") {
  const PgTenant tenant;
  const CountingFiles files(counting(kRows, "rows=100..100 workers=2"));
  BatchChild first(tenant.target(), files.dir());
  BatchChild second(tenant.target(), files.dir());
  const int one = first.wait();
  const int two = second.wait();
  CHECK((one == 0 || two == 0));
  CHECK((one == 0 || one == 4));
  CHECK((two == 0 || two == 4));
  CHECK(counts(tenant) == fmt::format("{} x 1", kRows));
}

TEST_CASE("a fence of a batch's lets its owner pass and nobody else", "[batch]") {
  const PgTenant tenant;
  BatchRig rig;
  const MigrationSet set = line_of(counting(10, ""));
  CHECK(told(rig.up(tenant.target(), set)) == "applied");
  tenant.sql("UPDATE drover_batches SET owner = 'me', state = 'running'");
  tenant.sql("UPDATE drover_batch_ranges SET owner = 'me', done = false, cursor_key = '[\"5\"]'");
  const BatchTables tables(Dialect::postgres, tenant.schema());
  const BatchId id{RevisionId{"0002"}, 1};
  Other session(tenant.target());
  const auto answer = [&](const OwnedStatement& statement) {
    const Exchange exchange = session.send({statement});
    return exchange.ok() ? "passes" : exchange.error->sqlstate;
  };
  CHECK(answer(tables.hold(id, "me")) == "passes");
  CHECK(answer(tables.hold(id, "you")) == "22012");
  const auto claimed = [&](const std::string& from, const std::string& by) {
    return session.send(tables.claim(id, from, by)).results[0].affected;
  };
  CHECK(claimed("nobody", "you") == 0);
  CHECK(tenant.value("SELECT owner FROM drover_batch_ranges") == "me");
  CHECK(claimed("me", "me too") == 1);
  CHECK(claimed("me", "me too") == 1);  // a commit that nobody saw
  CHECK(tenant.value("SELECT owner FROM drover_batch_ranges") == "me too");
  CHECK(claimed("me too", "me") == 1);
  BatchRange range;
  range.number = 1;
  range.cursor = BatchKey{"5"};
  range.end = {"10"};
  range.owner = "me";
  const BatchAdvance by{{"7"}};
  const auto with = [&](auto change) {
    BatchRange other = range;
    change(other);
    return answer(tables.advance(id, other, by));
  };
  CHECK(with([](BatchRange& other) { other.owner = "you"; }) == "22012");
  CHECK(with([](BatchRange& other) { other.cursor = BatchKey{"4"}; }) == "22012");
  CHECK(with([](BatchRange& other) { other.cursor.reset(); }) == "22012");
  CHECK(with([](BatchRange& other) { other.end = {"9"}; }) == "22012");  // it was split
  CHECK(with([](BatchRange&) {}) == "passes");
  CHECK(with([](BatchRange&) {}) == "22012");  // a second time
}

}  // namespace
}  // namespace drover::engine::test
