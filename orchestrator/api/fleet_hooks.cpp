#include "orchestrator/api/fleet_hooks.h"

#include <algorithm>
#include <utility>

#include "orchestrator/hooks/hook_call.h"

namespace drover::orchestrator {
namespace {

/// More of them would drown everything else that is told.
constexpr std::size_t kMostTold = 20;

Halt halt_of(std::string text) {
  return {ErrorCode::halted,
          std::string(kHookFailed),
          std::move(text),
          "Mend what it found, then resume the run: the hook is called again."};
}

}  // namespace

FleetHooks::FleetHooks(Workspace& workspace,
                       Journal& journal,
                       Run run,
                       const std::vector<TenantOutcome>& settled)
    : hooks_(workspace.environment().hooks),
      environment_(workspace.environment().name),
      directory_(workspace.options().file.parent_path()),
      journal_(journal),
      run_(std::move(run)) {
  for (const TenantOutcome& outcome : settled) {
    settled_.add(outcome);
  }
}

void FleetHooks::know_stages(const RolloutRules& rules, const std::vector<Tenant>& tenants) {
  for (const RolloutStage& stage : rules.stages) {
    for (const std::size_t tenant : stage.tenants) {
      stages_.emplace(tenants.at(tenant).id, stage.name);
    }
  }
}

std::string FleetHooks::stage_of(const HookFacts& facts) const {
  if (facts.tenant == nullptr) {
    return facts.stage;
  }
  const auto found = stages_.find(facts.tenant->id);
  return found == stages_.end() ? std::string() : found->second;
}

bool FleetHooks::wants(const HookFacts& facts) const {
  const std::string stage = stage_of(facts);
  return std::any_of(hooks_.begin(), hooks_.end(), [&](const HookOptions& hook) {
    return is_meant(hook, facts.event, stage);
  });
}

/// With the run's names, and the tenants that were done before the coordinator began.
HookFacts FleetHooks::completed(HookFacts facts) const {
  facts.run = run_.id.value;
  facts.environment = environment_;
  facts.verb = run_.verb;
  facts.resumed = run_.resumed;
  facts.stage = stage_of(facts);
  if (facts.exit_status) {
    for (const Outcome outcome : kEveryOutcome) {
      if (const std::size_t count = settled_.count(outcome); count > 0) {
        facts.counts[outcome] += count;
      }
    }
    facts.exit_status = *facts.exit_status == 0 ? settled_.exit_status() : *facts.exit_status;
  }
  return facts;
}

std::optional<Halt> FleetHooks::run(const HookFacts& facts, const engine::Patience& patience) {
  const HookFacts told = completed(facts);
  const std::string tenant = told.tenant == nullptr ? "" : told.tenant->id.value;
  std::optional<Halt> failed;
  for (const HookOptions& hook : hooks_) {
    if (!is_meant(hook, told.event, told.stage)) {
      continue;
    }
    if (failed && stops_at_failure(told.event)) {
      break;
    }
    hooks::HookEnd end = hooks::call_hook(hook, told, directory_, patience);
    journal_.record(RunEvent{run_.id,
                             tenant,
                             std::string(kHookEvent),
                             end.output.empty() ? end.text : end.text + "\n" + end.output});
    if (end.succeeded) {
      continue;
    }
    if (on_error_of(hook, told.event) == HookOptions::OnError::warn) {
      add_news((tenant.empty() ? "" : "tenant '" + tenant + "': ") + end.text);
    } else if (!failed) {
      failed = halt_of(std::move(end.text));
    }
  }
  return failed;
}

std::chrono::milliseconds FleetHooks::longest(HookEvent event) const {
  std::chrono::milliseconds sum{0};
  for (const HookOptions& hook : hooks_) {
    if (std::find(hook.on.begin(), hook.on.end(), event) != hook.on.end()) {
      sum += hook.deadline;
    }
  }
  return sum;
}

void FleetHooks::add_news(std::string text) {
  const std::lock_guard lock(news_mutex_);
  if (told_ < kMostTold) {
    news_.push_back(std::move(text));
  } else if (told_ == kMostTold) {
    news_.emplace_back("more hooks fail; the journal has them all");
  }
  ++told_;
}

std::vector<std::string> FleetHooks::take_news() {
  const std::lock_guard lock(news_mutex_);
  return std::exchange(news_, {});
}

}  // namespace drover::orchestrator
