#include "tests/support/fake_session.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace drover::test {

using engine::Author;
using engine::Exchange;
using engine::Patience;
using engine::ResultSet;
using engine::SqlError;
using engine::Statement;
using Origin = engine::SqlError::Origin;

namespace {

constexpr std::size_t kKeptRows = 100;  // as real sessions keep of a migration's statement
constexpr std::array<std::string_view, 5> kTransactionWords = {
    "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"};

std::string_view first_word(std::string_view sql) {
  return sql.substr(0, std::min(sql.find_first_of(" ;\n"), sql.size()));
}

bool is_transaction_control(std::string_view sql) {
  return std::find(kTransactionWords.begin(), kTransactionWords.end(), first_word(sql)) !=
         kTransactionWords.end();
}

bool holds_nul(const Statement& statement) {
  return statement.sql.find('\0') != std::string_view::npos ||
         std::any_of(statement.params.begin(), statement.params.end(), [](const auto& value) {
           return value && value->find('\0') != std::string::npos;
         });
}

SqlError failure(Origin origin, std::string sqlstate, std::string message) {
  SqlError error;
  error.origin = origin;
  error.sqlstate = std::move(sqlstate);
  error.message = std::move(message);
  return error;
}

std::optional<SqlError> impatience(const Patience& patience) {
  if (patience.stop.stop_requested()) {
    return failure(Origin::stopped, "", "stopped during a statement");
  }
  if (patience.deadline != engine::SteadyTime::max() &&
      std::chrono::steady_clock::now() >= patience.deadline) {
    return failure(Origin::deadline, "", "the deadline passed during a statement");
  }
  return std::nullopt;
}

}  // namespace

FakeAnswer FakeAnswer::rows(std::vector<std::vector<engine::SqlValue>> rows,
                            std::vector<std::string> columns) {
  FakeAnswer answer;
  answer.what = ResultSet{std::move(columns), std::move(rows), 0};
  return answer;
}

FakeAnswer FakeAnswer::affected(std::uint64_t count) {
  FakeAnswer answer;
  answer.what = ResultSet{{}, {}, count};
  return answer;
}

FakeAnswer FakeAnswer::error(std::string sqlstate, std::string message, std::size_t position) {
  FakeAnswer answer;
  SqlError error = failure(Origin::server, std::move(sqlstate), std::move(message));
  error.position = position;
  answer.what = std::move(error);
  return answer;
}

void FakeServer::on(std::string start, FakeHandler handler) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({std::move(start), std::move(handler), -1});
}

void FakeServer::on(std::string start, FakeAnswer answer) {
  on(std::move(start),
     [answer = std::move(answer)](FakeTables&, const Statement&) { return answer; });
}

void FakeServer::on_next(std::string start, FakeAnswer answer, int times) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({std::move(start),
                    [answer = std::move(answer)](FakeTables&, const Statement&) { return answer; },
                    times});
}

void FakeServer::refuse_next(SqlError error, int times) {
  const std::lock_guard lock(mutex_);
  refusals_.insert(refusals_.end(), static_cast<std::size_t>(times), error);
}

void FakeServer::kill_sessions() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  changed_.notify_all();
}

FakeTables FakeServer::tables() const {
  const std::lock_guard lock(mutex_);
  return tables_;
}

std::vector<std::string> FakeServer::sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

int FakeServer::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

int FakeServer::exchanges() const {
  const std::lock_guard lock(mutex_);
  return exchanges_;
}

/// By the last rule that fits. Under mutex_.
FakeAnswer FakeServer::answer(const Statement& statement) {
  sent_.emplace_back(statement.sql);
  const auto rule = std::find_if(rules_.rbegin(), rules_.rend(), [&](const Rule& candidate) {
    return candidate.left != 0 && statement.sql.starts_with(candidate.start);
  });
  if (rule == rules_.rend()) {
    return FakeAnswer::error("42601", fmt::format("no rule fits: {}", statement.sql), 1);
  }
  rule->left -= rule->left > 0 ? 1 : 0;
  return rule->handler(tables_, statement);
}

/// Has no name outside: tests see a Session.
class FakeSession final : public engine::Session {
 public:
  FakeSession(FakeServer& server, int generation, std::int64_t backend_pid)
      : server_(server), generation_(generation), info_{150000, backend_pid} {}
  FakeSession(const FakeSession&) = delete;
  FakeSession& operator=(const FakeSession&) = delete;

  ~FakeSession() override {
    const std::lock_guard lock(server_.mutex_);
    roll_back();
  }

  engine::Dialect dialect() const noexcept override { return server_.dialect_; }
  const engine::SessionInfo& info() const noexcept override { return info_; }
  bool alive() const noexcept override { return alive_; }
  bool in_transaction() const noexcept override { return alive_ && before_.has_value(); }

  Exchange exchange(std::span<const Statement> statements, const Patience& patience) override {
    std::unique_lock lock(server_.mutex_);
    Exchange exchange;
    cancelled_ = false;
    exchange.error = refuse_before_sending(statements, patience);
    if (exchange.error) {
      return exchange;
    }
    ++server_.exchanges_;
    const bool implicit = !before_ && server_.dialect_ == engine::Dialect::postgres;
    const FakeTables at_start = server_.tables_;
    for (const Statement& statement : statements) {
      exchange.error = run(statement, patience, exchange, lock);
      if (exchange.error) {
        break;
      }
    }
    if (exchange.error && exchange.error->origin == Origin::server && implicit && !before_) {
      server_.tables_ = at_start;  // one message is one implicit transaction
    }
    return exchange;
  }

  void cancel() noexcept override {
    const std::lock_guard lock(server_.mutex_);
    cancelled_ = true;
    server_.changed_.notify_all();
  }

 private:
  std::optional<SqlError> refuse_before_sending(std::span<const Statement> statements,
                                                const Patience& patience) {
    if (alive_ && generation_ != server_.generation_) {
      return die(failure(
          Origin::connection, "57P01", "terminating connection due to administrator command"));
    }
    if (!alive_) {
      return failure(Origin::connection, "", "the session is closed");
    }
    if (std::optional<SqlError> over = impatience(patience)) {
      return die(std::move(*over));
    }
    for (const Statement& statement : statements) {
      if (holds_nul(statement)) {
        return failure(Origin::refused, "", "a statement holds a NUL character");
      }
      if (statement.author == Author::migration && is_transaction_control(statement.sql)) {
        return failure(Origin::refused,
                       "",
                       fmt::format("transaction control ({}) is not possible in a migration",
                                   first_word(statement.sql)));
      }
    }
    return std::nullopt;
  }

  /// Ends the session; an open transaction is rolled back.
  SqlError die(SqlError error) {
    alive_ = false;
    roll_back();
    return error;
  }

  void roll_back() {
    if (before_) {
      server_.tables_ = *std::exchange(before_, std::nullopt);
    }
  }

  std::optional<SqlError> run(const Statement& statement,
                              const Patience& patience,
                              Exchange& exchange,
                              std::unique_lock<std::mutex>& lock) {
    const std::string_view word = first_word(statement.sql);
    if (failed_ && word != "ROLLBACK") {
      return failure(Origin::server,
                     "25P02",
                     "current transaction is aborted, commands ignored until end of transaction "
                     "block");
    }
    FakeAnswer answer;
    const bool has_rule = std::any_of(
        server_.rules_.begin(), server_.rules_.end(), [&](const FakeServer::Rule& rule) {
          return rule.left != 0 && !rule.start.empty() && statement.sql.starts_with(rule.start);
        });
    if (has_rule || !is_transaction_control(statement.sql)) {
      answer = server_.answer(statement);
    } else {
      server_.sent_.emplace_back(statement.sql);
    }
    exchange.notices.insert(exchange.notices.end(), answer.notices.begin(), answer.notices.end());
    return settle(std::move(answer), statement, patience, exchange, lock);
  }

  std::optional<SqlError> settle(FakeAnswer answer,
                                 const Statement& statement,
                                 const Patience& patience,
                                 Exchange& exchange,
                                 std::unique_lock<std::mutex>& lock) {
    if (auto* const error = std::get_if<SqlError>(&answer.what)) {
      failed_ = before_.has_value() && server_.dialect_ == engine::Dialect::postgres;
      return std::move(*error);
    }
    if (const auto* const lost = std::get_if<FakeAnswer::Lose>(&answer.what)) {
      if (first_word(statement.sql) == "COMMIT") {
        before_.reset();  // it ran; only the answer is lost
      }
      return die(
          failure(Origin::connection, lost->sqlstate, "server closed the connection unexpectedly"));
    }
    if (std::holds_alternative<FakeAnswer::Hang>(answer.what)) {
      return hang(patience, lock);
    }
    move_transaction(first_word(statement.sql), statement.sql);
    ResultSet result = std::move(std::get<ResultSet>(answer.what));
    if (statement.author == Author::migration && result.rows.size() > kKeptRows) {
      result.rows.resize(kKeptRows);
    }
    exchange.results.push_back(std::move(result));
    return std::nullopt;
  }

  SqlError hang(const Patience& patience, std::unique_lock<std::mutex>& lock) {
    const auto over = [&] { return cancelled_ || generation_ != server_.generation_; };
    const auto limit =
        std::min(patience.deadline, std::chrono::steady_clock::now() + std::chrono::hours(1));
    server_.changed_.wait_until(lock, patience.stop, limit, over);
    if (std::optional<SqlError> impatient = impatience(patience)) {
      return die(std::move(*impatient));
    }
    if (generation_ != server_.generation_) {
      return die(failure(
          Origin::connection, "57P01", "terminating connection due to administrator command"));
    }
    failed_ = before_.has_value();
    const bool is_sqlite = server_.dialect_ == engine::Dialect::sqlite;
    return failure(Origin::server,
                   is_sqlite ? "SQLITE_INTERRUPT" : "57014",
                   "canceling statement due to user request");
  }

  void move_transaction(std::string_view word, std::string_view sql) {
    if (word == "BEGIN" && !before_) {
      before_ = server_.tables_;
    } else if (word == "COMMIT") {
      before_.reset();
    } else if (word == "ROLLBACK" && sql.find(" TO ") == std::string_view::npos) {
      roll_back();
    }
    failed_ = failed_ && word != "ROLLBACK";
  }

  FakeServer& server_;
  const int generation_;
  const engine::SessionInfo info_;
  bool alive_ = true;
  bool failed_ = false;               // inside a transaction that can only be rolled back
  bool cancelled_ = false;            // guarded by the server's mutex
  std::optional<FakeTables> before_;  // what a ROLLBACK goes back to
};

engine::OpenResult FakeSessionFactory::open(const engine::Target& /*target*/,
                                            const engine::OpenOptions& /*options*/,
                                            const Patience& patience) {
  const std::lock_guard lock(server_.mutex_);
  if (std::optional<SqlError> over = impatience(patience)) {
    return {nullptr, std::move(over)};
  }
  if (!server_.refusals_.empty()) {
    SqlError error = std::move(server_.refusals_.front());
    server_.refusals_.erase(server_.refusals_.begin());
    return {nullptr, std::move(error)};
  }
  const int number = ++server_.connections_;
  return {std::make_unique<FakeSession>(server_, server_.generation_, number), std::nullopt};
}

}  // namespace drover::test
