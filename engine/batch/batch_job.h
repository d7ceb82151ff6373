/// One call of BatchRunner::work(): what it knows, and its steps.
///
/// Internal to the runner. Thread safety: one thread, which starts and joins the workers.

#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/batch/batch_board.h"
#include "engine/batch/batch_owner.h"
#include "engine/batch/batch_runner.h"
#include "engine/batch/batch_session.h"
#include "engine/batch_governor.h"
#include "engine/batch_path.h"
#include "engine/batch_script.h"
#include "engine/batch_survey.h"
#include "engine/batch_tables.h"

namespace drover::engine::batch {

class BatchJob {
 public:
  BatchJob(const SessionMeans& sessions,
           BatchGovernor& governor,
           const BatchTimes& times,
           const Patience& patience,
           const BatchObserver& observer);

  std::optional<TenantFault> run();

 private:
  using MaybeFault = std::optional<TenantFault>;

  MaybeFault claim();
  MaybeFault prepare(FoundPath& found);
  MaybeFault find_path(FoundPath& found);
  MaybeFault make_trigger(const BatchScript& script);
  MaybeFault fix_ends(const BatchScript& script, const FoundPath& found);
  MaybeFault check_table(FoundPath& found);
  MaybeFault retry_parked(const BatchScript& script);
  MaybeFault pass(const BatchScript& script, bool& whole);
  MaybeFault go_through(const BatchScript& script);
  MaybeFault watch(BatchBoard& board);
  MaybeFault verify(const BatchScript& script, std::vector<BatchRange>& undone);
  MaybeFault reach_to_end(const BatchScript& script, BatchRange& range);
  MaybeFault count_undone(const BatchScript& script,
                          const BatchRange& range,
                          std::uint64_t& count,
                          std::string& first);
  MaybeFault send_again(const std::vector<BatchRange>& ranges);
  MaybeFault finish(const BatchScript& script, bool& whole);
  MaybeFault read();
  void release();

  MaybeFault ask(const std::vector<OwnedStatement>& statements,
                 const std::string& doing,
                 std::vector<ResultSet>& answers);
  MaybeFault tell(const std::vector<OwnedStatement>& statements, const std::string& doing);
  MaybeFault tell_as_owner(const std::vector<OwnedStatement>& statements, const std::string& doing);
  TenantFault taken_over() const;
  TenantFault fault_of(const SqlError& error, const std::string& doing) const;
  TenantFault fault_of(std::string kind, const std::string& message, std::string hint) const;
  void report(BatchNews news);
  double rows_per_page(const BatchScript& script);

  const SessionMeans& sessions_;
  const BatchOrder& order_;
  BatchGovernor& governor_;
  const BatchTimes& times_;
  const Patience& patience_;
  const BatchObserver& observer_;
  const BatchTables tables_;
  const OwnerToken token_;
  const std::string& owner_ = token_.text();
  BatchSession control_;
  BatchSurvey survey_;
  BatchStatus status_;
  bool claimed_ = false;
  std::deque<std::pair<SteadyTime, std::uint64_t>> seen_;  ///< For the rate.
};

}  // namespace drover::engine::batch
