/// The journal of a single target that was given without a store: keeps nothing.
///
/// A lone database needs no journal to be resumed: its own history says where it stands.
///
/// Thread safety: no state.

#pragma once

#include "orchestrator/journal.h"

namespace drover::orchestrator {

class NoJournal final : public Journal {
 public:
  RunId begin_run(const RunRequest& /*request*/, const Owner& /*owner*/) override { return {}; }
  void take_over(const RunId& /*run*/, const Owner& /*owner*/) override {}
  void reopen(const RunId& /*run*/, const Owner& /*owner*/) override {}
  std::chrono::milliseconds lease() const noexcept override { return std::chrono::hours(1); }
  bool heartbeat(const RunId& /*run*/, const Owner& /*owner*/) override { return true; }
  void finish_run(const RunId& /*run*/, RunState /*state*/, int /*exit_status*/) override {}
  void record(JournalEntry /*entry*/) override {}
  void flush() override {}
  std::vector<RunRecord> runs(const std::string& /*environment*/, std::size_t /*limit*/) override {
    return {};
  }
  RunRecord run(const std::string& run) override;
  std::optional<RunRecord> resumable(const std::string& /*environment*/) override {
    return std::nullopt;
  }
  std::vector<JournalTenant> tenants_of(const RunId& /*run*/) override { return {}; }
  std::vector<EventRecord> events_of(const RunId& /*run*/) override { return {}; }
  std::map<std::string, std::string> texts_of(const RunId& /*run*/) override { return {}; }
  std::string plan_of(const RunId& /*run*/) override { return {}; }
  void send_control(const RunId& run, const Control& /*control*/) override { this->run(run.value); }
  std::vector<Control> take_controls(const RunId& /*run*/) override { return {}; }
  void approve_stage(const RunId& run,
                     const std::string& /*stage*/,
                     const std::string& /*who*/) override {
    this->run(run.value);
  }
  std::map<std::string, std::set<std::string>> stage_approvals(const RunId& /*run*/) override {
    return {};
  }
  void add_hold(const std::string& /*environment*/, const Hold& /*hold*/) override {}
  bool remove_hold(const std::string& /*environment*/, const TenantId& /*tenant*/) override {
    return false;
  }
  std::vector<Hold> holds(const std::string& /*environment*/) override { return {}; }
  std::map<TenantId, std::chrono::milliseconds> durations(
      const std::string& /*environment*/) override {
    return {};
  }
  std::map<TenantId, std::string> uids(const std::string& /*environment*/) override { return {}; }
  void forget_uid(const std::string& /*environment*/, const TenantId& /*tenant*/) override {}
  void prune(const Retention& /*retention*/) override {}
};

inline RunRecord NoJournal::run(const std::string& run) {
  throw Error(ErrorCode::usage,
              "unknown_run",
              "there is no run '" + run + "': a single target keeps no journal",
              "Give --store to keep one.");
}

}  // namespace drover::orchestrator
