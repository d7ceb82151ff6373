/// What a tenant's own database says was done to it: the drover_ tables and every statement that
/// touches them (history.cpp), and their layout (history_layout.cpp).
///
/// The history is the only truth about a tenant. This file owns its SQL, in both dialects, with
/// every name qualified; transaction_script.h decides when a statement is sent, and executor.h
/// sends it. Reading costs one statement. The tables of batched data are made by the batch engine
/// when it first needs them.
///
/// Thread safety: HistoryTables is immutable; everything else is a value. Nothing here throws.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/dialect.h"
#include "engine/migration.h"
#include "engine/revision_id.h"
#include "engine/revision_ref.h"
#include "engine/session.h"

namespace drover::engine {

/// The number of this layout. A newer one is refused, an older one upgraded under the lock.
inline constexpr int kHistoryFormat = 1;

std::string_view name_of(Direction direction) noexcept;

/// One row of drover_revisions.
struct AppliedRevision {
  RevisionId id;
  Checksums checksums;
  std::string applied_at;  ///< RFC 3339, UTC, by the database's clock.
  std::string applied_by;  ///< "alice@host"
  std::string run;         ///< Empty outside of a run.
  std::chrono::milliseconds duration{0};
};

/// One row of drover_steps: progress inside a revision.
struct StepRecord {
  RevisionId revision;
  Direction direction = Direction::up;
  int unit = 0;          ///< From 1.
  int statement = 0;     ///< From 1 in a no-transaction unit; 0 stands for the whole unit.
  std::string checksum;  ///< SHA-256 of its text, hex.
  bool done = false;     ///< Otherwise started.
  std::int64_t pid = 0;  ///< Of the backend that ran it.
};

/// The row of drover_tenant.
struct TenantRow {
  int format = kHistoryFormat;
  std::string uid;          ///< Made at first contact, never changed.
  std::string environment;  ///< Empty: none was named.
  bool production = false;
  std::int64_t epoch = 0;   ///< Grows with every transaction that changes the tenant.
  std::string in_progress;  ///< The revision that is half done; empty: none.

  /// Revisions whose batch is not done: not applied, and waiting for it, or applied, and what
  /// depends on them waits (mode=background). Nothing else waits for them.
  std::vector<RevisionId> at_batch;
};

struct History {
  bool exists = false;  ///< False: Drover has never changed this tenant; all else is empty.
  TenantRow tenant;
  std::vector<AppliedRevision> applied;  ///< Oldest first.
  std::vector<StepRecord> steps;         ///< Of tenant.in_progress and tenant.at_batch, in order.

  RevisionSet applied_ids() const;
  const AppliedRevision* find(const RevisionId& id) const noexcept;

  /// The revision that is half done, or the first that waits for a batch to become whole; empty:
  /// none.
  RevisionId half_done() const;

  /// Whether the batch of revision `id` is not done.
  bool waits_for_batch(const RevisionId& id) const noexcept;
};

/// One row of drover_events.
struct HistoryEvent {
  std::string at;
  std::string kind;      ///< up, down, stamp, repair, mark, failure
  std::string revision;  ///< Empty: of the tenant.
  std::string who;
  std::string run;
  std::string detail;
};

/// Who changes a tenant, for its records.
struct Provenance {
  std::string who;  ///< "alice@host"
  std::string run;  ///< Run id; empty outside of a run.
};

/// A statement together with what it takes, ready to be sent. Owns its text.
struct OwnedStatement {
  std::string sql;
  std::vector<SqlValue> params = {};

  Statement view() const { return {sql, params, Author::drover}; }
};

/// The SQL of the drover_ tables of one tenant.
class HistoryTables {
 public:
  /// `schema` holds the tables; empty on SQLite.
  HistoryTables(Dialect dialect, const std::string& schema);

  Dialect dialect() const noexcept { return dialect_; }

  /// Reads tenant row and revisions; one statement.
  OwnedStatement read() const;

  /// A SELECT of the same rows with `number` in front of each, for a statement that asks for many
  /// tenants.
  std::string read_numbered(std::size_t number) const;

  /// Whether `error`, which came from read(), says that there is no history: that the tenant's row
  /// has no table. Another table that is missing is damage, and not this.
  bool says_no_history(const SqlError& error) const;

  OwnedStatement read_steps() const;
  OwnedStatement read_events(std::size_t limit) const;

  /// The revisions that `run` took out, for a relative target that is resolved a second time.
  OwnedStatement read_undone(const std::string& run) const;

  /// Only the format, which every layout has: asked when read() fails on a column.
  OwnedStatement read_format() const;

  /// Makes the tables and the tenant's row; the last statement answers the new uid. Fails where one
  /// of them is there already: read() has said that none is.
  std::vector<OwnedStatement> create(const std::string& environment, bool production) const;
  std::vector<OwnedStatement> drop() const;

  /// The fence: grows the epoch, and raises (PostgreSQL: 22012) when it is not `expected`. Also
  /// sets which revision is in progress: empty for none, nullopt to leave it. On SQLite it changes
  /// no row instead, so the caller looks at `affected`.
  OwnedStatement fence(std::int64_t expected, const std::optional<std::string>& in_progress) const;

  /// The history row of `migration` going up, and its event. The first statement affects one row,
  /// or raises. `epoch` is what the fence has set it to; nullopt: whatever the tenant's row says.
  /// PostgreSQL measures the time since BEGIN itself and ignores `elapsed`.
  std::vector<OwnedStatement> record_up(const Migration& migration,
                                        const Provenance& by,
                                        std::optional<std::int64_t> epoch,
                                        std::chrono::milliseconds elapsed,
                                        const std::string& event = "up") const;

  /// Takes the row out and writes the event. The first statement raises (PostgreSQL), or affects no
  /// row (SQLite), when it is not there.
  std::vector<OwnedStatement> record_down(const RevisionId& id,
                                          const Provenance& by,
                                          std::optional<std::int64_t> epoch,
                                          const std::string& event = "down") const;

  OwnedStatement step_started(const StepRecord& step) const;
  OwnedStatement step_done(const StepRecord& step) const;
  OwnedStatement forget_step(const StepRecord& step) const;   ///< It failed and left nothing.
  OwnedStatement clear_steps() const;                         ///< Of all revisions,
  OwnedStatement clear_steps_of(const RevisionId& id) const;  ///< or of one.

  /// Which revisions wait for their batches, all of them.
  OwnedStatement set_at_batch(const std::vector<RevisionId>& ids) const;

  /// Nothing is in progress any more, unless a step says so.
  OwnedStatement forget_progress_without_steps() const;

  /// PostgreSQL keeps the first 200 characters of `detail`.
  OwnedStatement add_event(const std::string& kind,
                           const std::string& revision,
                           const Provenance& by,
                           const std::string& detail,
                           std::optional<std::int64_t> epoch = std::nullopt) const;

  OwnedStatement update_checksums(const Migration& migration) const;
  OwnedStatement mark(const std::string& environment, bool production) const;

  /// create() for a tenant of which nothing is known: what is there already stays as it is.
  std::vector<OwnedStatement> create_missing() const;

  /// "drover_tenant" and so on, qualified and quoted.
  std::string table(std::string_view name) const;

 private:
  std::string epoch_value(std::optional<std::int64_t> epoch) const;
  std::string rows_select(std::string_view first_column) const;

  Dialect dialect_;
  std::string prefix_;  ///< "\"schema\"." or empty.
  std::string now_;     ///< The database's clock as RFC 3339 text.
};

/// What the rows of read() say; they may come in any order.
History decode_history(const ResultSet& rows);
std::vector<StepRecord> decode_steps(const ResultSet& rows);
std::vector<HistoryEvent> decode_events(const ResultSet& rows);

}  // namespace drover::engine
