// Chains: many revisions in one message, each with its own COMMIT.

#include <catch2/catch.hpp>

#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

std::vector<std::string> inserts(int count) {
  std::vector<std::string> bodies{up_down("CREATE TABLE log (i int)", "DROP TABLE log")};
  for (int i = 2; i <= count; ++i) {
    bodies.push_back(up_down(fmt::format("INSERT INTO log VALUES ({})", i),
                             fmt::format("DELETE FROM log WHERE i = {}", i)));
  }
  return bodies;
}

/// Round trips of one upgrade, and what came of it.
struct Measured {
  std::uint64_t round_trips = 0;
  ApplyOutcome outcome;
};

Measured measured_up(Rig& rig, const PgTenant& tenant, const MigrationSet& set) {
  TcpProxy proxy(cluster().port());
  Measured measured;
  KeptSession kept;  // so that saying goodbye is not counted
  rig.kept = &kept;
  measured.outcome = rig.up(tenant.through(proxy), set);
  measured.round_trips = proxy.round_trips();
  rig.kept = nullptr;
  return measured;
}

TEST_CASE("a current tenant costs connecting and one question") {
  const PgTenant tenant;
  Rig rig;
  const MigrationSet set = line_of(inserts(20));
  REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
  const Measured current = measured_up(rig, tenant, set);
  CHECK(current.outcome.kind == Kind::current);
  CHECK(current.round_trips == 2);
}

TEST_CASE("twenty revisions travel in one message") {
  const PgTenant tenant;
  Rig rig;
  const Measured pending = measured_up(rig, tenant, line_of(inserts(20)));
  CHECK(told(pending.outcome) == "applied");
  CHECK(pending.outcome.done.size() == 20);
  CHECK(pending.round_trips == 3);
  CHECK(tenant.value("SELECT count(DISTINCT i) || ' ' || count(*) FROM log") == "19 19");
  CHECK(tenant.value("SELECT count(DISTINCT epoch) FROM drover_revisions") == "20");

  // And down again.
  TcpProxy proxy(cluster().port());
  KeptSession kept;
  rig.kept = &kept;
  const ApplyOutcome down = rig.down(tenant.through(proxy), line_of(inserts(20)), "base");
  CHECK(told(down) == "applied");
  CHECK(proxy.round_trips() == 3);
  CHECK_FALSE(tenant.has_table("log"));
}

TEST_CASE("without chaining each revision is a message of its own") {
  const PgTenant tenant;
  Rig rig;
  rig.options.chaining = Chaining::off;
  const Measured pending = measured_up(rig, tenant, line_of(inserts(5)));
  CHECK(told(pending.outcome) == "applied");
  CHECK(pending.round_trips == 2 + 5);
}

/// Sessions that say they are with another version of the server.
class Versioned final : public SessionFactory {
 public:
  explicit Versioned(int version) : version_(version) {}
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override {
    OpenResult opened = sessions_.open(target, options, patience);
    return {std::make_unique<Wrapped>(std::move(opened.session), version_), {}};
  }

 private:
  class Wrapped final : public Session {
   public:
    Wrapped(std::unique_ptr<Session> session, int version)
        : session_(std::move(session)), info_{version, session_->info().backend_pid} {}
    Dialect dialect() const noexcept override { return session_->dialect(); }
    const SessionInfo& info() const noexcept override { return info_; }
    Exchange exchange(std::span<const Statement> statements, const Patience& patience) override {
      return session_->exchange(statements, patience);
    }
    bool alive() const noexcept override { return session_->alive(); }
    bool in_transaction() const noexcept override { return session_->in_transaction(); }
    void cancel() noexcept override { session_->cancel(); }

   private:
    std::unique_ptr<Session> session_;
    SessionInfo info_;
  };

  int version_;
  Sessions sessions_;
};

TEST_CASE("a server that cannot notice a dead client gets one revision at a time") {
  struct Counting final : BlockerWatch {
    int messages = 0;
    void begin(const Target&, std::int64_t) override { ++messages; }
    std::optional<Blocker> end(const Target&, std::int64_t) override { return std::nullopt; }
  } counting;
  Rig rig;
  const MigrationSet set = line_of(inserts(5));
  const auto up = [&](int version) {
    const PgTenant tenant;
    Versioned sessions(version);
    const Executor executor(sessions, *rig.clock, set, rig.options, counting, rig.gate);
    return executor.apply(tenant.target(), {}, {Direction::up, "heads"}, {});
  };
  CHECK(told(up(140000)) == "applied");
  CHECK(counting.messages == 1);
  CHECK(told(up(130014)) == "applied");
  CHECK(counting.messages == 1 + 5);
  CHECK(told(up(120017)) == "unreachable: server version 12 is older than 13 [server_too_old]");
}

TEST_CASE("a message holds at most 32 revisions") {
  const PgTenant tenant;
  Rig rig;
  CHECK(measured_up(rig, tenant, line_of(inserts(32))).round_trips == 3);
  const PgTenant second;
  CHECK(measured_up(rig, second, line_of(inserts(33))).round_trips == 4);
  const PgTenant third;
  CHECK(measured_up(rig, third, line_of(inserts(70))).round_trips == 5);
  CHECK(third.value("SELECT count(*) FROM log") == "69");
}

TEST_CASE("a message holds at most a mebibyte, unless one revision is larger") {
  const auto large = [](std::size_t size) {
    return up_down(fmt::format("SELECT '{}'", std::string(size, 'x')));
  };
  constexpr std::size_t kHalf = std::size_t{500} << 10U;
  Rig rig;
  const auto statements = [&](const MigrationSet& set) {
    struct Counting final : BlockerWatch {
      int messages = 0;
      void begin(const Target&, std::int64_t) override { ++messages; }
      std::optional<Blocker> end(const Target&, std::int64_t) override { return std::nullopt; }
    } counting;
    const PgTenant tenant;
    rig.watch = &counting;
    CHECK(told(rig.up(tenant.target(), set)) == "applied");
    return counting.messages;
  };
  CHECK(statements(line_of({large(kHalf), large(kHalf)})) == 1);
  CHECK(statements(line_of({large(kHalf), large(kHalf), large(kHalf)})) == 2);
  CHECK(statements(line_of({large(kHalf), large(5 * kHalf), large(kHalf)})) == 3);
}

TEST_CASE("a chain stops at the first error, and what was committed before stays") {
  const PgTenant tenant;
  Rig rig;
  std::vector<std::string> bodies = inserts(8);
  bodies[5] =
      "-- drover: up\nINSERT INTO log VALUES (600);\n"
      "/* größer */ INSERT INTO log\n  SELECT 'ü', nothing;\n-- drover: down\nSELECT 1;\n";
  const ApplyOutcome outcome = rig.up(tenant.target(), line_of(bodies));
  CHECK(
      told(outcome) ==
      "failed: migrations/0006_test.sql:5:15: revision '0006' failed: column \"nothing\" does not "
      "exist [sql_error]");
  CHECK(outcome.fault->revision == "0006");
  CHECK(outcome.fault->sqlstate == "42703");
  CHECK(names(outcome.done) == std::vector<std::string>{"0001", "0002", "0003", "0004", "0005"});
  CHECK(names(outcome.to) == std::vector<std::string>{"0005"});
  CHECK(tenant.value("SELECT string_agg(i::text, ' ' ORDER BY i) FROM log") == "2 3 4 5");
  CHECK(tenant.value("SELECT max(revision) FROM drover_revisions") == "0005");
  CHECK(tenant.value("SELECT detail FROM drover_events WHERE kind = 'failure'") ==
        "revision '0006' failed: column \"nothing\" does not exist");

  // Mended, it goes on there.
  bodies[5] = up_down("INSERT INTO log VALUES (6)");
  CHECK(told(rig.up(tenant.target(), line_of(bodies))) == "applied");
  CHECK(tenant.value("SELECT count(*) FROM log") == "7");
}

TEST_CASE("a verify ends the message, and a statement of its own has one") {
  const PgTenant tenant;
  Rig rig;
  std::vector<std::string> bodies = inserts(6);
  bodies[2] =
      "-- drover: up\nINSERT INTO log VALUES (3);\n-- drover: verify\nSELECT count(*) > 0 "
      "FROM log;\n-- drover: down\nSELECT 1;\n";
  const Measured pending = measured_up(rig, tenant, line_of(bodies));
  CHECK(told(pending.outcome) == "applied");
  CHECK(pending.round_trips == 2 + 1 + 2 + 1);  // 1 and 2; 3 up to its answer, its COMMIT; 4 to 6
}

TEST_CASE("what is watched is told in order") {
  const PgTenant tenant;
  Rig rig;
  std::vector<std::string> seen;
  rig.observer.on_revision = [&](const RevisionId& id, Direction direction) {
    seen.push_back(id.value + (direction == Direction::up ? "+" : "-"));
  };
  const MigrationSet set = line_of(inserts(3));
  rig.up(tenant.target(), set);
  rig.down(tenant.target(), set, "0001");
  CHECK(seen == std::vector<std::string>{"0001+", "0002+", "0003+", "0003-", "0002-"});
}

}  // namespace
}  // namespace drover::engine::test
