/// Calls the hooks of an environment for a run, and keeps in its journal how each ended and what it
/// wrote.
///
/// Thread safety: run(), wants(), longest() and take_news() from any thread, once the stages are
/// known.

#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "orchestrator/api/workspace.h"
#include "orchestrator/journal.h"
#include "orchestrator/rollout.h"
#include "orchestrator/run_hooks.h"

namespace drover::orchestrator {

class FleetHooks final : public RunHooks {
 public:
  /// What every hook of the run is told.
  struct Run {
    RunId id;
    std::string verb;
    bool resumed = false;
  };

  /// `workspace` and `journal` must outlive it. `settled` are the tenants that the coordinator
  /// hears nothing of.
  FleetHooks(Workspace& workspace,
             Journal& journal,
             Run run,
             const std::vector<TenantOutcome>& settled);

  /// The stage of each of `tenants`; to be called before the run starts.
  void know_stages(const RolloutRules& rules, const std::vector<Tenant>& tenants);

  bool wants(const HookFacts& facts) const override;
  std::optional<Halt> run(const HookFacts& facts, const engine::Patience& patience) override;
  std::chrono::milliseconds longest(HookEvent event) const override;
  std::vector<std::string> take_news() override;

 private:
  std::string stage_of(const HookFacts& facts) const;
  HookFacts completed(HookFacts facts) const;
  void add_news(std::string text);

  const std::vector<HookOptions>& hooks_;
  const std::string environment_;
  const std::filesystem::path directory_;
  Journal& journal_;
  const Run run_;
  RunSummary settled_;
  std::map<TenantId, std::string> stages_;

  std::mutex news_mutex_;  ///< Guards what follows.
  std::vector<std::string> news_;
  std::size_t told_ = 0;
};

}  // namespace drover::orchestrator
