/// How much may fail beyond one stage: in the whole run, on one server, and of one cause.
///
/// A budget of N tolerates N failures and trips on the next. What counts as a failure says turn.h.
///
/// Thread safety: none.

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "orchestrator/outcome.h"
#include "orchestrator/schedule.h"

namespace drover::orchestrator {

struct BudgetRules {
  std::optional<std::size_t> run;          ///< Failures that are tolerated; nullopt: all.
  std::optional<std::size_t> server;       ///< Of each.
  std::optional<std::size_t> fingerprint;  ///< Of each cause, see engine::fingerprint_of().
};

class FailureBudgets {
 public:
  explicit FailureBudgets(BudgetRules rules) : rules_(rules) {}

  /// The halt that it leads to, if a budget trips.
  std::optional<Halt> add(const TenantOutcome& failure);

  /// Takes back what was added: the tenant has another turn.
  void forgive(const TenantOutcome& failure);

 private:
  BudgetRules rules_;
  std::size_t failures_ = 0;
  std::map<std::string, std::size_t> by_server_;
  std::map<std::string, std::size_t> by_fingerprint_;
};

}  // namespace drover::orchestrator
