/// A batched change of data in one tenant: which one, how far it is, what people want of it.
///
/// A `batch` section of a migration changes a table in many short transactions. Where it stands is
/// kept in three tables of the tenant's own database (batch_tables.h), and every transaction moves
/// its range's cursor together with its rows, so that each row is changed exactly once, whatever is
/// killed. These are the values that those tables hold.
///
/// Thread safety: plain values.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "engine/migration.h"
#include "engine/revision_id.h"

namespace drover::engine {

/// One batch section of one revision.
struct BatchId {
  RevisionId revision;
  int unit = 0;  ///< From 1, as in drover_steps.

  bool operator==(const BatchId&) const = default;
};

/// The values of the key's columns at one place of the table. PostgreSQL: as the server writes them
/// as text; SQLite: as quote() writes them, a literal each. They are only ever given back to the
/// database that wrote them, so that collations and time zones stay its business.
using BatchKey = std::vector<std::string>;

/// As the tables keep it, which people may read: ["17","a\"b"].
std::string text_of_key(const BatchKey& key);
BatchKey key_in(std::string_view text);

/// The order in which a table is gone through, found in the database when a batch begins.
struct BatchPath {
  enum class Scan { key, heap };

  Scan scan = Scan::key;
  std::string table;                 ///< Qualified and quoted.
  std::int64_t table_oid = 0;        ///< PostgreSQL; another one later is another table.
  std::vector<std::string> columns;  ///< Of the key, quoted. Of a heap: ctid, and a key is a page,
                                     ///< or a page and a row of it.
  std::vector<std::string> types;    ///< PostgreSQL: of each column, as a cast takes them.
  bool descending = false;

  /// PostgreSQL, check=checksum: the types of the columns that are assigned to, in the order of the
  /// statement. Not kept in the tables.
  std::vector<std::string> value_types;
};

/// What is above `first` (everything, where there is none) up to `end`, inclusive; below, for a
/// path that descends. Of that, what is above `cursor` is still to be done.
struct BatchRange {
  int number = 0;    ///< From 1.
  std::string part;  ///< The leaf of a partitioned table, qualified and quoted; else empty.
  std::optional<BatchKey> first;   ///< Above this it began; none: at the table's.
  std::optional<BatchKey> cursor;  ///< Up to here it is done.
  BatchKey end;
  std::string owner;  ///< As that of the record; a transaction of any other fails.
  bool done = false;

  std::uint64_t rows_seen = 0;     ///< Keys that the cursor has passed.
  std::uint64_t rows_changed = 0;  ///< As the database counted; of a transaction whose end nobody
                                   ///< saw, unknown and left out.
  std::uint64_t batches = 0;
  std::uint64_t retries = 0;
  std::uint64_t size = 0;       ///< Rows of the next batch, so that a restart begins warm.
  std::uint64_t wal_bytes = 0;  ///< At most: the server's other writers count in.
  Milliseconds busy{0};         ///< In the database,
  Milliseconds waited{0};       ///< and held back by the governor or by people.
  std::string waiting;          ///< Why it waits now; empty: it works.
  std::string last_error;
};

/// A key that the statement cannot be run for (on_poison=park).
struct ParkedKey {
  int range = 0;
  BatchKey key;
  std::string sqlstate;
  std::string message;
  std::string at;  ///< RFC 3339, UTC, by the database's clock.
};

/// What people want while it runs. Read before every batch, kept in the tenant, so that it outlives
/// every process.
struct BatchControl {
  bool paused = false;
  std::optional<std::uint64_t> rows;            ///< At most so many a batch.
  std::optional<unsigned> workers;              ///< Instead of the section's.
  std::optional<std::uint64_t> wal_per_second;  ///< Bytes, of this batch alone.
  double nice = 0;  ///< Rests that many times as long as it works: 1 is half the speed.
  std::string by;   ///< Who said so, "alice@host".

  bool operator==(const BatchControl&) const = default;
};

/// A row of drover_batches.
struct BatchRecord {
  enum class State {
    announced,  ///< Nothing of it was done; its path is not known yet.
    running,    ///< Its ranges are not all done.
    verifying,  ///< All rows were gone through; the check decides.
    done,       ///< And verified, where it has a check.
  };

  BatchId id;
  std::string checksum;  ///< Of its unit, as in drover_steps.
  BatchPath path;
  State state = State::announced;
  bool background = false;
  std::uint64_t estimated_rows = 0;  ///< By the server's statistics when it began.
  std::string started_at;            ///< RFC 3339, UTC.
  std::string finished_at;           ///< Empty: not yet.
  std::string by;
  std::string run;
  std::string owner;         ///< Token of the process that works on it; empty: nobody's.
  double age_seconds = 0;    ///< Since that one's last sign of life, by the database's clock.
  std::uint64_t redone = 0;  ///< Times that its check sent it through the table again.
  BatchControl control;
};

/// All that a tenant knows of one batch.
struct BatchStatus {
  BatchRecord record;
  std::vector<BatchRange> ranges;  ///< By number.
  std::uint64_t parked = 0;

  std::uint64_t rows_seen() const noexcept;
  bool all_ranges_done() const noexcept;
};

}  // namespace drover::engine
