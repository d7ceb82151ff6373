/// Sees who stands in the way of our statements on PostgreSQL servers.
///
/// One thread, started by the first statement, and one session per server, open only while a
/// statement of ours there is older than kSlow. Every kInterval it asks about all of them in one
/// query. What it cannot learn it leaves out: a server that does not answer, rights that are
/// missing. Statements are never delayed by it.
///
/// Thread safety: all functions from any thread.
/// Errors: none; without a thread or a session it sees nothing.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "engine/blocker_watch.h"

namespace drover::engine::postgres {

class PgBlockerWatch final : public BlockerWatch {
 public:
  static constexpr Milliseconds kSlow{200};
  static constexpr Milliseconds kInterval{250};

  /// `sessions` must outlive the watch.
  explicit PgBlockerWatch(SessionFactory& sessions) : sessions_(sessions) {}
  ~PgBlockerWatch() override;

  void begin(const Target& target, std::int64_t pid) override;
  std::optional<Blocker> end(const Target& target, std::int64_t pid) override;

 private:
  struct Watched {
    SteadyTime since;
    std::optional<Blocker> blocker = {};  // the last that was seen
  };
  struct Server {
    Target target;  // of the statement that came first; its session may look at all others
    std::map<std::int64_t, Watched> statements = {};  // by the pid that runs them
  };
  struct Question {
    std::string server;
    Target target;
    std::vector<std::int64_t> pids;
  };
  using Answer = std::map<std::int64_t, Blocker>;
  using Sessions = std::map<std::string, std::unique_ptr<Session>>;

  void start_thread();
  void run(const std::stop_token& stop);
  std::vector<Question> questions_at(SteadyTime now, SteadyTime& next) const;
  Answer ask(Sessions& open, const Question& question, const std::stop_token& stop);
  void note(const Question& question, const Answer& answer, SteadyTime asked);
  static void close_unneeded(Sessions& open, const std::vector<Question>& questions);

  SessionFactory& sessions_;
  mutable std::mutex servers_mutex_;         // guards all below
  std::condition_variable_any first_begun_;  // there was no statement, and now there is one
  std::map<std::string, Server> servers_;    // by Target::server; none without a statement
  std::jthread thread_;
};

}  // namespace drover::engine::postgres
