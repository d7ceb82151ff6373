#include "engine/batch/range_worker.h"

#include <algorithm>
#include <array>
#include <random>

#include <fmt/format.h>

#include "engine/sql_value.h"
#include "engine/tenant_session.h"

namespace drover::engine::batch {
namespace {

/// So many failures in a row, with pauses that grow to half a minute, are no accident any more.
constexpr int kMostFailures = 30;
constexpr Milliseconds kShortestPause{100};
constexpr Milliseconds kMostPause{30'000};
constexpr Milliseconds kLookAgain{1'000};  ///< At people's wishes, while waiting.
constexpr Milliseconds kTellEvery{5'000};  ///< The tenant's tables, why we wait.
constexpr double kSamplePercent = 1;
constexpr std::size_t kCheckpointEvery = 10;  ///< Transactions, on SQLite (batches.md §6.3).

BatchSizes sizes_of(const BatchOptions& options) {
  return {options.least_rows, options.most_rows, options.target, options.wal_bytes};
}

Milliseconds pause_after(int failures) {
  thread_local std::mt19937 random{std::random_device{}()};
  const Milliseconds longest(
      std::min(kMostPause.count(), kShortestPause.count() << std::min(failures, 9)));
  return Milliseconds(
      std::uniform_int_distribution<std::int64_t>(longest.count() / 2, longest.count())(random));
}

bool may_pass(const SqlError& error) {
  return fault_kind_of(error).fault_class == FaultClass::transient || error.sqlstate == "57014" ||
         error.sqlstate.starts_with("53");
}

/// Whether the database refused a row, and not the statement as such. SQLite has one code for a
/// great many things.
bool blames_rows(const SqlError& error) {
  constexpr std::array<std::string_view, 10> kOfRows = {"21",
                                                        "22",
                                                        "23",
                                                        "38",
                                                        "39",
                                                        "44",
                                                        "P0",
                                                        "SQLITE_CONSTRAINT",
                                                        "SQLITE_MISMATCH",
                                                        "SQLITE_ERROR"};
  return std::any_of(kOfRows.begin(), kOfRows.end(), [&](std::string_view prefix) {
    return error.sqlstate.starts_with(prefix);
  });
}

}  // namespace

RangeWorker::RangeWorker(const WorkerMeans& means, unsigned number)
    : means_(means),
      order_(means.sessions.order),
      number_(number),
      session_(means.sessions, BatchSession::Use::work),
      sizer_(sizes_of(order_.section.batch), 0) {}

RangeWorker::~RangeWorker() = default;

bool RangeWorker::postgres() const noexcept {
  return order_.target.dialect == Dialect::postgres;
}

void RangeWorker::run() {
  try {
    while (auto range = means_.board.take(number_)) {
      range_ = std::move(*range);
      pending_ = {};
      probed_.reset();
      sizer_ = BatchSizer(sizes_of(order_.section.batch), range_.size);
      work_range();
      keep_counts();
      means_.board.leave(range_);
    }
  } catch (const std::exception& thrown) {
    means_.board.fail(fault_from(thrown));
  }
}

/// A session, and a place at the governor's table.
bool RangeWorker::sit_down() {
  const bool fresh = !session_.alive();
  if (auto fault = session_.open(patience())) {
    means_.board.fail(std::move(*fault));
    return false;
  }
  if (seat_ == nullptr) {
    seat_ = means_.governor.enter(order_.target,
                                  {session_.info().backend_pid,
                                   means_.script.path().table_oid,
                                   order_.section.batch.throttle,
                                   order_.section.batch.vacuum,
                                   [this] { session_.cancel(); }});
  } else if (fresh) {
    seat_->moved(session_.info().backend_pid);
  }
  return true;
}

void RangeWorker::work_range() {
  // Nobody is let go without a place; and a session may be lost while its worker waits.
  while (!range_.done && sit_down() && may_go() && sit_down()) {
    if (means_.board.split_wanted(range_.number) && !split()) {
      return;
    }
    const std::optional<Stretch> stretch = next_stretch();
    if (!stretch) {
      return;
    }
    means_.board.works(number_, stretch->rows);
    const Outcome outcome = change(*stretch);
    const bool goes_on = outcome == Outcome::refused ? hunt(*stretch) : outcome != Outcome::lost;
    means_.board.note(range_);
    if (!goes_on) {
      return;
    }
  }
}

/// Where the next transaction ends: probed behind the last one, or asked for now.
std::optional<RangeWorker::Stretch> RangeWorker::next_stretch() {
  if (probed_) {
    return std::exchange(probed_, std::nullopt);
  }
  return stretch_of(sizer_.size());
}

std::optional<RangeWorker::Stretch> RangeWorker::stretch_of_pages(std::uint64_t rows) const {
  const std::int64_t from = range_.cursor ? integer_of(range_.cursor->front()) : -1;
  const std::int64_t end = integer_of(range_.end.front());
  const auto pages = std::max<std::int64_t>(
      static_cast<std::int64_t>(static_cast<double>(rows) / means_.rows_per_page), 1);
  const std::int64_t to = std::min(end, from + pages);
  return Stretch{{std::to_string(to)}, rows, to == end};
}

std::optional<RangeWorker::Stretch> RangeWorker::stretch_of(std::uint64_t rows) {
  if (means_.script.path().scan == BatchPath::Scan::heap) {
    return stretch_of_pages(rows);
  }
  ResultSet answer;
  if (!ask(means_.script.probe(range_.part, range_.cursor, range_.end, rows),
           answer,
           "looking for the next keys")) {
    return std::nullopt;
  }
  if (auto key = means_.script.key_in(answer)) {
    const bool last = *key == range_.end;
    return Stretch{std::move(*key), rows, last};
  }
  if (!ask(means_.script.count(range_.part, range_.cursor, range_.end),
           answer,
           "counting the last rows")) {
    return std::nullopt;
  }
  return Stretch{range_.end, static_cast<std::uint64_t>(integer_of(answer.rows[0][0])), true};
}

/// One statement outside of a transaction, again when the session is lost. False: the work ends.
bool RangeWorker::ask(const OwnedStatement& statement,
                      ResultSet& answer,
                      const std::string& doing) {
  // Not failures_: that a question is answered says nothing of the transaction that comes next.
  for (int failures = 0; sit_down();) {
    Exchange exchange = session_.exchange({statement}, patience());
    if (exchange.ok()) {
      answer = std::move(exchange.results.front());
      return true;
    }
    session_.roll_back(patience());
    const bool again = !session_.alive() || may_pass(*exchange.error);
    if (means_.board.stop().stop_requested()) {
      return false;
    }
    if (!again || ++failures > kMostFailures) {
      fail(*exchange.error, doing);
      return false;
    }
    clock().wait_until(clock().now() + pause_after(failures - 1), means_.board.stop());
  }
  return false;
}

void RangeWorker::fail(const SqlError& error, const std::string& doing) {
  TenantFault fault = fault_from(
      error, fmt::format("the batch of revision '{}', {}", order_.id.revision.value, doing));
  fault.revision = order_.id.revision.value;
  fault.place = order_.migration.place_of(order_.section.statements.front(), 0);
  if (!range_.part.empty() && error.message.find("partition constraint") != std::string::npos) {
    fault.hint =
        "A batch goes through each partition by itself, and cannot move rows from one to another: "
        "write an up section for that, or copy and delete in two batches.";
  }
  if (session_.alive()) {  // before the board's end, after which nothing is sent any more
    session_.exchange({means_.tables.failed(order_.id, range_, error.message)}, patience());
  }
  means_.board.fail(std::move(fault));
}

RangeWorker::Outcome RangeWorker::change(const Stretch& stretch) {
  return commit(stretch, {means_.script.work(range_.part, range_.cursor, stretch.to)});
}

/// The fence, `work` and the commit. On SQLite the fence cannot raise, so it is looked at first.
RangeWorker::Outcome RangeWorker::commit(const Stretch& stretch, std::vector<OwnedStatement> work) {
  pending_.to = stretch.to;
  pending_.done = stretch.last;
  pending_.rows_seen = stretch.rows;
  pending_.size = sizer_.size();
  const OwnedStatement fence = means_.tables.advance(order_.id, range_, pending_);
  const SteadyTime begun = clock().now();
  std::vector<OwnedStatement> statements{{postgres() ? "BEGIN" : "BEGIN IMMEDIATE"}, fence};
  if (!postgres()) {
    Exchange answer = session_.exchange(statements, patience());
    if (!answer.ok()) {
      return after_error(answer);
    }
    if (answer.results[1].affected != 1) {
      session_.roll_back(patience());
      return look_where_it_stands(
          {SqlError::Origin::server, "", "the range has moved", "", "", "", 0, {}});
    }
    statements.clear();
  }
  for (OwnedStatement& statement : work) {
    statements.push_back(std::move(statement));
  }
  if (postgres()) {
    statements.push_back(
        {"SELECT 1, pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()), "
         "pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')"});
  }
  statements.push_back({"COMMIT"});
  const std::size_t until_commit = statements.size();
  const std::uint64_t next_rows = sizer_.size();
  if (!stretch.last && means_.script.path().scan == BatchPath::Scan::key) {
    statements.push_back(means_.script.probe(range_.part, stretch.to, range_.end, next_rows));
  }
  // Statements of the migration's are guarded as such; all others are ours.
  std::vector<Statement> views;
  views.reserve(statements.size());
  for (const OwnedStatement& statement : statements) {
    views.push_back(statement.view());
  }
  views[postgres() ? 2 : 0].author = Author::migration;
  Exchange answer = session_.exchange(views, patience());
  if (answer.results.size() < until_commit) {
    return after_error(answer);
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(clock().now() - begun);
  committed(stretch, answer.results, took);
  if (answer.ok() && statements.size() > until_commit) {
    if (auto key = means_.script.key_in(answer.results.back())) {
      const bool last = *key == range_.end;
      probed_ = Stretch{std::move(*key), next_rows, last};
    }
  }
  return Outcome::committed;
}

void RangeWorker::committed(const Stretch& stretch,
                            const std::vector<ResultSet>& results,
                            std::chrono::microseconds took) {
  std::chrono::microseconds busy = took;
  std::uint64_t wal = 0;
  const std::size_t work = postgres() ? 2 : 0;
  if (postgres()) {
    const BatchMark before = decode_mark(results[1]);
    const BatchMark after = decode_mark(results[3]);
    busy = std::chrono::microseconds(
        static_cast<std::int64_t>((after.seconds - before.seconds) * 1'000'000));
    wal = after.wal_at > before.wal_at ? after.wal_at - before.wal_at : 0;
  }
  const std::uint64_t changed = results[work].affected;
  const auto in_ms = [](std::chrono::microseconds time) {
    return std::chrono::duration_cast<Milliseconds>(time);
  };
  range_.cursor = stretch.to;
  range_.done = stretch.last;
  range_.rows_seen += stretch.rows;
  range_.rows_changed += changed;
  ++range_.batches;
  pending_ = {};
  pending_.rows_changed = changed;
  pending_.wal_bytes = wal;
  pending_.busy = in_ms(took);
  done_.rows += stretch.rows;
  done_.wal_bytes += wal;
  done_.busy += in_ms(took);
  done_.commit = in_ms(std::max(took - busy, std::chrono::microseconds(0)));
  sizer_.succeeded(stretch.rows, busy, wal);
  range_.size = sizer_.size();
  failures_ = 0;
  const BatchControl control = means_.board.control();
  rest_until_ = clock().now() + rest_after(control, took, wal);
  if (!postgres() && range_.batches % kCheckpointEvery == 0) {
    session_.exchange({{"PRAGMA wal_checkpoint(PASSIVE)"}}, patience());
  }
}

/// As people want it: a share of the time, and so much WAL a second of all workers together.
Milliseconds RangeWorker::rest_after(const BatchControl& control,
                                     std::chrono::microseconds took,
                                     std::uint64_t wal) const {
  auto rest = std::chrono::duration_cast<Milliseconds>(took * control.nice);
  if (control.wal_per_second.value_or(0) > 0) {
    const double seconds = static_cast<double>(wal) * means_.board.workers() /
                           static_cast<double>(*control.wal_per_second);
    const auto owed = Milliseconds(static_cast<std::int64_t>(seconds * 1'000));
    rest = std::max(rest, owed - std::chrono::duration_cast<Milliseconds>(took));
  }
  return rest;
}

RangeWorker::Outcome RangeWorker::taken_over() {
  means_.board.fail(found(order_.id.revision,
                          ErrorCode::busy,
                          "batch_taken_over",
                          "another process works on the batch now",
                          "See drover batches list for who."));
  return Outcome::lost;
}

RangeWorker::Outcome RangeWorker::after_error(const Exchange& answer) {
  const SqlError& error = *answer.error;
  if (!session_.alive()) {
    return means_.board.stop().stop_requested() ? Outcome::lost : look_where_it_stands(error);
  }
  session_.roll_back(patience());
  const bool by_rows = answer.results.size() >= 2 || !postgres();
  if (!by_rows && error.sqlstate == "22012") {
    return look_where_it_stands(error);
  }
  if (may_pass(error)) {
    return try_later(error);
  }
  if (!by_rows || !blames_rows(error)) {
    fail(error, by_rows ? "changing rows" : "moving its cursor");
    return Outcome::lost;
  }
  refusal_ = error;
  return Outcome::refused;
}

/// Half as many rows have a better chance, after a while.
RangeWorker::Outcome RangeWorker::try_later(const SqlError& error) {
  if (++failures_ > kMostFailures) {
    fail(error, fmt::format("after {} tries", failures_));
    return Outcome::lost;
  }
  sizer_.halve();
  probed_.reset();
  const bool yielded = seat_ != nullptr && seat_->was_cancelled();
  const WaitReason reason = yielded ? WaitReason::blocked_sessions : WaitReason::lock;
  session_.exchange({means_.tables.failed(order_.id, range_, error.message)}, patience());
  const Milliseconds pause = pause_after(failures_ - 1);
  means_.board.waits(number_, reason, error.message);
  clock().wait_until(clock().now() + pause, means_.board.stop());
  pending_.waited += pause;
  ++range_.retries;
  return Outcome::again;
}

/// After a lost session only the tenant knows whether the commit happened; and a server that
/// crashed may have lost the last commits that it had confirmed (sync_commit=off).
RangeWorker::Outcome RangeWorker::look_where_it_stands(const SqlError& error) {
  probed_.reset();
  while (++failures_ <= kMostFailures) {
    if (!sit_down()) {
      return Outcome::lost;
    }
    const Exchange answer = session_.exchange(means_.tables.read(), patience());
    if (answer.ok()) {
      return go_on_from(decode_batches(answer.results[0], answer.results[1], answer.results[2]));
    }
    if (session_.alive() && !may_pass(*answer.error)) {
      fail(*answer.error, "reading how far it is");
      return Outcome::lost;
    }
    session_.roll_back(patience());
    clock().wait_until(clock().now() + pause_after(failures_ - 1), means_.board.stop());
  }
  fail(error, fmt::format("after {} tries", failures_));
  return Outcome::lost;
}

/// Takes the range as the tenant has it, which may be split by then, unless it is another's.
RangeWorker::Outcome RangeWorker::go_on_from(const std::vector<BatchStatus>& batches) {
  const auto batch = std::find_if(batches.begin(), batches.end(), [&](const BatchStatus& one) {
    return one.record.id == order_.id;
  });
  if (batch == batches.end()) {
    return taken_over();
  }
  const auto numbered = [&](int number) {
    return std::find_if(batch->ranges.begin(), batch->ranges.end(), [&](const BatchRange& one) {
      return one.number == number;
    });
  };
  const auto range = numbered(range_.number);
  if (range == batch->ranges.end() || range->owner != range_.owner) {
    return taken_over();
  }
  if (range->cursor != range_.cursor) {
    pending_ = {};  // the transaction happened, and wrote them
  }
  range_ = *range;
  if (const auto upper = numbered(halved_into_); upper != batch->ranges.end()) {
    means_.board.split(range_, *upper);
  }
  halved_into_ = 0;
  return Outcome::again;
}

/// Halves `stretch` until one row is left that the statement cannot be run for; whatever is sound
/// is changed on the way. At most log2(rows) + 2 transactions. False when the work ends.
bool RangeWorker::hunt(Stretch stretch) {
  while (!means_.board.stop().stop_requested()) {
    if (means_.script.path().scan == BatchPath::Scan::heap) {
      if (!count_rows(stretch)) {
        return false;
      }
      if (stretch.rows == 0) {
        return true;
      }
    }
    if (stretch.rows <= 1) {
      return give_up_row(stretch) == Outcome::committed;
    }
    ResultSet answer;
    if (!ask(means_.script.probe(range_.part, range_.cursor, stretch.to, stretch.rows / 2),
             answer,
             "looking for the row that is refused")) {
      return false;
    }
    const std::optional<BatchKey> key = means_.script.key_in(answer);
    if (!key || *key == stretch.to) {
      return true;  // rows went meanwhile: what is left is counted anew
    }
    const Stretch half{*key, stretch.rows / 2, false};
    const Outcome outcome = change(half);
    if (outcome == Outcome::lost || outcome == Outcome::again) {
      return outcome == Outcome::again;
    }
    if (outcome == Outcome::committed) {
      stretch.rows -= half.rows;
      probed_.reset();
      means_.board.note(range_);
      if (stretch.rows == 1 && change(stretch) != Outcome::refused) {
        return !means_.board.stop().stop_requested();
      }
    } else {
      stretch = half;
    }
  }
  return false;
}

/// Of a heap, a transaction's rows are only guessed from its pages.
bool RangeWorker::count_rows(Stretch& stretch) {
  ResultSet answer;
  if (!ask(means_.script.count(range_.part, range_.cursor, stretch.to),
           answer,
           "counting the rows that are refused")) {
    return false;
  }
  stretch.rows = static_cast<std::uint64_t>(integer_of(answer.rows[0][0]));
  return true;
}

/// Stops at the row, or passes it and keeps its key.
RangeWorker::Outcome RangeWorker::give_up_row(const Stretch& row) {
  ResultSet answer;
  BatchKey key = row.to;  // the range may end above its last row
  if (!ask(means_.script.probe(range_.part, range_.cursor, row.to, 1), answer, "naming the row")) {
    return Outcome::lost;
  }
  key = means_.script.key_in(answer).value_or(key);
  const SqlError error = refusal_.value_or(SqlError());
  if (order_.section.batch.on_poison == BatchOptions::OnPoison::stop) {
    SqlError named = error;
    named.message = fmt::format("{} (row {})", error.message, BatchScript::readable(key));
    fail(named, "at one row");
    return Outcome::lost;
  }
  const Outcome outcome = commit(
      row,
      {means_.tables.park(order_.id, {range_.number, key, error.sqlstate, error.message, ""})});
  if (outcome == Outcome::committed) {
    means_.board.parked(pending_.rows_changed);  // none where it is known already
    range_.rows_changed -= pending_.rows_changed;
    pending_.rows_changed = 0;
  }
  return outcome;
}

/// None where a half is not worth its row: below a few transactions.
bool RangeWorker::find_middle(std::optional<BatchKey>& middle) {
  if (means_.script.path().scan == BatchPath::Scan::heap) {
    const std::int64_t from = range_.cursor ? integer_of(range_.cursor->front()) : -1;
    const std::int64_t end = integer_of(range_.end.front());
    if (end - from > 4) {
      middle = BatchKey{std::to_string(from + (end - from) / 2)};
    }
    return true;
  }
  ResultSet answer;
  if (!ask(means_.script.probe(range_.part, range_.cursor, range_.end, sizer_.size() * 2),
           answer,
           "looking for a half")) {
    return false;
  }
  const std::optional<BatchKey> far = means_.script.key_in(answer);
  if (!far) {
    return true;
  }
  if (!ask(means_.script.middle(range_.part, range_.cursor, range_.end, kSamplePercent),
           answer,
           "looking for a half")) {
    return false;
  }
  middle = means_.script.key_in(answer);
  middle = middle ? middle : far;  // a table so small that nothing of it was in the sample
  return true;
}

/// The upper half goes to somebody who waits for it. False when the work ends.
bool RangeWorker::split() {
  std::optional<BatchKey> middle;
  if (!find_middle(middle)) {
    return false;
  }
  if (!middle || *middle == range_.end || (range_.cursor && *middle == *range_.cursor)) {
    means_.board.cannot_split(range_.number);
    return true;
  }
  BatchRange upper;
  upper.number = means_.board.new_number();
  upper.part = range_.part;
  upper.first = upper.cursor = middle;
  upper.end = range_.end;
  upper.owner = range_.owner;
  upper.size = range_.size;
  std::vector<OwnedStatement> statements = means_.tables.split(order_.id, range_, *middle, upper);
  // Both workers go by it at once, so a server that crashes must not lose it.
  statements.insert(statements.begin(), {{"BEGIN"}, {"SET LOCAL synchronous_commit = on"}});
  statements.push_back({"COMMIT"});
  const Exchange answer = session_.exchange(statements, patience());
  if (answer.ok()) {
    range_.end = *middle;
    probed_.reset();
    means_.board.split(range_, upper);
    return true;
  }
  if (!session_.alive()) {
    halved_into_ = upper.number;
    return look_where_it_stands(*answer.error) == Outcome::again;
  }
  session_.roll_back(patience());
  means_.board.cannot_split(range_.number);
  return true;
}

/// False when the work ends, or this worker is one too many.
bool RangeWorker::may_go() {
  while (!means_.board.stop().stop_requested() && means_.board.may_work(number_)) {
    if (order_.may_start && !order_.may_start()) {
      means_.board.fail(found(order_.id.revision,
                              ErrorCode::halted,
                              "interrupted",
                              "this process no longer holds the run, so it starts nothing",
                              "See drover runs for who goes on with the run."));
      return false;
    }
    const BatchControl control = means_.board.control();
    retune(control);
    BatchLeave leave = leave_of_people(control);
    if (leave.go && seat_ != nullptr) {
      leave = seat_->ask(std::exchange(done_, {}));
    }
    if (leave.go) {
      return true;
    }
    if (leave.vacuum_first) {
      vacuum();
    } else {
      wait(leave);
    }
  }
  return false;
}

BatchLeave RangeWorker::leave_of_people(const BatchControl& control) {
  if (control.paused) {
    return {false, WaitReason::paused, "by " + control.by, kLookAgain, false};
  }
  const bool rests = control.nice > 0 || control.wal_per_second;
  if (rests && clock().now() < rest_until_) {
    const auto rest = std::chrono::ceil<Milliseconds>(rest_until_ - clock().now());
    return {false, WaitReason::rest, "as people asked", rest, false};
  }
  return {};
}

void RangeWorker::retune(const BatchControl& control) {
  BatchSizes sizes = sizes_of(order_.section.batch);
  if (control.rows) {
    sizes.most = *control.rows;
    sizes.least = std::min(sizes.least, sizes.most);
  }
  if (sizes.most != sizer_.sizes().most) {
    sizer_.retune(sizes);
    probed_.reset();
  }
}

/// Waits a little, and lets people know why.
void RangeWorker::wait(const BatchLeave& leave) {
  means_.board.waits(number_, leave.reason, leave.detail);
  const SteadyTime now = clock().now();
  const std::string why =
      fmt::format("{}{}{}", name_of(leave.reason), leave.detail.empty() ? "" : ": ", leave.detail);
  if (session_.alive() && leave.reason != WaitReason::rest &&
      (why != told_ || now >= told_at_ + kTellEvery)) {
    session_.exchange({means_.tables.waits(order_.id, range_, why)}, patience());
    told_ = why;
    told_at_ = now;
  }
  const Milliseconds pause = std::clamp(leave.ask_again, Milliseconds(10), kLookAgain);
  clock().wait_until(now + pause, means_.board.stop());
  pending_.waited += pause;
}

void RangeWorker::vacuum() {
  means_.board.waits(number_, WaitReason::dead_rows, "vacuuming the table");
  const std::string& table = range_.part.empty() ? means_.script.path().table : range_.part;
  const SteadyTime begun = clock().now();
  constexpr int kForcesFlush = 150000;
  std::vector<std::string> statements{
      "SET statement_timeout = 0", fmt::format("VACUUM {}", table), "RESET statement_timeout"};
  if (session_.info().server_version >= kForcesFlush) {
    // What we wrote and the statistics do not know yet would count as dead after the VACUUM.
    statements.insert(statements.begin(), "SELECT pg_catalog.pg_stat_force_next_flush()");
  } else {
    clock().wait_until(clock().now() + kLookAgain, means_.board.stop());
  }
  for (const std::string& sql : statements) {
    if (session_.alive()) {
      session_.exchange_unlimited({sql}, patience());
    }
  }
  pending_.waited += std::chrono::duration_cast<Milliseconds>(clock().now() - begun);
}

void RangeWorker::keep_counts() {
  if (session_.alive() && (pending_.rows_changed > 0 || pending_.busy.count() > 0)) {
    session_.exchange({means_.tables.add_counts(order_.id, range_, pending_)},
                      {clock().now() + Milliseconds(5'000), {}});
    pending_ = {};
  }
}

}  // namespace drover::engine::batch
