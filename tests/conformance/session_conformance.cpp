#include "tests/conformance/session_conformance.h"

#include <chrono>
#include <future>
#include <stop_token>
#include <utility>

#include <catch2/catch.hpp>

namespace drover::test {

using engine::Author;
using engine::Exchange;
using engine::Milliseconds;
using engine::Patience;
using engine::Session;
using engine::SqlValue;
using engine::Statement;
using Origin = engine::SqlError::Origin;
using Rows = std::vector<std::vector<SqlValue>>;

namespace {

constexpr std::size_t kKeptRows = 100;

/// A session with the table in it.
struct Bench {
  explicit Bench(SessionWorld& world)
      : texts(world.texts()),
        target(world.fresh_target()),
        factory(world.factory()),
        session(open_session(factory, target)) {
    REQUIRE(run(*session, texts.create).ok());
  }

  Rows notes() { return rows_of(run(*session, texts.select)); }
  Statement insert(std::string id, SqlValue body) {
    return {texts.insert, {std::move(id), std::move(body)}};
  }

  const ConformanceTexts& texts;
  engine::Target target;
  engine::SessionFactory& factory;
  std::unique_ptr<Session> session;
};

void check_answers(SessionWorld& world) {
  SECTION("statements of one message run in order and each has its result") {
    Bench b(world);
    const std::vector<Statement> message = {
        b.insert("1", "one"), b.insert("2", "two"), {b.texts.update_all}, {b.texts.select}};
    const Exchange exchange = b.session->exchange(message, {});
    REQUIRE(exchange.ok());
    REQUIRE(exchange.results.size() == 4);
    REQUIRE(exchange.results[0].affected == 1);
    REQUIRE(exchange.results[2].affected == 2);
    REQUIRE(exchange.results[2].rows.empty());
    REQUIRE(exchange.results[3].affected == 0);
    REQUIRE(exchange.results[3].columns == std::vector<std::string>{"id", "body"});
    REQUIRE(exchange.results[3].rows == Rows{{"1", "changed"}, {"2", "changed"}});
  }
  SECTION("parameters are data, whatever they hold") {
    Bench b(world);
    const std::string hostile = "'; DROP TABLE note; -- \" \\ $1 ?1 %s {range} \n\t äöü 😀";
    REQUIRE(rows_of(run(*b.session, b.texts.echo, {hostile})) == Rows{{hostile}});
    REQUIRE(b.session->exchange(std::vector{b.insert("1", hostile)}, {}).ok());
    REQUIRE(b.notes() == Rows{{"1", hostile}});
  }
  SECTION("NULL is not the empty string") {
    Bench b(world);
    const std::vector<Statement> message = {b.insert("1", std::nullopt), b.insert("2", "")};
    REQUIRE(b.session->exchange(message, {}).ok());
    REQUIRE(b.notes() == Rows{{"1", std::nullopt}, {"2", ""}});
  }
  SECTION("a NUL is refused before anything is sent") {
    Bench b(world);
    const std::vector<Statement> message = {b.insert("1", "one"),
                                            b.insert("2", std::string("a\0b", 3))};
    const Exchange exchange = b.session->exchange(message, {});
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->origin == Origin::refused);
    REQUIRE(exchange.error->message == "a statement holds a NUL character");
    REQUIRE(exchange.results.empty());
    REQUIRE(b.notes().empty());
  }
  SECTION("an empty message is no error") {
    Bench b(world);
    REQUIRE(b.session->exchange({}, {}).ok());
    REQUIRE(b.session->alive());
  }
  SECTION("of a migration's rows some are kept, of ours all") {
    Bench b(world);
    REQUIRE(rows_of(run(*b.session, b.texts.many_rows)).size() == 5000);
    REQUIRE(rows_of(run_migration(*b.session, b.texts.many_rows)).size() == kKeptRows);
  }
}

void check_sizes(SessionWorld& world) {
  SECTION("a big message with a big answer arrives") {
    Bench b(world);
    const std::string big(8U << 20U, 'x');
    const Exchange exchange = run(*b.session, b.texts.echo, {big});
    REQUIRE(exchange.ok());
    REQUIRE((rows_of(exchange) == Rows{{big}}));  // in parentheses: not to be printed
  }
  SECTION("long messages both ways at once do not wait for each other") {
    Bench b(world);
    const std::string part(100'000, 'y');
    const std::vector<Statement> message(60, Statement{b.texts.echo, {part}});
    const Exchange exchange = b.session->exchange(message, {});
    REQUIRE(exchange.ok());
    REQUIRE(exchange.results.size() == message.size());
    REQUIRE((exchange.results.back().rows == Rows{{part}}));
  }
}

void check_errors(SessionWorld& world) {
  SECTION("the first error stops the message, and the number of results says where") {
    Bench b(world);
    REQUIRE(run(*b.session, "BEGIN").ok());
    const std::vector<Statement> message = {
        b.insert("1", "one"), b.insert("1", "again"), b.insert("2", "two")};
    const Exchange exchange = b.session->exchange(message, {});
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.results.size() == 1);
    REQUIRE(exchange.results[0].affected == 1);
    REQUIRE(exchange.error->origin == Origin::server);
    REQUIRE(exchange.error->sqlstate == b.texts.duplicate_state);
    REQUIRE_FALSE(exchange.error->message.empty());
    REQUIRE(b.session->alive());
    REQUIRE(b.session->in_transaction());
    REQUIRE(run(*b.session, "ROLLBACK").ok());
    REQUIRE_FALSE(b.session->in_transaction());
    REQUIRE(b.notes().empty());
  }
  SECTION("positions count characters, from one") {
    Bench b(world);
    const Exchange exchange = run(*b.session, b.texts.unknown_column);
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->sqlstate == b.texts.unknown_state);
    REQUIRE(exchange.error->position == 15);
    REQUIRE(exchange.results.empty());
    REQUIRE(b.session->alive());
    REQUIRE(b.notes().empty());
  }
  SECTION("a message can follow one that failed") {
    Bench b(world);
    const std::vector<Statement> message = {{b.texts.unknown_column}, {b.texts.select}};
    REQUIRE_FALSE(b.session->exchange(message, {}).ok());
    const std::vector<Statement> next = {b.insert("1", "one"), {b.texts.select}};
    REQUIRE(rows_of(b.session->exchange(next, {})) == Rows{{"1", "one"}});
  }
}

void check_transactions(SessionWorld& world) {
  SECTION("a transaction spans messages, and another session sees it when it is committed") {
    Bench b(world);
    REQUIRE_FALSE(b.session->in_transaction());
    REQUIRE(run(*b.session, "BEGIN").ok());
    REQUIRE(b.session->in_transaction());
    REQUIRE(b.session->exchange(std::vector{b.insert("1", "one")}, {}).ok());
    REQUIRE(run(*b.session, "COMMIT").ok());
    REQUIRE_FALSE(b.session->in_transaction());
    const auto other = open_session(b.factory, b.target);
    REQUIRE(rows_of(run(*other, b.texts.select)) == Rows{{"1", "one"}});
  }
  SECTION("a rollback takes everything back") {
    Bench b(world);
    const std::vector<Statement> message = {{"BEGIN"}, b.insert("1", "one"), {"ROLLBACK"}};
    REQUIRE(b.session->exchange(message, {}).ok());
    REQUIRE_FALSE(b.session->in_transaction());
    REQUIRE(b.notes().empty());
  }
  SECTION("a session that goes away takes its open transaction back") {
    Bench b(world);
    const std::vector<Statement> message = {{"BEGIN"}, b.insert("1", "one")};
    REQUIRE(b.session->exchange(message, {}).ok());
    b.session.reset();
    b.session = open_session(b.factory, b.target);
    REQUIRE(b.notes().empty());
  }
  SECTION("transaction control in a migration is refused") {
    Bench b(world);
    REQUIRE(run(*b.session, "BEGIN").ok());
    REQUIRE(b.session->exchange(std::vector{b.insert("1", "one")}, {}).ok());
    for (const char* const sql : {"COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT a"}) {
      const Exchange exchange = run_migration(*b.session, sql);
      INFO(sql);
      REQUIRE_FALSE(exchange.ok());
      REQUIRE(exchange.error->origin == Origin::refused);
      REQUIRE_THAT(exchange.error->message, Catch::StartsWith("transaction control ("));
    }
    REQUIRE(b.session->in_transaction());
    REQUIRE(run(*b.session, "ROLLBACK").ok());
    REQUIRE(b.notes().empty());
  }
}

void check_patience(SessionWorld& world) {
  SECTION("a deadline ends a long statement, and the session") {
    Bench b(world);
    const auto deadline = std::chrono::steady_clock::now() + Milliseconds(50);
    const std::vector<Statement> message = {b.insert("1", "one"), {b.texts.endless}};
    REQUIRE(run(*b.session, "BEGIN").ok());
    const Exchange exchange = b.session->exchange(message, {deadline, {}});
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->origin == Origin::deadline);
    REQUIRE(exchange.error->message == "the deadline passed during a statement");
    REQUIRE(exchange.results.size() <= 1);
    REQUIRE_FALSE(b.session->alive());
    REQUIRE_FALSE(b.session->in_transaction());
    const Exchange after = run(*b.session, b.texts.select);
    REQUIRE(after.error->origin == Origin::connection);
    REQUIRE(after.error->message == "the session is closed");
    b.session = open_session(b.factory, b.target);
    REQUIRE(b.notes().empty());
  }
  SECTION("a stop from another thread ends a long statement") {
    Bench b(world);
    std::stop_source stop;
    const Patience patience{engine::SteadyTime::max(), stop.get_token()};
    auto running = std::async(std::launch::async, [&] {
      return b.session->exchange(std::vector{Statement{b.texts.endless}}, patience);
    });
    REQUIRE(running.wait_for(Milliseconds(30)) == std::future_status::timeout);
    stop.request_stop();
    const Exchange exchange = running.get();
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->origin == Origin::stopped);
    REQUIRE(exchange.error->message == "stopped during a statement");
    REQUIRE_FALSE(b.session->alive());
  }
  SECTION("a patience that is over already sends nothing") {
    Bench b(world);
    std::stop_source stop;
    stop.request_stop();
    const Patience patience{engine::SteadyTime::max(), stop.get_token()};
    const Exchange exchange = b.session->exchange(std::vector{b.insert("1", "one")}, patience);
    REQUIRE(exchange.error->origin == Origin::stopped);
    b.session = open_session(b.factory, b.target);
    REQUIRE(b.notes().empty());
    const engine::OpenResult opened = b.factory.open(b.target, {}, patience);
    REQUIRE(opened.session == nullptr);
    REQUIRE(opened.error->origin == Origin::stopped);
  }
  SECTION("cancel ends the statement, not the session") {
    Bench b(world);
    b.session->cancel();  // harmless: nothing runs
    auto running = std::async(std::launch::async, [&] { return run(*b.session, b.texts.endless); });
    do {  // one that comes before the statement has no effect
      b.session->cancel();
    } while (running.wait_for(Milliseconds(10)) == std::future_status::timeout);
    const Exchange exchange = running.get();
    REQUIRE_FALSE(exchange.ok());
    REQUIRE(exchange.error->origin == Origin::server);
    REQUIRE(exchange.error->sqlstate == b.texts.cancelled_state);
    REQUIRE(b.session->alive());
  }
}

}  // namespace

void check_session_conformance(SessionWorld& world) {
  check_answers(world);
  check_sizes(world);
  check_errors(world);
  check_transactions(world);
  check_patience(world);
}

std::unique_ptr<Session> open_session(engine::SessionFactory& factory,
                                      const engine::Target& target,
                                      const engine::OpenOptions& options) {
  engine::OpenResult opened = factory.open(target, options, {});
  INFO((opened.error ? opened.error->message : "no error"));
  REQUIRE(opened.session != nullptr);
  REQUIRE_FALSE(opened.error.has_value());
  return std::move(opened.session);
}

Exchange run(Session& session, std::string_view sql, std::vector<SqlValue> params) {
  const Statement statement{sql, std::move(params)};
  return session.exchange({&statement, 1}, {});
}

Exchange run_migration(Session& session, std::string_view sql) {
  const Statement statement{sql, {}, Author::migration};
  return session.exchange({&statement, 1}, {});
}

Rows rows_of(const Exchange& exchange) {
  INFO((exchange.error ? exchange.error->message : "no error"));
  REQUIRE(exchange.ok());
  REQUIRE_FALSE(exchange.results.empty());
  return exchange.results.back().rows;
}

}  // namespace drover::test
