/// Writes down what one message to a tenant says: fence, statements, checks, history rows, resets,
/// in the order that keeps a revision and its history row together.
///
/// A Script is a list of lines. Whoever runs it sends runs of lines in one message and looks at the
/// answers that a line says must be looked at before the next may be sent. Nothing here sends
/// anything.
///
/// Thread safety: values. A Script points into the migrations that it was made from.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/clock.h"
#include "engine/history.h"
#include "engine/migration.h"

namespace drover::engine {

/// One revision going up or down, from the first unit that is not done.
struct Step {
  const Migration* migration = nullptr;
  Direction direction = Direction::up;
  std::vector<Unit> units;     ///< All of them.
  std::size_t first_unit = 0;  ///< Index of the first that is not done.
  int first_statement = 1;     ///< Of that unit, when it is one of statements; counts from 1.
  bool resumed = false;        ///< drover_steps holds rows of it already.
  std::optional<StepRecord> started;  ///< The statement that was started and not seen to end.
  bool recorded = true;  ///< Going down: its history row is there. False for a partial one.
};

/// The checksum that drover_steps keeps of a unit or of a statement.
std::string checksum_of(const Unit& unit);
std::string checksum_of(const SqlStatement& statement);

/// The `set` lines of a file's header that PostgreSQL is to know about, as SET or SET LOCAL.
enum class SetFor { transaction, session };
std::vector<OwnedStatement> header_settings(const Migration& migration, SetFor scope);

/// How long `statement` may take by the server's rules: its header's statement_timeout, or `usual`.
/// nullopt: without end.
std::optional<Milliseconds> timeout_of(const SqlStatement& statement,
                                       const Migration& migration,
                                       Milliseconds usual);

struct Line {
  enum class Role {
    control,
    settings,
    create,    ///< Makes Drover's own tables,
    identity,  ///< and answers the uid that the tenant has got.
    fence,
    statement,
    verify,
    record,  ///< Writes the history.
    commit,  ///< Ends a unit.
  };

  /// What must hold for its answer, looked at before the next line is sent.
  enum class Expect {
    nothing,
    one_row_changed,    ///< SQLite's fence and history rows, which cannot raise by themselves.
    violations_before,  ///< foreign_key_check: nothing must hold; it is what was there already.
    no_new_violations,  ///< foreign_key_check again.
    truth,              ///< A verify: one row, one column, true.
  };

  Role role = Role::control;
  Expect expect = Expect::nothing;
  OwnedStatement own = {};  ///< Empty when `theirs` is set.
  const SqlStatement* theirs = nullptr;
  const Migration* migration = nullptr;  ///< Which revision it belongs to, for messages.
  std::size_t step = 0;                  ///< Index of the Step.

  Statement view() const;
};

/// What a script needs to know about where it will be sent.
struct ScriptContext {
  const HistoryTables* tables = nullptr;
  Provenance by;
  Milliseconds lock_timeout{1'000};
  Milliseconds statement_timeout{300'000};
  std::int64_t pid = 0;                   ///< Of the backend that will run it, for the journal.
  std::vector<RevisionId> at_batch = {};  ///< TenantRow::at_batch.

  /// SQLite: whether rows that point at nothing are counted before the work, too. Most files have
  /// none, so the first try looks at the end only.
  enum class CountViolations { after, before_and_after } violations = CountViolations::after;

  std::vector<OwnedStatement> settings = {};  ///< Sent before BEGIN; see session_hygiene.h.
  std::vector<OwnedStatement> resets = {};
};

/// Builds scripts, and keeps count of the epoch that each fence expects.
class ScriptWriter {
 public:
  /// `context` must outlive the writer. `epoch` is the tenant's now.
  ScriptWriter(const ScriptContext& context, std::int64_t epoch)
      : context_(context), epoch_(epoch), at_batch_(context.at_batch) {}

  /// Makes the history tables in a transaction of their own. Comes after settle().
  void create_tables(const std::string& environment, bool production);

  /// Puts settings (after resets, if asked) before what comes.
  enum class Resets { no, yes };
  void settle(Resets resets);

  /// Has the server parse and plan the statements that many revisions need only once (PostgreSQL).
  /// `message` makes their names differ from those of earlier messages of the session. Around a
  /// revision that prepares or deallocates statements by itself nothing is kept.
  void prepare_repeated(std::size_t message) { prepares_for_ = message; }

  /// Control statements of ours that are no part of a transaction.
  void arrange(const std::vector<OwnedStatement>& statements);

  /// One transactional unit of `step`; with its history row when it is the last one.
  void transaction(const Step& step, std::size_t step_index, std::size_t unit_index);

  /// Notes in a transaction of its own that a statement was started, and that one is done.
  void journal(const Step& step,
               std::size_t step_index,
               const std::optional<StepRecord>& done,
               const std::optional<StepRecord>& started);

  /// A batch of `step` begins: its record, `statements` that announce it, and the tenant waits for
  /// it. With nothing to wait for, it is the last unit of the step, whose history row is written.
  enum class WaitsFor { batch, nothing };
  void announce_batch(const Step& step,
                      std::size_t step_index,
                      const StepRecord& record,
                      const std::vector<OwnedStatement>& statements,
                      WaitsFor waits_for);

  /// The history row of a revision whose last unit was not transactional.
  void record(const Step& step, std::size_t step_index);

  /// All of `steps` in one transaction.
  void all_in_one(const std::vector<Step>& steps);

  /// The same without fence and history rows, and rolled back in the end.
  void rehearsal(const std::vector<Step>& steps);

  /// Any statements of ours behind a fence, in one transaction; for stamp, repair and mark.
  /// `in_progress` as HistoryTables::fence() takes it.
  void administer(const std::vector<OwnedStatement>& statements,
                  const std::optional<std::string>& in_progress);

  std::vector<Line> take() { return std::move(lines_); }
  std::size_t bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return lines_.empty(); }

 private:
  bool on_sqlite() const noexcept;
  void begin(const Step* step, const std::optional<std::string>& in_progress);
  void open();
  void count_violations();
  void check_violations();
  void apply_header();
  void body(const Unit& unit);
  void statement(const SqlStatement& statement);
  void unlimited(const SqlStatement& statement);
  void verify(const SqlStatement& statement);
  void check_constraints();
  void defer_constraints_again();
  void finish(const Step& step);
  void waits_no_more(const RevisionId& id);
  void commit();
  void control(std::string sql);
  void repeated(Line::Role role, OwnedStatement statement, Line::Expect expect);
  void own(Line::Role role, OwnedStatement statement, Line::Expect expect = Line::Expect::nothing);

  const ScriptContext& context_;
  std::int64_t epoch_;
  std::vector<RevisionId> at_batch_;  ///< As the lines written so far leave it.
  std::vector<Line> lines_;
  std::size_t bytes_ = 0;
  const Migration* migration_ = nullptr;  ///< Of the lines that are being written.
  std::size_t step_ = 0;
  std::optional<std::size_t> prepares_for_;
  std::map<std::string, std::string> prepared_;  ///< Names of statements, by their text.
  bool may_prepare_ = false;                     ///< In the transaction that is being written.
  bool role_is_reset_ = false;  ///< Nothing of theirs ran since the last reset in this script.
};

}  // namespace drover::engine
