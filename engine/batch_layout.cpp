// The tables of batches: how they are made. Nothing that a batch updates is indexed, and there is
// room on the page, so that its row can move within it (HOT).

#include <array>
#include <string_view>

#include "engine/batch_tables.h"

namespace drover::engine {
namespace {

constexpr std::array<std::string_view, 3> kPostgres = {
    R"( (
  revision varchar(128) COLLATE "C" NOT NULL,
  unit integer NOT NULL,
  sha256 varchar(64) NOT NULL,
  state varchar(16) NOT NULL,
  background boolean NOT NULL,
  table_name text NOT NULL,
  table_oid bigint NOT NULL,
  scan varchar(8) NOT NULL,
  descending boolean NOT NULL,
  key_columns text NOT NULL,
  key_types text NOT NULL,
  estimated_rows bigint NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz,
  who varchar(96) NOT NULL,
  run varchar(40) NOT NULL,
  owner varchar(96) NOT NULL,
  seen_at timestamptz NOT NULL,
  redone integer NOT NULL,
  paused boolean NOT NULL,
  control_rows bigint,
  control_workers integer,
  control_wal bigint,
  control_nice double precision NOT NULL,
  control_by varchar(96) NOT NULL,
  PRIMARY KEY (revision, unit)) WITH (fillfactor = 50))",
    R"( (
  revision varchar(128) COLLATE "C" NOT NULL,
  unit integer NOT NULL,
  number integer NOT NULL,
  part text NOT NULL,
  first_key text,
  cursor_key text,
  end_key text NOT NULL,
  owner varchar(96) NOT NULL,
  done boolean NOT NULL,
  rows_seen bigint NOT NULL,
  rows_changed bigint NOT NULL,
  batches bigint NOT NULL,
  retries bigint NOT NULL,
  size bigint NOT NULL,
  wal_bytes bigint NOT NULL,
  busy_ms bigint NOT NULL,
  waited_ms bigint NOT NULL,
  waiting varchar(200) NOT NULL,
  last_error varchar(400) NOT NULL,
  PRIMARY KEY (revision, unit, number)) WITH (fillfactor = 50))",
    R"( (
  revision varchar(128) COLLATE "C" NOT NULL,
  unit integer NOT NULL,
  number integer NOT NULL,
  key text NOT NULL,
  sqlstate varchar(40) NOT NULL,
  message varchar(400) NOT NULL,
  at timestamptz NOT NULL))",
};

constexpr std::array<std::string_view, 3> kSqlite = {
    R"( (
  revision TEXT NOT NULL,
  unit INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  state TEXT NOT NULL,
  background INTEGER NOT NULL,
  table_name TEXT NOT NULL,
  table_oid INTEGER NOT NULL,
  scan TEXT NOT NULL,
  descending INTEGER NOT NULL,
  key_columns TEXT NOT NULL,
  key_types TEXT NOT NULL,
  estimated_rows INTEGER NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT,
  who TEXT NOT NULL,
  run TEXT NOT NULL,
  owner TEXT NOT NULL,
  seen_at TEXT NOT NULL,
  redone INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  control_rows INTEGER,
  control_workers INTEGER,
  control_wal INTEGER,
  control_nice REAL NOT NULL,
  control_by TEXT NOT NULL,
  PRIMARY KEY (revision, unit)) WITHOUT ROWID)",
    R"( (
  revision TEXT NOT NULL,
  unit INTEGER NOT NULL,
  number INTEGER NOT NULL,
  part TEXT NOT NULL,
  first_key TEXT,
  cursor_key TEXT,
  end_key TEXT NOT NULL,
  owner TEXT NOT NULL,
  done INTEGER NOT NULL,
  rows_seen INTEGER NOT NULL,
  rows_changed INTEGER NOT NULL,
  batches INTEGER NOT NULL,
  retries INTEGER NOT NULL,
  size INTEGER NOT NULL,
  wal_bytes INTEGER NOT NULL,
  busy_ms INTEGER NOT NULL,
  waited_ms INTEGER NOT NULL,
  waiting TEXT NOT NULL,
  last_error TEXT NOT NULL,
  PRIMARY KEY (revision, unit, number)) WITHOUT ROWID)",
    R"( (
  revision TEXT NOT NULL,
  unit INTEGER NOT NULL,
  number INTEGER NOT NULL,
  key TEXT NOT NULL,
  sqlstate TEXT NOT NULL,
  message TEXT NOT NULL,
  at TEXT NOT NULL))",
};

}  // namespace

std::vector<OwnedStatement> BatchTables::create() const {
  constexpr std::array<std::string_view, 3> kTables = {
      "drover_batches", "drover_batch_ranges", "drover_batch_parked"};
  std::vector<OwnedStatement> statements;
  for (std::size_t i = 0; i < kTables.size(); ++i) {
    statements.push_back({"CREATE TABLE IF NOT EXISTS " + table(kTables[i]) +
                          std::string((dialect_ == Dialect::postgres ? kPostgres : kSqlite)[i])});
  }
  return statements;
}

}  // namespace drover::engine
