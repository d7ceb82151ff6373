/// One worker of a batch: takes ranges from the board and goes through them, a transaction at a
/// time.
///
/// A transaction is one message: BEGIN, the fence that moves the cursor, the rows, COMMIT; and
/// behind it, in the same message, the question where the next one ends (batches.md §6.3). What the
/// database refuses for a moment (a lock, a timeout, a deadlock) is tried again with half as many
/// rows; what it refuses for the rows themselves is halved until one row is left, and that one
/// stops the batch, or is parked. After a lost connection the cursor in the tenant says whether the
/// last commit happened.
///
/// Thread safety: one thread for each worker.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/batch/batch_board.h"
#include "engine/batch/batch_session.h"
#include "engine/batch_governor.h"
#include "engine/batch_script.h"
#include "engine/batch_sizer.h"
#include "engine/batch_tables.h"

namespace drover::engine::batch {

/// What the workers of one batch are given. All references must outlive them.
struct WorkerMeans {
  const SessionMeans& sessions;
  const BatchScript& script;
  const BatchTables& tables;
  BatchBoard& board;
  BatchGovernor& governor;
  double rows_per_page = 1;  ///< Of a heap.
};

class RangeWorker {
 public:
  RangeWorker(const WorkerMeans& means, unsigned number);
  ~RangeWorker();
  RangeWorker(const RangeWorker&) = delete;
  RangeWorker& operator=(const RangeWorker&) = delete;

  /// Works until nothing is left, or the board's end. Never throws.
  void run();

 private:
  /// A stretch of the range that one transaction is to change.
  struct Stretch {
    BatchKey to;
    std::uint64_t rows = 0;
    bool last = false;  ///< It ends where the range does.
  };

  enum class Outcome {
    committed,
    again,    ///< Nothing happened; it may succeed another time.
    refused,  ///< Nothing happened, and never will with these rows.
    lost,     ///< The range is another's now, or the work is to end.
  };

  void work_range();
  bool sit_down();
  std::optional<Stretch> next_stretch();
  std::optional<Stretch> stretch_of(std::uint64_t rows);
  std::optional<Stretch> stretch_of_pages(std::uint64_t rows) const;
  Outcome change(const Stretch& stretch);
  Outcome commit(const Stretch& stretch, std::vector<OwnedStatement> work);
  void committed(const Stretch& stretch,
                 const std::vector<ResultSet>& results,
                 std::chrono::microseconds took);
  Milliseconds rest_after(const BatchControl& control,
                          std::chrono::microseconds took,
                          std::uint64_t wal) const;
  Outcome taken_over();
  Outcome after_error(const Exchange& answer);
  Outcome look_where_it_stands(const SqlError& error);
  Outcome go_on_from(const std::vector<BatchStatus>& batches);
  Outcome try_later(const SqlError& error);
  bool hunt(Stretch stretch);
  bool count_rows(Stretch& stretch);
  Outcome give_up_row(const Stretch& row);
  bool find_middle(std::optional<BatchKey>& middle);
  bool split();

  bool may_go();
  BatchLeave leave_of_people(const BatchControl& control);
  void retune(const BatchControl& control);
  void wait(const BatchLeave& leave);
  void vacuum();
  void keep_counts();
  void fail(const SqlError& error, const std::string& doing);
  bool ask(const OwnedStatement& statement, ResultSet& answer, const std::string& doing);

  bool postgres() const noexcept;
  Patience patience() const { return {SteadyTime::max(), means_.board.stop()}; }
  Clock& clock() noexcept { return means_.sessions.clock; }

  const WorkerMeans& means_;
  const BatchOrder& order_;
  unsigned number_;
  BatchSession session_;
  std::unique_ptr<BatchGovernor::Seat> seat_;
  BatchSizer sizer_;
  BatchRange range_;
  BatchAdvance pending_;  ///< Counts of the last transaction, written with the next one.
  BatchWork done_;        ///< For the governor: since it was last asked.
  SteadyTime rest_until_{};
  SteadyTime told_at_{};
  std::string told_;
  int failures_ = 0;     ///< In a row.
  int halved_into_ = 0;  ///< The range that a split would make whose end nobody saw.
  std::optional<SqlError> refusal_;
  std::optional<Stretch> probed_;
};

}  // namespace drover::engine::batch
