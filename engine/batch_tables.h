/// The tables in which a tenant keeps how far its batches are, and every statement that touches
/// them.
///
/// drover_batches has a row for each batch, with what people want of it; drover_batch_ranges one
/// for each range of keys, a few for each worker and not one for each transaction;
/// drover_batch_parked one for each key that the statement could not be run for. Their layout is in
/// batch_layout.cpp.
///
/// advance() is the fence of a range: it moves the cursor from where its owner believes it to be,
/// in the transaction of the rows, and fails for anybody else. A process that was frozen and thaws,
/// or whose commit happened unseen, can so never change a range twice. hold() is the same for what
/// concerns the batch as a whole.
///
/// Thread safety: immutable; values. Nothing here throws.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch.h"
#include "engine/dialect.h"
#include "engine/history.h"
#include "engine/session.h"

namespace drover::engine {

/// What one transaction adds to its range.
struct BatchAdvance {
  BatchKey to;        ///< The cursor afterwards.
  bool done = false;  ///< Nothing of the range is left.
  std::uint64_t rows_seen = 0;
  std::uint64_t rows_changed = 0;  ///< Of the transaction before, whose count is known by now.
  std::uint64_t size = 0;          ///< BatchRange::size from now on.
  std::uint64_t wal_bytes = 0;     ///< As rows_changed.
  Milliseconds busy{0};            ///< As rows_changed.
  Milliseconds waited{0};
};

/// What the fence answers on PostgreSQL.
struct BatchMark {
  double seconds = 0;        ///< The server's clock.
  std::uint64_t wal_at = 0;  ///< Where it writes its WAL.
};

class BatchTables {
 public:
  /// `schema` holds the tables; empty on SQLite.
  BatchTables(Dialect dialect, const std::string& schema);

  std::vector<OwnedStatement> create() const;
  bool says_no_tables(const SqlError& error) const;

  /// Every trace of an earlier time that the revision was applied.
  std::vector<OwnedStatement> forget(const BatchId& id) const;
  OwnedStatement announce(const BatchRecord& record) const;

  /// Three statements that read all there is of all batches, for decode_batches().
  std::vector<OwnedStatement> read() const;
  OwnedStatement read_parked(const BatchId& id, std::size_t limit) const;

  /// The path is found and the ends are fixed: from here on it runs. Does nothing the second time.
  std::vector<OwnedStatement> begin(const BatchRecord& record,
                                    const std::vector<BatchRange>& ranges) const;

  /// Takes the batch, with all its ranges, from `previous` (empty: nobody). The first statement
  /// affects one row, or somebody else was quicker. May be sent again.
  std::vector<OwnedStatement> claim(const BatchId& id,
                                    const std::string& previous,
                                    const std::string& owner) const;
  std::vector<OwnedStatement> release(const BatchId& id, const std::string& owner) const;

  /// A sign of life; answers the control columns, or no row where the batch is another's now.
  OwnedStatement sign_of_life(const BatchId& id, const std::string& owner) const;

  /// Locks the batch for a transaction of its owner's. For anybody else, PostgreSQL raises 22012,
  /// and SQLite affects no row.
  OwnedStatement hold(const BatchId& id, const std::string& owner) const;

  /// Fails, by raising 22012, where a range is not done. PostgreSQL only: a server that crashes may
  /// lose commits that were seen.
  OwnedStatement check_all_done(const BatchId& id) const;

  /// The fence of a range. As hold(); PostgreSQL answers a BatchMark.
  OwnedStatement advance(const BatchId& id, const BatchRange& range, const BatchAdvance& by) const;

  /// Keeps counts for which no transaction comes any more. Best effort.
  OwnedStatement add_counts(const BatchId& id,
                            const BatchRange& range,
                            const BatchAdvance& by) const;

  OwnedStatement waits(const BatchId& id, const BatchRange& range, const std::string& why) const;
  OwnedStatement failed(const BatchId& id, const BatchRange& range, const std::string& why) const;
  /// Keeps the key, unless it is kept already.
  OwnedStatement park(const BatchId& id, const ParkedKey& parked) const;

  /// `range` ends at `middle` from now on, and `upper` takes what is above. The first statement
  /// raises 22012 where the range is not as we believe. PostgreSQL only.
  std::vector<OwnedStatement> split(const BatchId& id,
                                    const BatchRange& range,
                                    const BatchKey& middle,
                                    const BatchRange& upper) const;

  /// Sends `range` through the table again, up to its end, after a check that failed.
  OwnedStatement reopen(const BatchId& id, const BatchRange& range) const;
  OwnedStatement unpark(const BatchId& id, const BatchKey& key) const;

  OwnedStatement set_state(const BatchId& id, BatchRecord::State state) const;
  OwnedStatement count_redone(const BatchId& id) const;
  OwnedStatement set_control(const BatchId& id, const BatchControl& control) const;

  std::string table(std::string_view name) const;

 private:
  OwnedStatement insert_range(const BatchId& id,
                              const BatchRange& range,
                              std::string_view on_conflict) const;
  OwnedStatement of_batch(std::string sql,
                          const BatchId& id,
                          std::vector<SqlValue> more = {}) const;

  Dialect dialect_;
  std::string prefix_;
  std::string now_;
};

BatchMark decode_mark(const ResultSet& rows);
BatchControl decode_control(const ResultSet& rows);
std::vector<BatchStatus> decode_batches(const ResultSet& records,
                                        const ResultSet& ranges,
                                        const ResultSet& parked);
std::vector<ParkedKey> decode_parked(const ResultSet& rows);

std::string_view name_of(BatchRecord::State state) noexcept;

}  // namespace drover::engine
