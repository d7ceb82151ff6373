#include "orchestrator/api/fleet_checks.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "engine/session_hygiene.h"
#include "engine/sql_value.h"
#include "orchestrator/gates/command_check.h"
#include "orchestrator/gates/http_check.h"

namespace drover::orchestrator {
namespace {

constexpr std::size_t kAtOnce = 8;  ///< Tenants that are probed.

/// One row with one column that is true or false, from `session`; nothing can be written.
CheckResult answer_of(engine::Session& session,
                      const std::string& sql,
                      const std::string& who,
                      const engine::Patience& patience) {
  const bool postgres = session.dialect() == engine::Dialect::postgres;
  const engine::Statement question[] = {
      {postgres ? "BEGIN READ ONLY" : "PRAGMA query_only = ON", {}, engine::Author::drover},
      {sql, {}, engine::Author::migration}};
  const engine::Exchange answer = session.exchange(question, patience);
  if (!answer.ok()) {
    return {Answer::inconclusive, fmt::format("{}: {}", who, answer.error->message)};
  }
  const engine::ResultSet& rows = answer.results.back();
  const bool one = rows.rows.size() == 1 && rows.rows.front().size() == 1;
  const engine::SqlValue value = one ? rows.rows.front().front() : std::nullopt;
  if (value == "t" || value == "true" || value == "1") {
    return {Answer::pass, fmt::format("{} says yes", who)};
  }
  if (value == "f" || value == "false" || value == "0") {
    return {Answer::fail, fmt::format("{} says no", who)};
  }
  return {
      Answer::inconclusive,
      fmt::format("{} says neither yes nor no: its probe must give one row with one column that "
                  "is true or false",
                  who)};
}

engine::OpenOptions reading(const Environment& environment) {
  engine::OpenOptions options;
  options.statement_timeout = environment.timeouts.statement;
  return options;
}

/// Of many answers the one that decides: a failure before what is inconclusive, that before a pass.
/// Thread safe.
class WorstAnswer {
 public:
  explicit WorstAnswer(std::string all_passed) : worst_{Answer::pass, std::move(all_passed)} {}

  void add(CheckResult result) {
    const std::lock_guard lock(worst_mutex_);
    if (rank(result.answer) > rank(worst_.answer)) {
      worst_ = std::move(result);
    }
  }
  CheckResult take() { return std::move(worst_); }

 private:
  static int rank(Answer answer) {
    return answer == Answer::fail ? 2 : (answer == Answer::inconclusive ? 1 : 0);
  }

  std::mutex worst_mutex_;  ///< Guards worst_.
  CheckResult worst_;
};

}  // namespace

FleetChecks::FleetChecks(Workspace& workspace, Journal& journal, RunId run, const Plan* plan)
    : workspace_(workspace), journal_(journal), run_(std::move(run)) {
  if (plan != nullptr) {
    planned_waves_ = plan->waves.size();
    for (const PlannedTenant& tenant : plan->tenants) {
      wave_of_.emplace(tenant.id, tenant.wave);
    }
  }
}

/// Those of the stage that are where they should be, also those that an earlier process took there.
std::vector<Tenant> FleetChecks::healthy_members(std::size_t stage) const {
  journal_.flush();
  std::set<TenantId> healthy;
  for (const JournalTenant& tenant : journal_.tenants_of(run_)) {
    const auto wave = wave_of_.find(tenant.outcome.id);
    const bool is_late = wave == wave_of_.end();  // in a wave of their own, after the planned ones
    const bool member = (is_late ? planned_waves_ : wave->second) == stage;
    if (member && tenant.finished && went_well(tenant.outcome)) {
      healthy.insert(tenant.outcome.id);
    }
  }
  std::vector<Tenant> members;
  for (const Tenant& tenant : workspace_.fleet()) {
    if (healthy.contains(tenant.id)) {
      members.push_back(tenant);
    }
  }
  return members;
}

CheckResult FleetChecks::ask(std::size_t stage,
                             std::size_t check,
                             const engine::Patience& patience) {
  const std::vector<Stage>& stages = workspace_.environment().rollout->stages;
  const Stage& asked = stages.at(std::min(stage, stages.size() - 1));
  const auto& what = asked.gate.checks.at(check).what;
  if (const auto* sql = std::get_if<SqlProbe>(&what)) {
    try {
      return ask_sql(*sql, stage, patience);
    } catch (const Error& error) {  // of the journal
      return {Answer::inconclusive, error.what()};
    }
  }
  if (const auto* command = std::get_if<CommandProbe>(&what)) {
    const gates::CommandFacts facts{workspace_.options().file.parent_path(),
                                    {{"DROVER_ENVIRONMENT", workspace_.environment().name},
                                     {"DROVER_RUN", run_.value},
                                     {"DROVER_STAGE", asked.name}}};
    return gates::ask_command(*command, facts, patience);
  }
  return gates::ask_http(std::get<HttpProbe>(what), patience);
}

CheckResult FleetChecks::ask_sql(const SqlProbe& probe,
                                 std::size_t stage,
                                 const engine::Patience& patience) {
  if (probe.on == SqlProbe::On::control) {
    return ask_control(probe, patience);
  }
  const std::vector<Tenant> members = healthy_members(stage);
  WorstAnswer worst(fmt::format("all {} tenants say yes", members.size()));
  std::atomic<std::size_t> next{0};
  const auto ask_some = [&] {
    for (std::size_t i = next++; i < members.size(); i = next++) {
      worst.add(ask_tenant(probe, members[i], patience));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < std::min(kAtOnce, members.size()); ++t) {
      threads.emplace_back(ask_some);
    }
  }
  return worst.take();
}

CheckResult FleetChecks::ask_tenant(const SqlProbe& probe,
                                    const Tenant& tenant,
                                    const engine::Patience& patience) {
  engine::OpenOptions options = reading(workspace_.environment());
  options.facts = facts_of(tenant);
  options.settings =
      engine::session_settings(tenant.target.dialect, tenant.target.schema, options.facts);
  const std::string who = fmt::format("tenant '{}'", tenant.id.value);
  const engine::Patience limited = no_longer_than(patience);
  engine::OpenResult opened = workspace_.sessions().open(tenant.target, options, limited);
  if (!opened.session) {
    return {Answer::inconclusive, fmt::format("{}: {}", who, opened.error->message)};
  }
  return answer_of(*opened.session, probe.sql, who, limited);
}

/// A probe has as long as a statement; one without a limit has five minutes.
engine::Patience FleetChecks::no_longer_than(const engine::Patience& patience) const {
  const std::chrono::milliseconds usual = workspace_.environment().timeouts.statement;
  const std::chrono::milliseconds most = usual.count() > 0 ? usual : std::chrono::minutes(5);
  return {std::min(patience.deadline, workspace_.clock().now() + most), patience.stop};
}

CheckResult FleetChecks::ask_control(const SqlProbe& probe, const engine::Patience& patience) {
  try {
    const engine::Target target = engine::api::parse_target(probe.control.reveal());
    engine::api::EngineSessions sessions;
    engine::OpenResult opened =
        sessions.open(target, reading(workspace_.environment()), no_longer_than(patience));
    if (!opened.session) {
      return {Answer::inconclusive, fmt::format("the control database: {}", opened.error->message)};
    }
    return answer_of(*opened.session, probe.sql, "the control database", no_longer_than(patience));
  } catch (const Error& error) {
    return {Answer::inconclusive, fmt::format("the control database: {}", error.what())};
  }
}

}  // namespace drover::orchestrator
