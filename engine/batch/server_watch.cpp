#include "engine/batch/server_watch.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine::batch {
namespace {

constexpr std::array<BatchSignal, kBatchSignals> kAllSignals = {BatchSignal::blocked,
                                                                BatchSignal::replicas,
                                                                BatchSignal::slots,
                                                                BatchSignal::archive,
                                                                BatchSignal::backends,
                                                                BatchSignal::autovacuum};

/// The server does not know what was asked for, or does not let this role: asking again is no use.
bool is_refusal(const SqlError& error) {
  return error.origin == SqlError::Origin::server &&
         (error.sqlstate.starts_with("42") || error.sqlstate.starts_with("0A"));
}

}  // namespace

class ServerWatch::Seat final : public BatchGovernor::Seat {
 public:
  Seat(ServerWatch& watch, SeatId id) : watch_(watch), id_(id) {}
  ~Seat() override { watch_.leave(id_); }

  BatchLeave ask(const BatchWork& done) override {
    const std::lock_guard lock(watch_.mutex_);
    return watch_.law_.ask(id_, done, watch_.clock_.now());
  }

  bool was_cancelled() override {
    const std::lock_guard lock(watch_.mutex_);
    return watch_.law_.take_cancelled(id_);
  }

  void moved(std::int64_t backend_pid) override {
    const std::lock_guard lock(watch_.mutex_);
    watch_.law_.moved(id_, backend_pid);
  }

 private:
  ServerWatch& watch_;
  const SeatId id_;
};

ServerWatch::ServerWatch(SessionFactory& sessions,
                         Clock& clock,
                         const Target& target,
                         BatchLimits limits)
    : sessions_(sessions),
      clock_(clock),
      watched_(target.dialect == Dialect::postgres),
      law_(target.server,
           std::move(limits),
           watched_ ? BatchThrottle::Watched::yes : BatchThrottle::Watched::no) {}

ServerWatch::~ServerWatch() = default;

std::unique_ptr<BatchGovernor::Seat> ServerWatch::enter(const Target& target,
                                                        BatchSeatFacts facts) {
  auto canceller = std::make_shared<Canceller>();
  canceller->cancel = std::move(facts.cancel);
  const ThrottleSeat seat{target.database,
                          facts.backend_pid,
                          facts.table_oid,
                          facts.vacuum_share,
                          watched_ && !facts.throttle.empty()};
  const std::lock_guard lock(mutex_);
  const SeatId id = law_.enter(seat, clock_.now());
  places_.emplace(id, Place{target, std::move(facts.throttle), std::move(canceller)});
  if (watched_ && threads_ == nullptr) {
    start();
  }
  return std::make_unique<Seat>(*this, id);
}

void ServerWatch::start() {
  law_.begin_watch(clock_.now());
  threads_ = std::make_unique<Threads>();
  try {
    threads_->server = std::jthread([this](const std::stop_token& stop) { read_server(stop); });
    threads_->tables = std::jthread([this](const std::stop_token& stop) { read_tables(stop); });
  } catch (const std::system_error&) {
    for (const BatchSignal signal : kAllSignals) {
      law_.failed(signal, "this machine has no thread left to read it");
    }
  }
}

void ServerWatch::leave(SeatId seat) {
  std::shared_ptr<Canceller> canceller;
  std::unique_ptr<Threads> ending;
  {
    const std::lock_guard lock(mutex_);
    law_.leave(seat);
    const auto place = places_.find(seat);
    canceller = std::move(place->second.canceller);
    places_.erase(place);
    if (places_.empty()) {
      ending = std::move(threads_);
    }
  }
  {
    const std::lock_guard lock(canceller->mutex);
    canceller->cancel = nullptr;
  }
  if (ending != nullptr) {  // both at once, then their destructors wait
    ending->server.request_stop();
    ending->tables.request_stop();
  }
}

unsigned ServerWatch::workers_for(unsigned wanted) {
  const std::lock_guard lock(mutex_);
  return law_.workers_for(wanted);
}

std::vector<std::string> ServerWatch::notes() const {
  const std::lock_guard lock(mutex_);
  return law_.notes();
}

std::optional<Target> ServerWatch::first_target() const {
  const std::lock_guard lock(mutex_);
  return places_.empty() ? std::nullopt : std::optional(places_.begin()->second.target);
}

std::vector<std::int64_t> ServerWatch::our_pids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t> pids;
  for (const auto& [id, seat] : law_.seats()) {
    pids.push_back(seat.backend_pid);
  }
  return pids;
}

/// Not under the lock of all: a cancel request travels to the server and back.
void ServerWatch::cancel(const std::vector<SeatId>& seats) {
  for (const SeatId seat : seats) {
    std::shared_ptr<Canceller> canceller;
    {
      const std::lock_guard lock(mutex_);
      if (const auto place = places_.find(seat); place != places_.end()) {
        canceller = place->second.canceller;
      }
    }
    if (canceller != nullptr) {
      const std::lock_guard lock(canceller->mutex);
      if (canceller->cancel) {
        canceller->cancel();
      }
    }
  }
}

void ServerWatch::read_server(const std::stop_token& stop) {
  WatchSession session(sessions_, clock_);
  SteadyTime next_signals = SteadyTime::min();
  while (!stop.stop_requested()) {
    const SteadyTime asked = clock_.now();
    const std::optional<Target> target = first_target();
    if (target && session.get(*target, stop) == nullptr) {
      note_no_session(session.error());
    } else if (target && read_blocked(session, stop) && asked >= next_signals) {
      next_signals = asked + BatchThrottle::kInterval;
      read_signals(session, stop);
    }
    clock_.wait_until(asked + kBlockedInterval, stop);
  }
}

/// False: the session is gone.
bool ServerWatch::read_blocked(WatchSession& session, const std::stop_token& stop) {
  const SteadyTime asked = clock_.now();
  const Statement statement{blocked_statement(session.server_version()), {pid_array(our_pids())}};
  const Exchange exchange = session.ask(std::span(&statement, 1), stop);
  std::vector<SeatId> to_cancel;
  {
    const std::lock_guard lock(mutex_);
    if (exchange.ok()) {
      to_cancel = law_.read_blocked(blocked_of(exchange.results.front()), asked);
    } else if (!stop.stop_requested()) {
      note_failure(BatchSignal::blocked, *exchange.error);
    }
  }
  cancel(to_cancel);
  return session.is_open();
}

void ServerWatch::read_signals(WatchSession& session, const std::stop_token& stop) {
  const Statement rights{kRightsStatement};
  const Exchange exchange = session.ask(std::span(&rights, 1), stop);
  const bool has_rights = exchange.ok() && truth_of(exchange.results.front().rows.at(0).at(0));
  for (const SignalQuestion& question : signal_questions()) {
    if (!session.is_open()) {
      return;  // the next round tells what became of it
    }
    read_signal(session, question, has_rights, stop);
  }
  const std::lock_guard lock(mutex_);
  law_.observe(clock_.now());
}

void ServerWatch::read_signal(WatchSession& session,
                              const SignalQuestion& question,
                              bool has_rights,
                              const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    if (law_.is_left_out(question.signal)) {
      return;
    }
    if (question.needs == SignalQuestion::Needs::rights && !has_rights) {
      law_.refused(question.signal, "the role is not a member of pg_read_all_stats");
      return;
    }
  }
  const SteadyTime asked = clock_.now();
  Statement statement{question.sql};
  if (question.takes == SignalQuestion::Takes::our_pids) {
    statement.params.emplace_back(pid_array(our_pids()));
  }
  const Exchange exchange = session.ask(std::span(&statement, 1), stop);
  const std::lock_guard lock(mutex_);
  if (exchange.ok()) {
    question.note(exchange.results.front(), law_, asked);
  } else if (!stop.stop_requested()) {
    note_failure(question.signal, *exchange.error);
  }
}

void ServerWatch::note_failure(BatchSignal signal, const SqlError& error) {
  if (is_refusal(error)) {
    law_.refused(signal, error.message);
  } else {
    law_.failed(signal, error.message);
  }
}

void ServerWatch::note_no_session(const std::string& error) {
  const std::lock_guard lock(mutex_);
  for (const BatchSignal signal : kAllSignals) {
    law_.failed(signal, error);
  }
}

void ServerWatch::read_tables(const std::stop_token& stop) {
  Sessions sessions;
  while (!stop.stop_requested()) {
    const SteadyTime asked = clock_.now();
    for (const TableQuestion& question : table_questions(sessions)) {
      WatchSession& session =
          sessions.try_emplace(question.target.database, sessions_, clock_).first->second;
      if (!stop.stop_requested()) {
        read_table(session, question, stop);
      }
    }
    clock_.wait_until(asked + kBlockedInterval, stop);
  }
}

/// What is due, and closes sessions of databases that no seat is in any more.
std::vector<ServerWatch::TableQuestion> ServerWatch::table_questions(Sessions& sessions) {
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions, [&](const auto& session) {
    return std::none_of(places_.begin(), places_.end(), [&](const auto& place) {
      return place.second.target.database == session.first;
    });
  });
  const std::map<SeatId, ThrottleSeat> seats = law_.seats();
  std::vector<TableQuestion> questions;
  for (const SeatId id : law_.due(clock_.now())) {
    const Place& place = places_.at(id);
    const std::int64_t oid = seats.at(id).table_oid;
    const auto same = std::find_if(questions.begin(), questions.end(), [&](const auto& question) {
      return question.table_oid == oid && question.query == place.query &&
             question.target.database == place.target.database &&
             question.target.schema == place.target.schema;
    });
    if (same == questions.end()) {
      questions.push_back({place.target, oid, place.query, {id}});
    } else {
      same->seats.push_back(id);
    }
  }
  return questions;
}

/// The throttle query sees its tenant's schema, and travels behind what says so, in one
/// transaction.
void ServerWatch::read_table(WatchSession& session,
                             const TableQuestion& question,
                             const std::stop_token& stop) {
  const SteadyTime asked = clock_.now();
  std::optional<TableReading> table;
  std::optional<bool> waits = false;
  std::string error;
  if (session.get(question.target, stop) == nullptr) {
    error = session.error();
  } else {
    std::vector<Statement> statements{{kTableStatement, {std::to_string(question.table_oid)}}};
    if (!question.query.empty()) {
      statements.push_back({kSchemaStatement, {quoted_identifier(question.target.schema)}});
      statements.push_back({question.query, {}, Author::migration});
    }
    const Exchange exchange = session.ask(statements, stop);
    if (exchange.ok()) {
      table = table_of(exchange.results.front());
      waits = question.query.empty() ? false : query_says_wait(exchange.results.back());
      error = waits ? "" : "it answers neither a truth nor a number";
    } else {
      error = exchange.error->message;
    }
  }
  if (stop.stop_requested()) {
    return;  // a question that was cut short says nothing
  }
  const std::lock_guard lock(mutex_);
  for (const SeatId seat : question.seats) {
    if (error.empty()) {
      law_.read_query(seat, *waits);
      law_.read_table(seat, *table, asked);
    } else {
      law_.table_failed(seat, error, asked);
    }
  }
}

}  // namespace drover::engine::batch
