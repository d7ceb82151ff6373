#include "orchestrator/report/status_report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "orchestrator/outcome.h"
#include "orchestrator/report/causes.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

using engine::TenantState;

constexpr std::size_t kSmallFleet = 20;
constexpr std::size_t kMostRows = 50;

/// From the worst to the best: the order in which a table shows them.
constexpr std::array kStates = {TenantState::unreachable,
                                TenantState::held,
                                TenantState::partial,
                                TenantState::edited,
                                TenantState::unknown_revision,
                                TenantState::diverged,
                                TenantState::ahead,
                                TenantState::behind,
                                TenantState::empty,
                                TenantState::current};

bool needs_attention(const TenantStanding& standing) {
  const bool well = standing.state == TenantState::current || standing.state == TenantState::empty;
  return !well || standing.fault.has_value();
}

bool history_differs(const TenantStanding& standing) {
  const bool by_state = standing.state == TenantState::edited ||
                        standing.state == TenantState::unknown_revision ||
                        standing.state == TenantState::diverged;
  return by_state || (standing.fault && standing.fault->code == ErrorCode::verification);
}

bool is_pending(const TenantStanding& standing) {
  return !standing.pending.empty() || standing.state == TenantState::partial;
}

Value labels_value(const Labels& labels) {
  Value value = Value::object();
  for (const auto& [key, text] : labels) {
    value.set(key, text);
  }
  return value;
}

Value tenant_value(const TenantStanding& standing) {
  Value value = Value::object();
  value.set("id", standing.id.value);
  value.set("server", standing.server);
  value.set("labels", labels_value(standing.labels));
  value.set("state", name_of(standing.state));
  value.set("current", list_of(standing.current));
  value.set("pending", list_of(standing.pending));
  value.set("error", standing.fault ? error_value(*standing.fault) : Value());
  value.set("progress", standing.progress.empty() ? Value() : Value(standing.progress));
  return value;
}

std::string ids_text(const std::vector<engine::RevisionId>& ids) {
  constexpr std::size_t kMostIds = 3;
  return engine::listed(ids, kMostIds);
}

/// Where it stands; "-" when that could not be read.
std::string current_text(const TenantStanding& standing) {
  if (standing.state == TenantState::unreachable) {
    return "-";
  }
  return standing.current.empty() ? "base" : ids_text(standing.current);
}

/// How much is left to run; "-" when a fault keeps that from being told.
std::string pending_text(const TenantStanding& standing) {
  const bool unknown = standing.fault && standing.pending.empty();
  return unknown ? "-" : fmt::format("{}", standing.pending.size());
}

std::string note_of(const TenantStanding& standing) {
  return standing.fault ? standing.fault->kind : standing.progress;
}

std::string rows_text(const std::vector<const TenantStanding*>& rows,
                      std::optional<std::size_t> width) {
  Table table({{"TENANT"},
               {"SERVER"},
               {"STATE"},
               {"CURRENT"},
               {"PENDING", Column::Align::right},
               {"NOTE"}});
  for (const TenantStanding* row : rows) {
    table.add({row->id.value,
               row->server,
               std::string(name_of(row->state)),
               current_text(*row),
               pending_text(*row),
               note_of(*row)});
  }
  return table.written(width);
}

std::vector<FaultGroup> fault_groups(const std::vector<TenantStanding>& standings) {
  RunSummary summary;
  for (const TenantStanding& standing : standings) {
    if (standing.fault) {
      TenantOutcome outcome;
      outcome.id = standing.id;
      outcome.outcome = Outcome::failed;
      outcome.fault = standing.fault;
      summary.add(outcome);
    }
  }
  return summary.fault_groups();
}

/// 5 or 6 when every one of `concerned` tenants is in the way for that cause; 3 for any fault.
int exit_of_faults(const std::vector<TenantStanding>& standings) {
  std::map<ErrorCode, std::size_t> causes;
  std::size_t concerned = 0;
  for (const TenantStanding& standing : standings) {
    concerned += standing.state == TenantState::held ? 0 : 1;
    if (standing.fault) {
      ++causes[standing.fault->code];
    } else if (standing.state == TenantState::unreachable) {
      ++causes[ErrorCode::unreachable];
    }
  }
  for (const auto& [code, count] : causes) {
    const bool may_be_all = code == ErrorCode::busy || code == ErrorCode::unreachable;
    if (may_be_all && count == concerned) {
      return static_cast<int>(code);
    }
  }
  return causes.empty() ? 0 : static_cast<int>(ErrorCode::incomplete);
}

}  // namespace

std::map<TenantState, std::size_t> state_counts(const std::vector<TenantStanding>& standings) {
  std::map<TenantState, std::size_t> counts;
  for (const TenantStanding& standing : standings) {
    ++counts[standing.state];
  }
  return counts;
}

Document status_document(const Occasion& occasion, const std::vector<TenantStanding>& standings) {
  std::map<TenantState, std::size_t> counts = state_counts(standings);
  Value summary = Value::object();
  summary.set("total", standings.size());
  for (auto state = kStates.rbegin(); state != kStates.rend(); ++state) {
    summary.set(name_of(*state), counts[*state]);
  }
  Value tenants = Value::list();
  for (const TenantStanding& standing : standings) {
    tenants.add(tenant_value(standing));
  }
  Value value = opening(occasion);
  value.set("summary", std::move(summary));
  value.set("tenants", std::move(tenants));
  return {std::move(value),
          "tenants",
          {"id", "server", "labels", "state", "current", "pending", "error.kind", "error.message"}};
}

std::string status_counts_line(const std::vector<TenantStanding>& standings) {
  std::map<TenantState, std::size_t> counts = state_counts(standings);
  std::string line = count_of(standings.size(), "tenant");
  std::string_view before = ": ";
  for (const TenantState state : kStates) {
    if (counts[state] > 0) {
      line += fmt::format("{}{} {}", before, counts[state], name_of(state));
      before = ", ";
    }
  }
  return line;
}

std::string status_text(const std::vector<TenantStanding>& standings,
                        std::optional<std::size_t> width,
                        Rows rows) {
  const bool all = rows == Rows::all || standings.size() <= kSmallFleet;
  std::vector<const TenantStanding*> shown;
  for (const TenantStanding& standing : standings) {
    if (all || needs_attention(standing)) {
      shown.push_back(&standing);
    }
  }
  std::size_t left_out = 0;
  if (!all) {
    std::stable_sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) {
      return a->state < b->state;
    });
    left_out = shown.size() - std::min(shown.size(), kMostRows);
    shown.resize(shown.size() - left_out);
  }
  std::string text = rows_text(shown, width);
  if (left_out > 0) {
    text += fmt::format("and {} that need attention; see all of them with --status or -o csv\n",
                        count_of(left_out, "more tenant"));
  }
  if (const std::string causes = causes_text(fault_groups(standings)); !causes.empty()) {
    text += "\n" + causes;
  }
  text += text.empty() ? "" : "\n";
  return text + status_counts_line(standings) + "\n";
}

int status_exit(const std::vector<TenantStanding>& standings, PendingCounts pending) {
  if (std::any_of(standings.begin(), standings.end(), history_differs)) {
    return static_cast<int>(ErrorCode::verification);
  }
  if (const int faults = exit_of_faults(standings); faults != 0) {
    return faults;
  }
  const bool changes = std::any_of(standings.begin(), standings.end(), is_pending);
  return pending == PendingCounts::yes && changes ? static_cast<int>(ErrorCode::pending) : 0;
}

}  // namespace drover::orchestrator::report
