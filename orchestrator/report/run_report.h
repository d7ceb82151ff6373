/// What a run did: as a document, and as the last words that an operator reads.
///
/// Thread safety: pure functions.

#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/outcome.h"
#include "orchestrator/report/document.h"
#include "orchestrator/schedule.h"

namespace drover::orchestrator::report {

/// All that is said of a run. The references must outlive the call.
struct RunAccount {
  Occasion occasion;
  std::string run;          ///< Its id; empty for a target without a journal.
  std::string verb;         ///< "upgrade", "downgrade".
  std::string target;       ///< As the person wrote it.
  std::string plan_digest;  ///< Empty: null.
  const std::vector<TenantOutcome>& tenants;
  const RunSummary& summary;
  const std::optional<Halt>& halt;
  bool interrupted = false;
  int exit_status = 0;
};

/// "done", "nothing_to_do", "incomplete", "halted" or "interrupted".
std::string outcome_of(const RunAccount& account);

/// INTERFACE §3. `kind` of an error group is that of its fault.
Document run_document(const RunAccount& account);

/// For people: what happened, how many, each cause with its first tenants, who is in the way, and
/// which command comes next. `width` as in table.h.
std::string run_text(const RunAccount& account, std::optional<std::size_t> width);

/// Of one tenant, as the run goes on: "acme: applied 0003 -> 0004 in 1.2 s". One line.
std::string tenant_line(const TenantOutcome& outcome);

/// "1.2 s", "4 min 5 s", "2 h 3 min", "14 d 0 h"
std::string duration_text(std::chrono::milliseconds duration);

}  // namespace drover::orchestrator::report
