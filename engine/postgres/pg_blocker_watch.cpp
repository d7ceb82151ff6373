#include "engine/postgres/pg_blocker_watch.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine::postgres {
namespace {

/// How long one question, and connecting for it, may take: other servers are waiting.
constexpr Milliseconds kAskLimit{2'000};

/// For each of our backends the first that blocks it. $1: pids of ours.
constexpr std::string_view kBlockers = R"(
SELECT DISTINCT ON (o.pid) o.pid, b.pid, a.application_name, a.usename, a.state,
       pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.xact_start)
  FROM pg_catalog.unnest($1::integer[]) AS o (pid)
 CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(o.pid))
       WITH ORDINALITY AS b (pid, nth)
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
 ORDER BY o.pid, b.nth)";

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

PgBlockerWatch::~PgBlockerWatch() {
  thread_.request_stop();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void PgBlockerWatch::begin(const Target& target, std::int64_t pid) {
  if (target.dialect != Dialect::postgres) {
    return;
  }
  const std::lock_guard lock(servers_mutex_);
  const bool first = servers_.empty();
  auto [server, is_new] = servers_.try_emplace(target.server);
  if (is_new) {
    server->second.target = target;
  }
  server->second.statements[pid] = {now()};
  if (!thread_.joinable()) {
    start_thread();
  } else if (first) {
    first_begun_.notify_one();
  }
}

std::optional<Blocker> PgBlockerWatch::end(const Target& target, std::int64_t pid) {
  const std::lock_guard lock(servers_mutex_);
  const auto server = servers_.find(target.server);
  if (server == servers_.end()) {
    return std::nullopt;
  }
  auto& statements = server->second.statements;
  const auto statement = statements.find(pid);
  if (statement == statements.end()) {
    return std::nullopt;
  }
  std::optional<Blocker> blocker = std::move(statement->second.blocker);
  statements.erase(statement);
  if (statements.empty()) {
    servers_.erase(server);
  }
  return blocker;
}

void PgBlockerWatch::start_thread() {
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  } catch (const std::system_error&) {
    // No thread to be had: blockers stay unknown, and statements run all the same.
  }
}

void PgBlockerWatch::run(const std::stop_token& stop) {
  Sessions open;
  std::unique_lock lock(servers_mutex_);
  while (!stop.stop_requested()) {
    const SteadyTime asked = now();
    SteadyTime next = SteadyTime::max();
    const std::vector<Question> questions = questions_at(asked, next);
    lock.unlock();
    close_unneeded(open, questions);
    std::vector<Answer> answers;
    answers.reserve(questions.size());
    for (const Question& question : questions) {
      answers.push_back(ask(open, question, stop));
    }
    lock.lock();
    for (std::size_t i = 0; i < questions.size(); ++i) {
      note(questions[i], answers[i], asked);
    }
    if (servers_.empty()) {
      first_begun_.wait(lock, stop, [this] { return !servers_.empty(); });
    } else {
      const SteadyTime until = now() + kInterval;
      first_begun_.wait_until(
          lock, stop, questions.empty() ? std::min(next, until) : until, [] { return false; });
    }
  }
}

void PgBlockerWatch::close_unneeded(Sessions& open, const std::vector<Question>& questions) {
  std::erase_if(open, [&](const auto& session) {
    return std::none_of(questions.begin(), questions.end(), [&](const Question& question) {
      return question.server == session.first;
    });
  });
}

/// What is to be asked at `now`; `next` is when the youngest other statement will be slow.
std::vector<PgBlockerWatch::Question> PgBlockerWatch::questions_at(SteadyTime now,
                                                                   SteadyTime& next) const {
  std::vector<Question> questions;
  for (const auto& [name, server] : servers_) {
    Question question{name, server.target, {}};
    for (const auto& [pid, statement] : server.statements) {
      const SteadyTime slow_at = statement.since + kSlow;
      if (slow_at <= now) {
        question.pids.push_back(pid);
      } else {
        next = std::min(next, slow_at);
      }
    }
    if (!question.pids.empty()) {
      questions.push_back(std::move(question));
    }
  }
  return questions;
}

PgBlockerWatch::Answer PgBlockerWatch::ask(Sessions& open,
                                           const Question& question,
                                           const std::stop_token& stop) {
  Answer answer;
  const Patience patience{now() + kAskLimit, stop};
  std::unique_ptr<Session>& session = open[question.server];
  if (!session) {
    Target direct = question.target;
    direct.pooled.clear();
    OpenOptions options;
    options.purpose = OpenOptions::Purpose::read;
    options.application_name = "drover watch";
    session = sessions_.open(direct, options, patience).session;
  }
  if (!session) {
    return answer;
  }
  const Statement statement{kBlockers, {fmt::format("{{{}}}", fmt::join(question.pids, ","))}};
  const Exchange exchange = session->exchange(std::span(&statement, 1), patience);
  if (!session->alive()) {
    session.reset();
  }
  if (exchange.ok()) {
    for (const auto& row : exchange.results.front().rows) {
      answer[integer_of(row[0])] = {
          integer_of(row[1]), text_of(row[2]), text_of(row[3]), text_of(row[4]), text_of(row[5])};
    }
  }
  return answer;
}

/// A statement that is blocked no longer keeps the last blocker that was seen.
void PgBlockerWatch::note(const Question& question, const Answer& answer, SteadyTime asked) {
  const auto server = servers_.find(question.server);
  if (server == servers_.end()) {
    return;
  }
  for (const auto& [pid, blocker] : answer) {
    const auto statement = server->second.statements.find(pid);
    const bool same = statement != server->second.statements.end() &&
                      statement->second.since + kSlow <= asked;  // not a later one of that pid
    if (same) {
      statement->second.blocker = blocker;
    }
  }
}

}  // namespace drover::engine::postgres
