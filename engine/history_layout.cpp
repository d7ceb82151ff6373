// The tables of a tenant's history: how they are made, and how they go.

#include <algorithm>

#include <fmt/format.h>

#include "engine/history.h"
#include "engine/sql_value.h"

namespace drover::engine {
namespace {

// The layout. Texts have a length where everything has one, so that PostgreSQL makes no TOAST table
// with its index for them: with none, first contact costs a quarter less, and a fleet has that many
// relations fewer. (It makes one where a row may be longer than 2,032 bytes, at 4 bytes a letter.)
// What is longer is cut off: the journal of the run has all of it. Ids are ordered bytewise.
// drover_events is append-only: nothing here updates or deletes in it.

constexpr std::string_view kCreatePostgres[] = {
    R"(CREATE TABLE {p}drover_tenant (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  format integer NOT NULL,
  uid varchar(36) NOT NULL,
  environment varchar(128) NOT NULL,
  production boolean NOT NULL,
  epoch bigint NOT NULL,
  in_progress varchar(128) NOT NULL,
  at_batch varchar(160) NOT NULL))",
    R"(CREATE TABLE {p}drover_revisions (
  revision varchar(128) COLLATE "C" PRIMARY KEY,
  epoch bigint NOT NULL,
  up_sha256 varchar(64) NOT NULL,
  down_sha256 varchar(64) NOT NULL,
  chain_sha256 varchar(64) NOT NULL,
  applied_at timestamptz NOT NULL,
  applied_by varchar(96) NOT NULL,
  run varchar(40) NOT NULL,
  duration_ms bigint NOT NULL))",
    R"(CREATE TABLE {p}drover_events (
  epoch bigint NOT NULL,
  at timestamptz NOT NULL,
  kind varchar(16) NOT NULL,
  revision varchar(128) NOT NULL,
  who varchar(96) NOT NULL,
  run varchar(40) NOT NULL,
  detail varchar(200) NOT NULL))",
    R"(CREATE TABLE {p}drover_steps (
  revision varchar(128) COLLATE "C" NOT NULL,
  direction varchar(4) NOT NULL,
  unit integer NOT NULL,
  statement integer NOT NULL,
  sha256 varchar(64) NOT NULL,
  state varchar(8) NOT NULL,
  at timestamptz NOT NULL,
  pid bigint NOT NULL,
  PRIMARY KEY (revision, direction, unit, statement)))",
    // $1 format, $2 environment, $3 production
    R"(INSERT INTO {p}drover_tenant
VALUES (true, $1::integer, pg_catalog.gen_random_uuid()::text, $2, $3::boolean, 0, '', '')
RETURNING uid)",
};

constexpr std::string_view kCreateSqlite[] = {
    R"(CREATE TABLE drover_tenant (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  format INTEGER NOT NULL,
  uid TEXT NOT NULL,
  environment TEXT NOT NULL,
  production INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  in_progress TEXT NOT NULL,
  at_batch TEXT NOT NULL))",
    R"(CREATE TABLE drover_revisions (
  revision TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  up_sha256 TEXT NOT NULL,
  down_sha256 TEXT NOT NULL,
  chain_sha256 TEXT NOT NULL,
  applied_at TEXT NOT NULL,
  applied_by TEXT NOT NULL,
  run TEXT NOT NULL,
  duration_ms INTEGER NOT NULL) WITHOUT ROWID)",
    R"(CREATE TABLE drover_events (
  epoch INTEGER NOT NULL,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  revision TEXT NOT NULL,
  who TEXT NOT NULL,
  run TEXT NOT NULL,
  detail TEXT NOT NULL))",
    R"(CREATE TABLE drover_steps (
  revision TEXT NOT NULL,
  direction TEXT NOT NULL,
  unit INTEGER NOT NULL,
  statement INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  state TEXT NOT NULL,
  at TEXT NOT NULL,
  pid INTEGER NOT NULL,
  PRIMARY KEY (revision, direction, unit, statement)) WITHOUT ROWID)",
    // ?1 format, ?2 environment, ?3 production
    R"(INSERT INTO drover_tenant
VALUES (1, CAST(?1 AS INTEGER), lower(hex(randomblob(16))), ?2, CAST(?3 AS INTEGER), 0, '', '')
RETURNING uid)",
};

/// All that Drover keeps in a tenant, with what batches made (batch_layout.cpp) where they did.
constexpr std::string_view kTables[] = {"drover_batch_parked",
                                        "drover_batch_ranges",
                                        "drover_batches",
                                        "drover_steps",
                                        "drover_events",
                                        "drover_revisions",
                                        "drover_tenant"};

}  // namespace

std::vector<OwnedStatement> HistoryTables::create(const std::string& environment,
                                                  bool production) const {
  std::vector<OwnedStatement> statements;
  const auto add = [&](std::string_view sql) {
    std::string text(sql);
    for (std::size_t at = text.find("{p}"); at != std::string::npos; at = text.find("{p}", at)) {
      text.replace(at, 3, prefix_);
    }
    statements.push_back({std::move(text)});
  };
  if (dialect_ == Dialect::postgres) {
    std::for_each(std::begin(kCreatePostgres), std::end(kCreatePostgres), add);
  } else {
    std::for_each(std::begin(kCreateSqlite), std::end(kCreateSqlite), add);
  }
  statements.back().params = {
      std::to_string(kHistoryFormat), environment, parameter_of(production)};
  return statements;
}

std::vector<OwnedStatement> HistoryTables::create_missing() const {
  std::vector<OwnedStatement> statements = create("", false);
  const auto replace = [](std::string& sql, std::string_view old, std::string_view now) {
    const std::size_t at = sql.find(old);
    if (at != std::string::npos) {
      sql.replace(at, old.size(), now);
    }
  };
  for (OwnedStatement& statement : statements) {
    replace(statement.sql, "CREATE TABLE", "CREATE TABLE IF NOT EXISTS");
    replace(statement.sql, "RETURNING uid", "ON CONFLICT DO NOTHING");
  }
  return statements;
}

std::vector<OwnedStatement> HistoryTables::drop() const {
  std::vector<OwnedStatement> statements;
  for (const std::string_view name : kTables) {
    statements.push_back({fmt::format("DROP TABLE IF EXISTS {}", table(name))});
  }
  return statements;
}

}  // namespace drover::engine
