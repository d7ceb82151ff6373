// What the tables of batches keep, and whom the fence lets through.

#include <catch2/catch.hpp>

#include "tests/engine/batch_sql/walk.h"

namespace drover::engine::test {
namespace {

const BatchId kId{RevisionId{"0002"}, 3};           // NOLINT(cert-err58-cpp): a test's own
const BatchId kAnother{RevisionId{"0002"}, 4};      // NOLINT(cert-err58-cpp): as above
const BatchKey kOddKey{"17", "it's \"é\"\\\n{,}"};  // NOLINT(cert-err58-cpp): as above

BatchRange range_of(int number, std::optional<BatchKey> cursor, BatchKey end) {
  BatchRange range;
  range.number = number;
  range.first = range.cursor = std::move(cursor);
  range.end = std::move(end);
  range.owner = "me";
  return range;
}

BatchAdvance to(BatchKey key, bool done = false) {
  BatchAdvance by;
  by.to = std::move(key);
  by.done = done;
  by.rows_seen = 100;
  by.rows_changed = 90;
  by.size = 250;
  by.wal_bytes = 4096;
  by.busy = Milliseconds(12);
  by.waited = Milliseconds(3);
  return by;
}

/// A tenant with the tables and one batch of two ranges, which "me" has claimed.
template <typename Tenant>
struct Begun {
  Begun() {
    speaker.answers(tables.create());
    BatchRecord record;
    record.id = kId;
    record.checksum = std::string(64, 'c');
    record.by = "alice@host";
    record.run = "run-1";
    record.background = true;
    speaker.answer(tables.announce(record));
    record.path.table = R"("an app"."Hits")";
    record.path.table_oid = 4'000'000'000;
    record.path.columns = {"id", "\"the, \"\"key\""};
    record.path.types = {"integer", "character varying(20)"};
    record.path.descending = true;
    record.estimated_rows = 12'345;
    for (const ResultSet& one : speaker.answers(tables.begin(
             record, {range_of(1, std::nullopt, {"9", "z"}), range_of(2, kOddKey, {"99", "z"})}))) {
      CHECK(one.affected == 1);
    }
    speaker.answers(tables.claim(kId, "", "me"));
  }

  BatchStatus status() {
    const std::vector<ResultSet> answers = speaker.answers(tables.read());
    const auto batches = decode_batches(answers[0], answers[1], answers[2]);
    for (const BatchStatus& batch : batches) {
      if (batch.record.id == kId) {
        return batch;
      }
    }
    throw std::runtime_error("the batch is gone");
  }
  BatchRange range(int number) { return status().ranges.at(static_cast<std::size_t>(number) - 1); }

  /// Whether the fence lets `range` move, in a transaction of its own.
  bool moves(const BatchRange& range, const BatchAdvance& by) {
    const Exchange answer = speaker.send({tables.advance(kId, range, by)});
    if (tenant.target().dialect == Dialect::sqlite) {
      REQUIRE(answer.ok());
      return answer.results.front().affected == 1;
    }
    if (!answer.ok()) {
      CHECK(answer.error->sqlstate == "22012");
    }
    return answer.ok();
  }

  Tenant tenant;
  BatchTables tables{tenant.target().dialect, tenant.target().schema};
  Speaker speaker{tenant.target()};
};

}  // namespace

TEMPLATE_TEST_CASE("the tables are made once and missed until then",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  tenant.sql("CREATE TABLE other (id integer)");
  const BatchTables tables(tenant.target().dialect, tenant.target().schema);
  Speaker speaker(tenant.target());
  const Exchange before = speaker.send(tables.read());
  REQUIRE_FALSE(before.ok());
  CHECK(tables.says_no_tables(*before.error));
  const Exchange wrong = speaker.send({{"SELECT 1 / 0 FROM drover_nothing()"}});
  REQUIRE_FALSE(wrong.ok());
  CHECK_FALSE(tables.says_no_tables(*wrong.error));
  speaker.answers(tables.create());
  speaker.answers(tables.create());
  CHECK(speaker.answers(tables.read())[0].rows.empty());
}

TEMPLATE_TEST_CASE("what a batch begins with is read as it was written",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  const BatchStatus status = begun.status();
  const BatchRecord& record = status.record;
  CHECK(record.state == BatchRecord::State::running);
  CHECK(record.checksum == std::string(64, 'c'));
  CHECK(record.path.table == R"("an app"."Hits")");
  CHECK(record.path.table_oid == 4'000'000'000);
  CHECK(record.path.columns == std::vector<std::string>{"id", "\"the, \"\"key\""});
  CHECK(record.path.types == std::vector<std::string>{"integer", "character varying(20)"});
  CHECK(record.path.descending);
  CHECK(record.path.scan == BatchPath::Scan::key);
  CHECK(record.background);
  CHECK(record.estimated_rows == 12'345);
  CHECK(record.by == "alice@host");
  CHECK(record.run == "run-1");
  CHECK(record.owner == "me");
  CHECK(record.started_at.size() == std::string("2026-11-23T06:00:00.000Z").size());
  CHECK(record.finished_at.empty());
  CHECK(record.age_seconds >= 0);
  CHECK(record.control == BatchControl());
  REQUIRE(status.ranges.size() == 2);
  CHECK(status.ranges[0].cursor == std::nullopt);
  CHECK(status.ranges[0].end == BatchKey{"9", "z"});
  CHECK(status.ranges[1].first == kOddKey);
  CHECK(status.ranges[1].cursor == kOddKey);
  CHECK(status.parked == 0);
}

TEMPLATE_TEST_CASE("a batch is claimed by one", "[batch_sql]", PgTenant, FileTenant) {
  Begun<TestType> begun;
  const auto claims = [&](const std::string& previous, const std::string& owner) {
    return begun.speaker.answer(begun.tables.claim(kId, previous, owner).front()).affected == 1;
  };
  const auto lives = [&](const std::string& owner) {
    return begun.speaker.answer(begun.tables.sign_of_life(kId, owner)).rows.size() == 1;
  };
  CHECK_FALSE(claims("", "you"));
  CHECK_FALSE(claims("she", "you"));
  CHECK(lives("me"));
  CHECK(claims("me", "you"));
  CHECK_FALSE(claims("me", "she"));
  CHECK_FALSE(lives("me"));
  begun.speaker.answers(begun.tables.release(kId, "me"));
  CHECK(begun.status().record.owner == "you");
  begun.speaker.answers(begun.tables.release(kId, "you"));
  CHECK(begun.status().record.owner.empty());
}

TEMPLATE_TEST_CASE("the fence moves the cursor and adds the counts",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  CHECK(begun.moves(begun.range(1), to(kOddKey)));
  CHECK(begun.moves(begun.range(1), to({"5", "x"})));
  const BatchRange range = begun.range(1);
  CHECK(range.cursor == BatchKey{"5", "x"});
  CHECK(range.first == std::nullopt);
  CHECK(range.rows_seen == 200);
  CHECK(range.rows_changed == 180);
  CHECK(range.batches == 2);
  CHECK(range.size == 250);
  CHECK(range.wal_bytes == 8192);
  CHECK(range.busy == Milliseconds(24));
  CHECK(range.waited == Milliseconds(6));
  CHECK_FALSE(range.done);
  CHECK(begun.range(2).cursor == kOddKey);
  CHECK(begun.range(2).rows_seen == 0);
}

TEMPLATE_TEST_CASE("the fence stops whoever does not know how it stands",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  const BatchRange before = begun.range(1);
  REQUIRE(begun.moves(before, to({"5", "x"})));
  const BatchRange now = begun.range(1);
  SECTION("a second time from the same place") {
    CHECK_FALSE(begun.moves(before, to({"5", "x"})));
  }
  SECTION("from another place") {
    BatchRange wrong = now;
    wrong.cursor = BatchKey{"5", "y"};
    CHECK_FALSE(begun.moves(wrong, to({"6", "x"})));
  }
  SECTION("by somebody else") {
    BatchRange wrong = now;
    wrong.owner = "you";
    CHECK_FALSE(begun.moves(wrong, to({"6", "x"})));
  }
  SECTION("after somebody took it over") {
    begun.speaker.answers(begun.tables.claim(kId, "me", "you"));
    CHECK_FALSE(begun.moves(now, to({"6", "x"})));
  }
  SECTION("when it is done") {
    REQUIRE(begun.moves(now, to({"9", "z"}, true)));
    CHECK_FALSE(begun.moves(begun.range(1), to({"9", "z"})));
    CHECK(begun.range(1).done);
    return;
  }
  SECTION("a range that is not there") {
    BatchRange wrong = now;
    wrong.number = 7;
    CHECK_FALSE(begun.moves(wrong, to({"6", "x"})));
  }
  CHECK(begun.range(1).cursor == BatchKey{"5", "x"});
  CHECK(begun.range(1).batches == 1);
}

TEST_CASE("of two who move the same range at once one is stopped", "[batch_sql]") {
  Begun<PgTenant> begun;
  const OwnedStatement move = begun.tables.advance(kId, begun.range(1), to({"5", "x"}));
  begun.speaker.answers({{"BEGIN"}, move});
  Speaker other(begun.tenant.target());
  std::string told;
  std::jthread thread([&] { told = other.told({move}); });
  CHECK(eventually([&] {
    return begun.tenant.value(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
               "'transactionid' AND query LIKE '%drover_batch_ranges%'") != "0";
  }));
  begun.speaker.answer({"COMMIT"});
  thread.join();
  CHECK(told == "22012");
  CHECK(begun.range(1).batches == 1);
}

TEST_CASE("the fence answers where the server is", "[batch_sql]") {
  Begun<PgTenant> begun;
  const auto mark = [&](const BatchKey& key) {
    return decode_mark(begun.speaker.answer(begun.tables.advance(kId, begun.range(1), to(key))));
  };
  const BatchMark first = mark({"1", "a"});
  const BatchMark second = mark({"2", "a"});
  CHECK(first.seconds > 1.7e9);
  CHECK(second.seconds > first.seconds);
  CHECK(second.wal_at > first.wal_at);
}

TEST_CASE("a cursor moves within its page", "[batch_sql]") {
  Begun<PgTenant> begun;
  constexpr int kMoves = 10;
  const auto hot = [&](const char* table) {
    return std::stoi(begun.speaker.value({fmt::format(
        "SELECT pg_stat_get_xact_tuples_hot_updated('{}'::regclass)", begun.tables.table(table))}));
  };
  BatchRange range = begun.range(1);
  begun.speaker.answer({"BEGIN"});
  const int ranges_before = hot("drover_batch_ranges");
  const int batches_before = hot("drover_batches");
  for (int i = 0; i < kMoves; ++i) {
    const BatchKey key{std::to_string(i), "x"};
    begun.speaker.answer(begun.tables.advance(kId, range, to(key)));
    range.cursor = key;
  }
  begun.speaker.answer(begun.tables.sign_of_life(kId, "me"));
  CHECK(hot("drover_batch_ranges") - ranges_before == kMoves);
  CHECK(hot("drover_batches") - batches_before == 1);
  begun.speaker.answer({"ROLLBACK"});
}

TEMPLATE_TEST_CASE("a range that is opened again begins where it began",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  REQUIRE(begun.moves(begun.range(2), to({"99", "z"}, true)));
  REQUIRE(begun.moves(begun.range(1), to({"9", "z"}, true)));
  CHECK(begun.status().all_ranges_done());
  begun.speaker.answer(begun.tables.count_redone(kId));
  begun.speaker.answer(begun.tables.reopen(kId, begun.range(1)));
  begun.speaker.answer(begun.tables.reopen(kId, begun.range(2)));
  CHECK(begun.range(1).cursor == std::nullopt);
  CHECK(begun.range(2).cursor == kOddKey);
  CHECK_FALSE(begun.range(2).done);
  CHECK(begun.range(2).rows_changed == 90);
  CHECK(begun.status().record.redone == 1);
}

TEMPLATE_TEST_CASE("keys are parked, listed and taken out again",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  const std::string long_text = std::string(399, 'x') + "ééé";
  begun.speaker.answer(begun.tables.park(kId, {1, kOddKey, "23514", "no é", ""}));
  begun.speaker.answer(begun.tables.park(kId, {2, {"7"}, "22012", long_text, ""}));
  CHECK(begun.status().parked == 2);
  const auto parked = decode_parked(begun.speaker.answer(begun.tables.read_parked(kId, 10)));
  REQUIRE(parked.size() == 2);
  CHECK(parked[0].range == 1);
  CHECK(parked[0].key == kOddKey);
  CHECK(parked[0].sqlstate == "23514");
  CHECK(parked[0].message == "no é");
  CHECK(parked[0].at.ends_with("Z"));
  CHECK(parked[1].message == std::string(399, 'x'));  // no half of a letter
  CHECK(begun.speaker.answer(begun.tables.read_parked(kId, 1)).rows.size() == 1);
  CHECK(begun.speaker.answer(begun.tables.read_parked(kAnother, 10)).rows.empty());
  CHECK(begun.speaker.answer(begun.tables.unpark(kId, kOddKey)).affected == 1);
  CHECK(begun.status().parked == 1);
}

TEMPLATE_TEST_CASE("why a range waits and how it failed are kept until it moves",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  CHECK(begun.speaker.answer(begun.tables.waits(kId, begun.range(1), "lag")).affected == 1);
  CHECK(begun.speaker.answer(begun.tables.waits(kId, begun.range(1), "lag")).affected == 0);
  begun.speaker.answer(begun.tables.failed(kId, begun.range(1), "deadlock"));
  begun.speaker.answer(begun.tables.failed(kId, begun.range(1), "deadlock again"));
  CHECK(begun.range(1).waiting == "lag");
  CHECK(begun.range(1).retries == 2);
  CHECK(begun.range(1).last_error == "deadlock again");
  begun.speaker.answer(begun.tables.add_counts(kId, begun.range(1), to({})));
  CHECK(begun.range(1).rows_changed == 90);
  CHECK(begun.range(1).rows_seen == 0);
  REQUIRE(begun.moves(begun.range(1), to({"5", "x"})));
  CHECK(begun.range(1).waiting.empty());
  CHECK(begun.range(1).last_error.empty());
  CHECK(begun.range(1).retries == 2);
}

TEMPLATE_TEST_CASE("what people want comes back whole", "[batch_sql]", PgTenant, FileTenant) {
  Begun<TestType> begun;
  BatchControl control;
  control.paused = true;
  control.rows = 1'000'000;
  control.workers = 8;
  control.wal_per_second = 1ULL << 40U;
  control.nice = 0.25;
  control.by = "bob@host";
  begun.speaker.answer(begun.tables.set_control(kId, control));
  CHECK(begun.status().record.control == control);
  CHECK(decode_control(begun.speaker.answer(begun.tables.sign_of_life(kId, "me"))) == control);
  begun.speaker.answer(begun.tables.set_control(kId, {}));
  CHECK(begun.status().record.control == BatchControl());
}

TEMPLATE_TEST_CASE("a batch that is done is nobody's, and one that is forgotten leaves nothing",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  begun.speaker.answer(begun.tables.set_state(kId, BatchRecord::State::verifying));
  CHECK(begun.status().record.state == BatchRecord::State::verifying);
  CHECK(begun.status().record.owner == "me");
  begun.speaker.answer(begun.tables.set_state(kId, BatchRecord::State::done));
  CHECK(begun.status().record.state == BatchRecord::State::done);
  CHECK(begun.status().record.owner.empty());
  CHECK(begun.status().record.finished_at.ends_with("Z"));
  begun.speaker.answer(begun.tables.park(kId, {1, kOddKey, "23514", "no", ""}));
  BatchRecord another;
  another.id = kAnother;
  begun.speaker.answer(begun.tables.announce(another));
  begun.speaker.answers(begun.tables.forget(kId));
  const std::vector<ResultSet> left = begun.speaker.answers(begun.tables.read());
  CHECK(left[0].rows.size() == 1);
  CHECK(left[1].rows.empty());
  CHECK(left[2].rows.empty());
}

TEMPLATE_TEST_CASE("the tables of batches go with the history",
                   "[batch_sql]",
                   PgTenant,
                   FileTenant) {
  Begun<TestType> begun;
  const HistoryTables history(begun.tenant.target().dialect, begun.tenant.target().schema);
  begun.speaker.answers(history.drop());
  for (const OwnedStatement& one : begun.tables.read()) {
    const Exchange after = begun.speaker.send({one});
    REQUIRE_FALSE(after.ok());
    CHECK(begun.tables.says_no_tables(*after.error));
  }
}

}  // namespace drover::engine::test
