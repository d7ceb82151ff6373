#include <algorithm>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "tests/conformance/session_conformance.h"
#include "tests/support/fake_session.h"

using drover::engine::Dialect;
using drover::engine::Statement;
using drover::test::FakeAnswer;
using drover::test::FakeServer;
using drover::test::FakeSessionFactory;
using drover::test::FakeTables;

namespace {

constexpr drover::test::ConformanceTexts kTexts = {.create = "CREATE note",
                                                   .insert = "INSERT note",
                                                   .select = "SELECT note",
                                                   .update_all = "UPDATE note",
                                                   .echo = "ECHO",
                                                   .endless = "HANG",
                                                   .many_rows = "SELECT many",
                                                   .unknown_column = "SELECT nope",
                                                   .duplicate_state = "23505",
                                                   .unknown_state = "42703",
                                                   .cancelled_state = "57014"};

FakeAnswer insert_note(FakeTables& tables, const Statement& statement) {
  auto& notes = tables["note"];
  const bool there = std::any_of(notes.begin(), notes.end(), [&](const auto& row) {
    return row.front() == statement.params.front();
  });
  if (there) {
    return FakeAnswer::error("23505", "duplicate key value violates unique constraint");
  }
  notes.push_back(statement.params);
  return FakeAnswer::affected(1);
}

FakeAnswer select_notes(FakeTables& tables, const Statement&) {
  auto notes = tables["note"];
  std::sort(notes.begin(), notes.end());
  return FakeAnswer::rows(std::move(notes), {"id", "body"});
}

FakeAnswer update_notes(FakeTables& tables, const Statement&) {
  for (auto& row : tables["note"]) {
    row[1] = "changed";
  }
  return FakeAnswer::affected(tables["note"].size());
}

class FakeWorld final : public drover::test::SessionWorld {
 public:
  FakeWorld() {
    server_.on("CREATE note", FakeAnswer());
    server_.on("INSERT note", insert_note);
    server_.on("SELECT note", select_notes);
    server_.on("UPDATE note", update_notes);
    server_.on("ECHO", [](FakeTables&, const Statement& statement) {
      return FakeAnswer::rows({statement.params});
    });
    server_.on("HANG", FakeAnswer{FakeAnswer::Hang(), {}});
    server_.on("SELECT many", FakeAnswer::rows({5000, {"1"}}));
    server_.on("SELECT nope", FakeAnswer::error("42703", "column \"nope\" does not exist", 15));
  }

  drover::engine::SessionFactory& factory() override { return factory_; }
  drover::engine::Target fresh_target() override { return {}; }
  const drover::test::ConformanceTexts& texts() const override { return kTexts; }

 private:
  FakeServer server_;
  FakeSessionFactory factory_{server_};
};

}  // namespace

TEST_CASE("the fake session keeps what every session promises") {
  FakeWorld world;
  drover::test::check_session_conformance(world);
}

TEST_CASE("the fake server can lose a connection, refuse one, and kill all") {
  FakeServer server;
  FakeSessionFactory factory(server);
  server.on("SELECT 1", FakeAnswer::rows({{"1"}}));
  server.on_next("SELECT 1", FakeAnswer{FakeAnswer::Lose{"57P01"}, {}});

  auto session = drover::test::open_session(factory, {});
  const auto lost = drover::test::run(*session, "SELECT 1");
  REQUIRE(lost.error->origin == drover::engine::SqlError::Origin::connection);
  REQUIRE(lost.error->sqlstate == "57P01");
  REQUIRE_FALSE(session->alive());

  drover::engine::SqlError full;
  full.sqlstate = "53300";
  server.refuse_next(full);
  REQUIRE(factory.open({}, {}, {}).error->sqlstate == "53300");

  session = drover::test::open_session(factory, {});
  REQUIRE(drover::test::run(*session, "SELECT 1").ok());
  server.kill_sessions();
  REQUIRE(drover::test::run(*session, "SELECT 1").error->sqlstate == "57P01");
  REQUIRE(server.connections() == 2);
  REQUIRE(server.sent() == std::vector<std::string>{"SELECT 1", "SELECT 1"});
}

TEST_CASE("the fake server knows only what it was told") {
  FakeServer server;
  FakeSessionFactory factory(server);
  auto session = drover::test::open_session(factory, {});
  const auto exchange = drover::test::run(*session, "SELECT 2");
  REQUIRE(exchange.error->sqlstate == "42601");
  REQUIRE(exchange.error->message == "no rule fits: SELECT 2");
}
