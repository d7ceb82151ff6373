/// What a batch meets in a tenant before its first row: its table, its key, and how the server
/// would carry out its statement.
///
/// The batch engine asks before it begins, and a plan asks before anything runs. Only catalogs and
/// the ends of the table are read; nothing is changed.
///
/// Thread safety: one thread. Errors: what is wrong comes as a fault; of the order, kinds of
/// found_path(), batch_key_nullable and batch_reads_all.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch_path.h"
#include "engine/batch_script.h"
#include "engine/fault.h"
#include "engine/migration.h"

namespace drover::engine {

class BatchSurvey {
 public:
  using MaybeFault = std::optional<TenantFault>;

  /// Sends statements in one message, in the tenant's schema; `doing` is for the fault.
  using Ask = std::function<MaybeFault(const std::vector<OwnedStatement>& statements,
                                       const std::string& doing,
                                       std::vector<ResultSet>& answers)>;

  /// `section` is a batch of `migration`; both must outlive the survey.
  BatchSurvey(Dialect dialect, const Migration& migration, const Section& section, Ask ask);

  /// `server_version` is called once something has been asked; 150020.
  MaybeFault find_path(const std::function<int()>& server_version, FoundPath& found);

  /// A batch that reads the whole table each time would take the square of its size.
  MaybeFault look_at_plan(const BatchScript& script, const std::string& part);

 private:
  TenantFault fault_of(std::string kind, const std::string& message, std::string hint) const;

  Dialect dialect_;
  const Migration& migration_;
  const Section& section_;
  Ask ask_;
};

}  // namespace drover::engine
