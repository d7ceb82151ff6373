// Steps that are tried in one transaction and rolled back.

#include <algorithm>

#include <fmt/format.h>

#include "engine/journey.h"
#include "engine/tenant_plan.h"

namespace drover::engine {

RehearsalOutcome Journey::rehearse() {
  RehearsalOutcome rehearsal;
  if (!prepare_rehearsal()) {
    rehearsal.fault = std::move(outcome_.fault);
    return rehearsal;
  }
  const std::vector<RevisionId>& wanted = itinerary_->revisions;
  const std::size_t count = longest_transaction(rehearsal);
  rehearsal.tried.assign(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(count));
  rehearsal.untried.assign(wanted.begin() + static_cast<std::ptrdiff_t>(count), wanted.end());
  if (count == 0) {
    return rehearsal;
  }
  start_on(plan_first(count).steps);
  rehearsal.fault = try_and_take_back();
  if (rehearsal.fault) {
    const auto failed = std::find(
        rehearsal.tried.begin(), rehearsal.tried.end(), RevisionId{rehearsal.fault->revision});
    if (failed != rehearsal.tried.end()) {
      rehearsal.untried.insert(rehearsal.untried.begin(), failed + 1, rehearsal.tried.end());
      rehearsal.tried.erase(failed + 1, rehearsal.tried.end());
    }
  }
  return rehearsal;
}

/// Lock, history, and what there is to do.
bool Journey::prepare_rehearsal() {
  if (!prepare(nullptr) || !choose_itinerary()) {
    return false;
  }
  if (!itinerary_->revisions.empty() && !tenant_.locked()) {
    outcome_.fault = tenant_.lock(patience_);
  }
  const RevisionId inside = tenant_.history().half_done();
  if (!outcome_.fault && !inside.value.empty()) {
    outcome_.fault = found(inside,
                           ErrorCode::incomplete,
                           "partial",
                           fmt::format("the tenant is inside revision '{}', and half a revision "
                                       "cannot be tried",
                                       inside.value),
                           "Upgrade it, which goes on with that revision.");
  }
  return !outcome_.fault;
}

TenantPlan Journey::plan_first(std::size_t count) const {
  Itinerary first = *itinerary_;
  first.revisions.resize(count);
  return plan_tenant(means_.migrations,
                     tenant_.target().dialect,
                     tenant_.history(),
                     first,
                     TransactionMode::all,
                     goal_.from_partial);
}

/// How many of the first revisions may be one transaction. What refuses some of them refuses more
/// of them as well, so halving finds the place.
std::size_t Journey::longest_transaction(RehearsalOutcome& rehearsal) const {
  std::size_t good = 0;
  std::size_t bad = itinerary_->revisions.size() + 1;
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    const TenantPlan plan = plan_first(middle);
    if (plan.fault) {
      bad = middle;
      rehearsal.why_untried = plan.fault->message;
    } else {
      good = middle;
    }
  }
  return good;
}

/// Every session ends here, so nothing has to be set back.
std::optional<TenantFault> Journey::try_and_take_back() {
  tables_exist_ = true;  // no row is written, so they are not needed
  context_.violations = ScriptContext::CountViolations::before_and_after;
  ScriptWriter writer = begin_message();
  writer.rehearsal(steps_);
  const std::vector<Line> lines = writer.take();
  Sent sent = send(lines);
  if (sent.ok()) {
    return std::nullopt;
  }
  if (tenant_.alive()) {
    tenant_.roll_back();
  }
  return sent.finding ? std::move(sent.finding)
                      : fault_at(lines, std::min(sent.lines_done, lines.size() - 1), *sent.error);
}

}  // namespace drover::engine
