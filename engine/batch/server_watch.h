/// One server, as its batches see it: its law, and the threads that read it.
///
/// Two threads live while there is a seat. One reads the server by one session: every
/// kBlockedInterval who waits for our backends, every BatchThrottle::kInterval the rest. The other
/// reads tables and throttle queries, by one session for each database with seats that last; a slow
/// query holds up only itself and its like. The law outlives them: debts and the number of workers
/// are the server's.
///
/// Thread safety: any thread, any function.
/// Errors: none; what cannot be read makes seats wait.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/batch/server_signals.h"
#include "engine/batch/watch_session.h"
#include "engine/batch_governor.h"
#include "engine/batch_throttle.h"

namespace drover::engine::batch {

class ServerWatch {
 public:
  /// batches.md 6.4: who is blocked for 500 ms must be seen in time (gh-ost polls at this pace
  /// too).
  static constexpr Milliseconds kBlockedInterval{100};

  /// `target` is any of the server; `sessions` and `clock` outlive the watch.
  ServerWatch(SessionFactory& sessions, Clock& clock, const Target& target, BatchLimits limits);
  ServerWatch(const ServerWatch&) = delete;
  ServerWatch& operator=(const ServerWatch&) = delete;
  ~ServerWatch();

  std::unique_ptr<BatchGovernor::Seat> enter(const Target& target, BatchSeatFacts facts);
  unsigned workers_for(unsigned wanted);
  std::vector<std::string> notes() const;

 private:
  class Seat;
  using SeatId = BatchThrottle::SeatId;

  /// How a seat's statements are cancelled. Shared with the thread that does it, and emptied when
  /// the seat leaves, which waits for a call that is under way.
  struct Canceller {
    std::mutex mutex;  // guards cancel
    std::function<void()> cancel;
  };

  struct Place {
    Target target;
    std::string query;
    std::shared_ptr<Canceller> canceller;
  };

  struct Threads {
    std::jthread server;
    std::jthread tables;
  };

  /// What is asked once, for all seats that want to know it.
  struct TableQuestion {
    Target target;
    std::int64_t table_oid = 0;
    std::string query;
    std::vector<SeatId> seats = {};
  };

  void start();
  void leave(SeatId seat);

  void read_server(const std::stop_token& stop);
  bool read_blocked(WatchSession& session, const std::stop_token& stop);
  void read_signals(WatchSession& session, const std::stop_token& stop);
  void read_signal(WatchSession& session,
                   const SignalQuestion& question,
                   bool has_rights,
                   const std::stop_token& stop);
  void note_failure(BatchSignal signal, const SqlError& error);
  void note_no_session(const std::string& error);
  std::optional<Target> first_target() const;
  std::vector<std::int64_t> our_pids() const;
  void cancel(const std::vector<SeatId>& seats);

  using Sessions = std::map<std::string, WatchSession>;  // by database
  void read_tables(const std::stop_token& stop);
  std::vector<TableQuestion> table_questions(Sessions& sessions);
  void read_table(WatchSession& session,
                  const TableQuestion& question,
                  const std::stop_token& stop);

  SessionFactory& sessions_;
  Clock& clock_;
  const bool watched_;        // SQLite is not
  mutable std::mutex mutex_;  // guards all below
  BatchThrottle law_;
  std::map<SeatId, Place> places_;
  std::unique_ptr<Threads> threads_;  // null without seats
};

}  // namespace drover::engine::batch
