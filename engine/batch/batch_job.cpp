#include "engine/batch/batch_job.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "engine/batch/batch_owner.h"
#include "engine/batch/range_worker.h"
#include "engine/sql_value.h"
#include "engine/tenant_session.h"

namespace drover::engine::batch {
namespace {

/// Where a server's commits do not wait for the disk, these do: they say what earlier ones came to.
constexpr std::string_view kDurable = "SET LOCAL synchronous_commit = on";

constexpr Milliseconds kGoodbye{5'000};  ///< For the last words of a process that is to end.
constexpr int kMostRedone = 3;           ///< Times that a check may send ranges through again.
constexpr std::uint64_t kCheckedRows = 50'000;  ///< By one statement of a check,
constexpr std::int64_t kCheckedPages = 1'000;   ///< or, of a heap, so many pages.
constexpr Milliseconds kRateOver{60'000};

const std::string& schema_of(const BatchOrder& order) {
  return order.approach.history_schema.empty() ? order.target.schema
                                               : order.approach.history_schema;
}

/// The end of a piece of a heap for one statement of a check.
BatchKey pages_from(const std::optional<BatchKey>& from, const BatchKey& end) {
  const std::int64_t next = (from ? integer_of(from->front()) : -1) + kCheckedPages;
  return next < integer_of(end.front()) ? BatchKey{std::to_string(next)} : end;
}

}  // namespace

BatchJob::BatchJob(const SessionMeans& sessions,
                   BatchGovernor& governor,
                   const BatchTimes& times,
                   const Patience& patience,
                   const BatchObserver& observer)
    : sessions_(sessions),
      order_(sessions.order),
      governor_(governor),
      times_(times),
      patience_(patience),
      observer_(observer),
      tables_(order_.target.dialect, schema_of(order_)),
      control_(sessions, BatchSession::Use::control),
      survey_(order_.target.dialect,
              order_.migration,
              order_.section,
              [this](const auto& statements, const std::string& doing, auto& answers) {
                return ask(statements, doing, answers);
              }) {}

std::optional<TenantFault> BatchJob::run() {
  MaybeFault fault = claim();
  if (fault || status_.record.state == BatchRecord::State::done) {
    return fault;
  }
  FoundPath found;
  if (status_.record.state == BatchRecord::State::announced) {
    fault = prepare(found);
  } else {
    fault = check_table(found);
  }
  if (!fault) {
    status_.record.path.value_types = found.path.value_types;
    const BatchScript script(order_.target.dialect, order_.section, status_.record.path);
    fault = retry_parked(script);
    for (bool whole = false; !fault && !whole;) {
      fault = pass(script, whole);
      if (!fault && whole) {
        fault = finish(script, whole);
      }
    }
  }
  if (fault) {
    release();
  }
  return fault;
}

/// Once through what is left of the table. `whole`: nothing is left, and all of it is as it should.
BatchJob::MaybeFault BatchJob::pass(const BatchScript& script, bool& whole) {
  MaybeFault fault = go_through(script);
  fault = fault ? std::move(fault) : read();
  if (fault || !status_.all_ranges_done()) {
    return fault;
  }
  std::vector<BatchRange> undone;
  fault = verify(script, undone);
  whole = undone.empty();
  return fault || whole ? std::move(fault) : send_again(undone);
}

TenantFault BatchJob::taken_over() const {
  TenantFault taken = fault_of("batch_taken_over",
                               "another process works on the batch now",
                               "See drover batches list for who.");
  taken.code = ErrorCode::busy;
  return taken;
}

TenantFault BatchJob::fault_of(std::string kind,
                               const std::string& message,
                               std::string hint) const {
  TenantFault fault =
      found(order_.id.revision, ErrorCode::incomplete, std::move(kind), message, std::move(hint));
  fault.place = order_.migration.place_of(order_.section.statements.front(), 0);
  return fault;
}

TenantFault BatchJob::fault_of(const SqlError& error, const std::string& doing) const {
  TenantFault fault = fault_from(
      error, fmt::format("the batch of revision '{}', {}", order_.id.revision.value, doing));
  fault.revision = order_.id.revision.value;
  return fault;
}

/// Answers of `statements`, in one message; asked again on a new session when one is lost.
BatchJob::MaybeFault BatchJob::ask(const std::vector<OwnedStatement>& statements,
                                   const std::string& doing,
                                   std::vector<ResultSet>& answers) {
  constexpr int kMostTries = 3;
  for (int attempt = 1;; ++attempt) {
    if (auto fault = control_.open(patience_)) {
      return fault;
    }
    Exchange answer = control_.exchange(statements, patience_);
    if (answer.ok()) {
      answers = std::move(answer.results);
      return std::nullopt;
    }
    control_.roll_back(patience_);
    if (control_.alive() || attempt == kMostTries || patience_.stop.stop_requested()) {
      return fault_of(*answer.error, doing);
    }
  }
}

BatchJob::MaybeFault BatchJob::tell(const std::vector<OwnedStatement>& statements,
                                    const std::string& doing) {
  std::vector<ResultSet> ignored;
  return ask(statements, doing, ignored);
}

/// `statements` in one transaction, which only the batch's owner can commit.
BatchJob::MaybeFault BatchJob::tell_as_owner(const std::vector<OwnedStatement>& statements,
                                             const std::string& doing) {
  const bool postgres = order_.target.dialect == Dialect::postgres;
  const OwnedStatement hold = tables_.hold(order_.id, owner_);
  std::vector<OwnedStatement> message = statements;
  message.push_back({"COMMIT"});
  if (postgres) {
    message.insert(message.begin(), {{"BEGIN"}, {std::string(kDurable)}, hold});
    auto fault = tell(message, doing);
    return fault && fault->sqlstate == "22012" ? std::optional(taken_over()) : std::move(fault);
  }
  std::vector<ResultSet> answers;
  if (auto fault = ask({{"BEGIN IMMEDIATE"}, hold}, doing, answers)) {
    return fault;
  }
  const bool ours = answers[1].affected == 1;
  const Exchange answer = control_.exchange(ours ? message : decltype(message){}, patience_);
  control_.roll_back(patience_);
  if (!ours) {
    return taken_over();
  }
  return answer.ok() ? std::nullopt : std::optional(fault_of(*answer.error, doing));
}

BatchJob::MaybeFault BatchJob::read() {
  std::vector<ResultSet> answers;
  if (auto fault = ask(tables_.read(), "reading how far it is", answers)) {
    return fault;
  }
  for (BatchStatus& status : decode_batches(answers[0], answers[1], answers[2])) {
    if (status.record.id == order_.id) {
      status_ = std::move(status);
      return std::nullopt;
    }
  }
  return fault_of("batch_missing",
                  "the tenant does not know of the batch",
                  "Somebody took its rows out of drover_batches; repair the tenant.");
}

/// Ours from now on, unless somebody lives who works on it.
BatchJob::MaybeFault BatchJob::claim() {
  if (auto fault = read()) {
    return fault;
  }
  const BatchRecord& record = status_.record;
  if (record.state == BatchRecord::State::done) {
    return std::nullopt;
  }
  if (record.checksum != order_.checksum) {
    return fault_of("edited",
                    "the section is not the one that the batch began with",
                    "Put the file back as it was, or undo the revision with --from-partial.");
  }
  const bool alive = !record.owner.empty() &&
                     record.age_seconds < std::chrono::duration<double>(times_.silence).count() &&
                     !is_gone(record.owner);
  TenantFault held = fault_of("batch_held",
                              fmt::format("process {} works on the batch, and gave a sign of life "
                                          "{:.0f} s ago",
                                          record.owner,
                                          record.age_seconds),
                              "Wait for it, or stop it; then run the same command again.");
  held.code = ErrorCode::busy;
  if (alive) {
    return held;
  }
  const bool postgres = order_.target.dialect == Dialect::postgres;
  std::vector<OwnedStatement> message{{postgres ? "BEGIN" : "BEGIN IMMEDIATE"},
                                      {postgres ? std::string(kDurable) : "SELECT 1"}};
  for (OwnedStatement& statement : tables_.claim(order_.id, record.owner, owner_)) {
    message.push_back(std::move(statement));
  }
  message.push_back({"COMMIT"});
  claimed_ = true;  // perhaps; to give it back does no harm where it is not
  std::vector<ResultSet> answers;
  if (auto fault = ask(message, "claiming it", answers)) {
    return fault;
  }
  if (answers[2].affected != 1) {
    return held;
  }
  return read();
}

void BatchJob::release() {
  if (claimed_ && !control_.open({sessions_.clock.now() + kGoodbye, {}})) {
    control_.exchange(tables_.release(order_.id, owner_), {sessions_.clock.now() + kGoodbye, {}});
  }
}

BatchJob::MaybeFault BatchJob::prepare(FoundPath& found) {
  if (auto fault = find_path(found)) {
    return fault;
  }
  const BatchScript script(order_.target.dialect, order_.section, found.path);
  if (!found.analysed) {
    if (auto fault = tell({{fmt::format("ANALYZE {}", found.path.table)}}, "analysing its table")) {
      return fault;
    }
    if (auto fault = find_path(found)) {
      return fault;
    }
  }
  for (const std::string& part : found.parts) {
    if (auto fault = survey_.look_at_plan(script, part)) {
      return fault;
    }
  }
  if (auto fault = make_trigger(script)) {
    return fault;
  }
  if (auto fault = fix_ends(script, found)) {
    return fault;
  }
  return read();
}

BatchJob::MaybeFault BatchJob::find_path(FoundPath& found) {
  return survey_.find_path([this] { return control_.info().server_version; }, found);
}

BatchJob::MaybeFault BatchJob::make_trigger(const BatchScript& script) {
  if (!order_.section.batch.sync_trigger) {
    return std::nullopt;
  }
  return tell_as_owner(script.make_trigger(order_.id, order_.target.schema),
                       "making the trigger for rows that others write");
}

BatchJob::MaybeFault BatchJob::fix_ends(const BatchScript& script, const FoundPath& found) {
  BatchRecord record = status_.record;
  record.path = found.path;
  record.estimated_rows = found.estimated_rows;
  std::vector<BatchRange> ranges;
  for (const std::string& part : found.parts) {
    std::vector<ResultSet> answers;
    if (auto fault = ask({script.last(part)}, "looking for its last row", answers)) {
      return fault;
    }
    const std::optional<BatchKey> last = script.key_in(answers[0]);
    const bool heap = found.path.scan == BatchPath::Scan::heap;
    if (!last || (heap && last->front() == "-1")) {
      continue;
    }
    BatchRange range;
    range.number = static_cast<int>(ranges.size()) + 1;
    range.part = part;
    range.end = *last;
    range.owner = owner_;
    if (order_.target.dialect == Dialect::sqlite) {  // it keeps no estimate, and counts fast
      if (auto fault = ask({script.count(part, {}, *last)}, "counting its rows", answers)) {
        return fault;
      }
      record.estimated_rows += static_cast<std::uint64_t>(integer_of(answers[0].rows[0][0]));
    }
    ranges.push_back(std::move(range));
  }
  return tell_as_owner(tables_.begin(record, ranges), "noting where it begins and ends");
}

/// Another table under the same name holds other rows.
BatchJob::MaybeFault BatchJob::check_table(FoundPath& found) {
  if (auto fault = find_path(found)) {
    return fault;
  }
  if (found.path.table_oid == status_.record.path.table_oid) {
    return std::nullopt;
  }
  return fault_of(
      "batch_table_changed",
      fmt::format("table {} is another one than the batch began with", found.path.table),
      "Somebody made it anew; downgrade the revision, and apply it again.");
}

/// Rows that were passed over are tried once more: somebody may have mended them.
BatchJob::MaybeFault BatchJob::retry_parked(const BatchScript& script) {
  if (status_.parked == 0) {
    return std::nullopt;
  }
  std::vector<ResultSet> answers;
  if (auto fault =
          ask({tables_.read_parked(order_.id, status_.parked)}, "reading parked rows", answers)) {
    return fault;
  }
  for (const ParkedKey& parked : decode_parked(answers[0])) {
    const auto range =
        std::find_if(status_.ranges.begin(), status_.ranges.end(), [&](const BatchRange& one) {
          return one.number == parked.range;
        });
    const std::string part = range == status_.ranges.end() ? "" : range->part;
    // The key is still parked where this fails, so that finish() will tell of it.
    auto fault =
        tell_as_owner({tables_.unpark(order_.id, parked.key), script.work_one(part, parked.key)},
                      "trying a row again");
    if (fault && (fault->kind == "batch_taken_over" || patience_.stop.stop_requested())) {
      return fault;
    }
  }
  return read();
}

BatchJob::MaybeFault BatchJob::go_through(const BatchScript& script) {
  if (status_.all_ranges_done()) {
    return std::nullopt;
  }
  BatchBoard board(status_.ranges, status_.record.control);
  const std::stop_callback stopped(patience_.stop, [&] { board.end(); });
  const WorkerMeans means{sessions_, script, tables_, board, governor_, rows_per_page(script)};
  std::vector<std::unique_ptr<RangeWorker>> workers;
  std::vector<std::jthread> threads;
  MaybeFault fault;
  while (!board.wait_for_end(Milliseconds(0)) && !fault) {
    const BatchControl control = board.control();
    const bool parallel = order_.target.dialect == Dialect::postgres;
    const unsigned wanted =
        parallel ? std::max(control.workers.value_or(order_.section.batch.workers), 1U) : 1U;
    board.allow(std::max(governor_.workers_for(order_.target, wanted), 1U));
    while (workers.size() < wanted) {
      workers.push_back(
          std::make_unique<RangeWorker>(means, static_cast<unsigned>(workers.size())));
      threads.emplace_back([worker = workers.back().get()] { worker->run(); });
    }
    fault = watch(board);
  }
  board.end();
  threads.clear();
  status_.ranges = board.ranges();
  fault = fault ? std::move(fault) : board.fault();
  if (!fault && !board.all_done()) {
    fault = fault_of("interrupted",
                     "the run was stopped before the batch was done",
                     "Resume the run to go on; it goes on where it stopped.");
    fault->code = ErrorCode::halted;
  }
  return fault;
}

/// Looks at the workers until the next sign of life is due, and gives it.
BatchJob::MaybeFault BatchJob::watch(BatchBoard& board) {
  const SteadyTime until = sessions_.clock.now() + times_.sign_of_life;
  bool ended = false;
  while (!ended && sessions_.clock.now() < until) {
    if (sessions_.clock.now() >= patience_.deadline) {
      board.end();
    }
    ended = board.wait_for_end(times_.look);
    report(board.news());
  }
  if (ended) {
    return std::nullopt;
  }
  std::vector<ResultSet> answers;
  if (control_.open({sessions_.clock.now() + times_.sign_of_life, patience_.stop})) {
    return std::nullopt;  // the fence holds all the same, and we try again
  }
  Exchange answer = control_.exchange({tables_.sign_of_life(order_.id, owner_)}, patience_);
  if (!answer.ok()) {
    return std::nullopt;
  }
  if (answer.results[0].rows.empty()) {
    return taken_over();
  }
  board.set_control(decode_control(answer.results[0]));
  return std::nullopt;
}

void BatchJob::report(BatchNews news) {
  if (!observer_) {
    return;
  }
  const SteadyTime now = sessions_.clock.now();
  seen_.emplace_back(now, news.rows_seen);
  while (seen_.size() > 2 && seen_.front().first < now - kRateOver) {
    seen_.pop_front();
  }
  const double seconds = std::chrono::duration<double>(now - seen_.front().first).count();
  news.id = order_.id;
  news.estimated_rows = std::max(status_.record.estimated_rows, news.rows_seen);
  news.parked += status_.parked;
  if (seconds > 0 && news.rows_seen > seen_.front().second) {
    news.rows_per_second = static_cast<double>(news.rows_seen - seen_.front().second) / seconds;
  }
  observer_(news);
}

double BatchJob::rows_per_page(const BatchScript& script) {
  double pages = 0;
  if (script.path().scan == BatchPath::Scan::heap) {
    for (const BatchRange& range : status_.ranges) {
      pages += static_cast<double>(integer_of(range.end.front())) + 1;
    }
  }
  return pages > 0 ? std::max(static_cast<double>(status_.record.estimated_rows) / pages, 1.0) : 1;
}

/// Reads everything once more. `undone` are the ranges with rows that are not as they should be.
BatchJob::MaybeFault BatchJob::verify(const BatchScript& script, std::vector<BatchRange>& undone) {
  const BatchOptions& options = order_.section.batch;
  if (!script.can_check() || options.check == BatchOptions::Check::none) {
    return std::nullopt;
  }
  if (auto fault = tell_as_owner({tables_.set_state(order_.id, BatchRecord::State::verifying)},
                                 "beginning its check")) {
    return fault;
  }
  std::uint64_t total = 0;
  std::string first;
  for (BatchRange range : status_.ranges) {
    std::uint64_t count = 0;
    if (auto fault = reach_to_end(script, range)) {
      return fault;
    }
    if (auto fault = count_undone(script, range, count, first)) {
      return fault;
    }
    total += count;
    if (count > 0) {
      undone.push_back(range);
    }
  }
  if (total <= status_.parked) {
    undone.clear();  // they are known, and finish() tells of them
  }
  if (!undone.empty() && status_.record.redone >= kMostRedone) {
    return fault_of("batch_not_verified",
                    fmt::format("{} rows are not done after {} passes, the first with key {}",
                                total,
                                kMostRedone + 1,
                                first),
                    options.check == BatchOptions::Check::checksum
                        ? "Look at that row: its values are not what the statement computes. One "
                          "that is another each time, as now() is, cannot be checked so."
                        : "Look at that row, and at what the section calls done.");
  }
  return std::nullopt;
}

/// Rows of a heap move behind its end when they are changed, by us and by others: the last of the
/// ranges ends where the heap does now.
BatchJob::MaybeFault BatchJob::reach_to_end(const BatchScript& script, BatchRange& range) {
  const auto page = [](const BatchRange& one) { return integer_of(one.end.front()); };
  const bool last =
      std::none_of(status_.ranges.begin(), status_.ranges.end(), [&](const BatchRange& other) {
        return other.part == range.part && page(other) > page(range);
      });
  if (script.path().scan == BatchPath::Scan::key || !last) {
    return std::nullopt;
  }
  std::vector<ResultSet> answers;
  if (auto fault = ask({script.last(range.part)}, "looking for its last row", answers)) {
    return fault;
  }
  range.end.front() = std::to_string(std::max(integer_of(answers[0].rows[0][0]), page(range)));
  return std::nullopt;
}

BatchJob::MaybeFault BatchJob::count_undone(const BatchScript& script,
                                            const BatchRange& range,
                                            std::uint64_t& count,
                                            std::string& first) {
  std::optional<BatchKey> from = range.first;
  SteadyTime alive_at = sessions_.clock.now();
  for (bool more = true; more;) {
    if (patience_.stop.stop_requested()) {
      TenantFault stopped = fault_of("interrupted",
                                     "the run was stopped before the batch was verified",
                                     "Resume the run to go on.");
      stopped.code = ErrorCode::halted;
      return stopped;
    }
    const bool by_page = script.path().scan == BatchPath::Scan::heap;
    const BatchKey to = by_page ? pages_from(from, range.end) : range.end;
    std::vector<ResultSet> answers;
    if (auto fault =
            ask({script.check(range.part, from, to, kCheckedRows)}, "checking it", answers)) {
      return fault;
    }
    const auto checked = script.checked_in(answers[0]);
    if (checked && checked->undone > 0) {
      count += checked->undone;
      first = first.empty() ? BatchScript::readable(*checked->first) : first;
    }
    more = by_page ? to != range.end : checked && checked->last != range.end;
    from = by_page || !checked ? to : checked->last;
    if (sessions_.clock.now() >= alive_at + times_.sign_of_life) {
      alive_at = sessions_.clock.now();
      if (auto fault = tell_as_owner({}, "checking it")) {
        return fault;
      }
    }
  }
  return std::nullopt;
}

BatchJob::MaybeFault BatchJob::send_again(const std::vector<BatchRange>& ranges) {
  std::vector<OwnedStatement> statements{tables_.count_redone(order_.id)};
  for (const BatchRange& range : ranges) {
    statements.push_back(tables_.reopen(order_.id, range));
  }
  auto fault = tell_as_owner(statements, "going through it again");
  return fault ? std::move(fault) : read();
}

/// The end is noted by a transaction that sees all ranges done, and waits for the disk: what it saw
/// is then safe as well. `whole` is false afterwards where something is left to do.
BatchJob::MaybeFault BatchJob::finish(const BatchScript& script, bool& whole) {
  if (status_.parked > 0) {
    TenantFault parked = fault_of(
        "batch_rows_parked",
        fmt::format("everything is done but {} rows, for which the statement fails",
                    status_.parked),
        "See drover batches show for the rows; mend them, and run the same command again.");
    parked.code = ErrorCode::waiting;
    return parked;
  }
  std::vector<OwnedStatement> statements;
  if (order_.target.dialect == Dialect::postgres) {
    statements.push_back(tables_.check_all_done(order_.id));
  }
  if (order_.section.batch.sync_trigger) {
    for (OwnedStatement& statement : script.drop_trigger(order_.id, order_.target.schema)) {
      statements.push_back(std::move(statement));
    }
  }
  statements.push_back(tables_.set_state(order_.id, BatchRecord::State::done));
  auto fault = tell_as_owner(statements, "noting its end");
  if (!fault || fault->kind != "batch_taken_over" || read()) {
    return fault;
  }
  if (status_.record.state == BatchRecord::State::done) {
    return std::nullopt;  // our commit had happened, unseen
  }
  if (status_.record.owner == owner_) {
    whole = false;  // the server crashed, and lost what it had confirmed
    return std::nullopt;
  }
  return fault;
}

}  // namespace drover::engine::batch
