#include "orchestrator/cli/plan_text.h"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/parse/lock_mode.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/plan/plan_file.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

using report::Column;

std::string steps_text(const std::vector<engine::RevisionId>& steps) {
  if (steps.empty()) {
    return "nothing to do";
  }
  return steps.size() == 1
             ? steps.front().value
             : fmt::format("{} .. {}  ({})", steps.front().value, steps.back().value, steps.size());
}

std::string waves_table(const Plan& plan) {
  std::vector<std::size_t> to_change(plan.waves.size(), 0);
  std::vector<std::size_t> unfit(plan.waves.size(), 0);
  std::vector<std::string> rules(plan.waves.size());
  for (const PlannedTenant& tenant : plan.tenants) {
    unfit[tenant.wave] += tenant.unfit.empty() ? 0U : 1U;
    to_change[tenant.wave] +=
        tenant.unfit.empty() && !plan.step_lists.at(tenant.steps).empty() ? 1U : 0U;
    rules[tenant.wave] = tenant.rule;
  }
  report::Table table({{"WAVE"},
                       {"TENANTS", Column::Align::right},
                       {"TO CHANGE", Column::Align::right},
                       {"UNFIT", Column::Align::right},
                       {"WHO"}});
  for (std::size_t i = 0; i < plan.waves.size(); ++i) {
    table.add({plan.waves[i].name,
               std::to_string(plan.waves[i].tenants),
               std::to_string(to_change[i]),
               std::to_string(unfit[i]),
               rules[i]});
  }
  return table.written(data_width());
}

std::string revisions_table(const Plan& plan) {
  std::map<engine::RevisionId, std::size_t> tenants = tenants_by_revision(plan);
  report::Table table({{"REVISION"}, {"TENANTS", Column::Align::right}, {"FILE"}, {"NOTE"}});
  for (const PlannedRevision& revision : plan.revisions) {
    std::string note = revision.transactional ? "" : "not in a transaction";
    if (revision.irreversible) {
      note += note.empty() ? "cannot be undone" : ", cannot be undone";
    }
    table.add({revision.id.value, std::to_string(tenants[revision.id]), revision.file, note});
  }
  return table.empty() ? "no tenant has anything to do\n" : table.written(data_width());
}

/// Who waits for a lock of PlannedRevision::locks; empty: nobody who reads or writes, or it is none
/// of a table of PostgreSQL.
std::string_view waiting_for(std::string_view lock) {
  const auto mode = engine::parse::lock_mode_named(lock.substr(0, lock.find(" on ")));
  switch (mode ? engine::parse::blocked_by(*mode) : engine::parse::Blocks::nothing) {
    case engine::parse::Blocks::nothing:
      break;
    case engine::parse::Blocks::writes:
      return "writes";
    case engine::parse::Blocks::reads_and_writes:
      return "reads and writes";
  }
  return "";
}

/// What keeps an application waiting, a row for each lock; the weaker ones are in the file only.
std::string locks_table(const Plan& plan) {
  report::Table table({{"REVISION"}, {"LOCKS"}, {"KEEPS WAITING"}});
  bool whole_files = false;
  for (const PlannedRevision& revision : plan.revisions) {
    std::string name = revision.id.value;
    for (const std::string& lock : revision.locks) {
      whole_files = whole_files || lock == kWholeFileLock;
      if (const std::string_view waiting = waiting_for(lock); !waiting.empty()) {
        table.add({std::exchange(name, ""), lock, std::string(waiting)});
      }
    }
  }
  std::string text = table.written(data_width());
  text += whole_files ? "on SQLite a revision locks its tenant's whole file against writers\n" : "";
  return text.empty() ? text : "\n" + text;
}

/// What the preflight saw; a fleet may have thousands of the same.
std::string findings_text(const Plan& plan) {
  constexpr std::size_t kShown = 10;
  std::string text;
  std::map<std::string, std::size_t> of_kind;
  for (const PlanFinding& finding : plan.findings) {
    if (++of_kind[finding.kind] <= kShown) {
      // all the others are reasons to worry
      const bool is_news = finding.kind == "backups" || finding.kind == "batches";
      text += fmt::format("{} {}\n", is_news ? "-" : "!", printable(finding.text));
    }
  }
  for (const auto& [kind, count] : of_kind) {
    if (count > kShown) {
      text += fmt::format(
          "! {} more of kind {}; all of them are in the plan\n", count - kShown, printable(kind));
    }
  }
  return text.empty() ? text : "\n" + text;
}

}  // namespace

std::string heads_text(const std::vector<engine::RevisionId>& heads) {
  std::string text;
  for (const engine::RevisionId& id : heads) {
    text += (text.empty() ? "" : ", ") + id.value;
  }
  return text.empty() ? "base" : text;
}

std::string plan_text(const Plan& plan) {
  return fmt::format("{} to {} in environment {}, planned {} by {}\n{}\n\n{}\n{}{}{}",
                     plan.direction == engine::Direction::up ? "upgrade" : "downgrade",
                     printable(plan.target),
                     printable(plan.environment),
                     plan.created,
                     printable(plan.author),
                     plan::digest_of(plan),
                     waves_table(plan),
                     revisions_table(plan),
                     locks_table(plan),
                     findings_text(plan));
}

std::string tenants_table(const Plan& plan) {
  report::Table table({{"TENANT"},
                       {"WAVE"},
                       {"SIZE", Column::Align::right},
                       {"FROM"},
                       {"STEPS"},
                       {"WHY IN THIS WAVE"}});
  for (const PlannedTenant& tenant : plan.tenants) {
    table.add(
        {tenant.id.value,
         plan.waves[tenant.wave].name,
         tenant.bytes == 0 ? "" : report::bytes_text(static_cast<std::uint64_t>(tenant.bytes)),
         tenant.unfit.empty() ? heads_text(tenant.from) : "?",
         tenant.unfit.empty() ? steps_text(plan.step_lists.at(tenant.steps)) : tenant.unfit,
         tenant.rule});
  }
  return table.written(data_width());
}

}  // namespace drover::orchestrator::cli
