/// Sessions with a database that does not exist: answers by rule, faults on demand.
///
/// A FakeServer is given rules: "a statement that starts with these words gets this answer". The
/// last rule that fits wins; a statement that no rule fits is a syntax error, so that a test says
/// all it relies on. BEGIN, COMMIT, ROLLBACK, SAVEPOINT and RELEASE need no rule: they move the
/// transaction state, and what handlers change in FakeTables within a transaction goes away with a
/// ROLLBACK. All sessions of a server share its tables; there is no isolation.
///
/// Thread safety: FakeServer and FakeSessionFactory from any thread. Handlers run under the
/// server's mutex.

#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/session.h"

namespace drover::test {

/// Rows by table name, in insertion order.
using FakeTables = std::map<std::string, std::vector<std::vector<engine::SqlValue>>>;

struct FakeAnswer {
  struct Hang {};  ///< Nothing comes, until the deadline, a stop or cancel().
  /// The connection breaks; `sqlstate` is what the server said before, if it did. What the handler
  /// changed is kept: the statement may well have run.
  struct Lose {
    std::string sqlstate = {};
  };

  std::variant<engine::ResultSet, engine::SqlError, Hang, Lose> what = engine::ResultSet();
  std::vector<engine::Notice> notices = {};

  static FakeAnswer rows(std::vector<std::vector<engine::SqlValue>> rows,
                         std::vector<std::string> columns = {});
  static FakeAnswer affected(std::uint64_t count);
  static FakeAnswer error(std::string sqlstate, std::string message, std::size_t position = 0);
};

using FakeHandler = std::function<FakeAnswer(FakeTables&, const engine::Statement&)>;

class FakeServer {
 public:
  explicit FakeServer(engine::Dialect dialect = engine::Dialect::postgres) : dialect_(dialect) {}

  /// `start` is compared with the first characters of the statement, as they are.
  void on(std::string start, FakeHandler handler);
  void on(std::string start, FakeAnswer answer);

  /// The same for the next `times` statements that fit; then older rules hold again.
  void on_next(std::string start, FakeAnswer answer, int times = 1);

  /// The next `times` connection attempts fail so.
  void refuse_next(engine::SqlError error, int times = 1);

  /// Every open session finds its connection broken at its next exchange.
  void kill_sessions();

  FakeTables tables() const;
  std::vector<std::string> sent() const;  ///< Statements that arrived, in order.
  int connections() const;                ///< Sessions that were opened.
  int exchanges() const;                  ///< Messages, which on PostgreSQL are round trips.

 private:
  friend class FakeSession;
  friend class FakeSessionFactory;

  struct Rule {
    std::string start;
    FakeHandler handler;
    int left;  // how often it may still be used; -1: for ever
  };

  FakeAnswer answer(const engine::Statement& statement);

  const engine::Dialect dialect_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable_any changed_;
  std::vector<Rule> rules_;
  std::vector<engine::SqlError> refusals_;
  FakeTables tables_;
  std::vector<std::string> sent_;
  int generation_ = 0;  // sessions of an older one are dead
  int connections_ = 0;
  int exchanges_ = 0;
};

/// Opens sessions with `server`, which must outlive the factory and its sessions. Targets are not
/// looked at.
class FakeSessionFactory final : public engine::SessionFactory {
 public:
  explicit FakeSessionFactory(FakeServer& server) : server_(server) {}

  engine::OpenResult open(const engine::Target& target,
                          const engine::OpenOptions& options,
                          const engine::Patience& patience) override;

 private:
  FakeServer& server_;
};

}  // namespace drover::test
