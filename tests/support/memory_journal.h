/// A run journal in memory, for suites that need one and no disk.
///
/// A MemoryStore stands for the database: every MemoryJournal on it is like another process, and
/// its clock moves when a test says so. Passes tests/conformance/journal_conformance.h. Holders are
/// dead when their lease is over; processes are not looked at.
///
/// Thread safety: any thread may call any function.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/journal.h"

namespace drover::test {

class MemoryStore {
 public:
  /// The store's clock goes on by `time`; nobody waits.
  void advance(std::chrono::milliseconds time) {
    const std::lock_guard lock(mutex_);
    now_ += time;
  }

 private:
  friend class MemoryJournal;

  struct Run {
    orchestrator::RunRecord record;  ///< `lease_alive` and `counts` are made when it is read.
    std::map<std::string, std::string> texts;
    std::string plan;
    std::uint64_t token = 0;  ///< Changes with every holder.
    std::vector<orchestrator::JournalTenant> tenants;
    std::vector<orchestrator::EventRecord> events;
    std::vector<orchestrator::Control> controls;
    std::map<std::string, std::set<std::string>> approvals;
  };

  std::mutex mutex_;  ///< Guards everything below.
  orchestrator::WallTime now_{std::chrono::hours(24 * 365 * 50)};
  std::map<orchestrator::RunId, Run> runs_;
  std::map<std::string, orchestrator::RunId> leases_;
  std::map<std::string, std::map<orchestrator::TenantId, std::chrono::milliseconds>> durations_;
  std::map<std::string, std::map<orchestrator::TenantId, std::string>> uids_;
  std::map<std::string, std::map<orchestrator::TenantId, orchestrator::Hold>> holds_;
  std::uint32_t begun_ = 0;
  std::uint64_t last_token_ = 0;
};

class MemoryJournal final : public orchestrator::Journal {
 public:
  explicit MemoryJournal(
      std::shared_ptr<MemoryStore> store,  // shared with the journals of other "processes"
      std::chrono::milliseconds lease = std::chrono::seconds(30))
      : store_(std::move(store)), lease_(lease) {}

  /// From now on flush(), heartbeat() and finish_run() throw `error`, as if the disk were full;
  /// null ends that. What is recorded meanwhile is kept.
  void fail_with(std::exception_ptr error) {
    const std::lock_guard lock(store_->mutex_);
    failure_ = std::move(error);
  }

  orchestrator::RunId begin_run(const orchestrator::RunRequest& request,
                                const orchestrator::Owner& owner) override {
    const std::lock_guard lock(store_->mutex_);
    refuse_living(request.environment);
    const orchestrator::RunId id =
        orchestrator::make_run_id(store_->now_, ++store_->begun_ * kSuffixStep);
    Run& run = store_->runs_[id];
    run.record.id = id;
    run.record.request = request;
    run.record.request.tenants.clear();
    run.record.request.texts.clear();
    run.texts = request.texts;
    run.plan = request.plan;
    run.record.request.plan.clear();
    run.record.started = store_->now_;
    run.record.total = request.tenants.size();
    for (const orchestrator::TenantId& tenant : request.tenants) {
      run.tenants.emplace_back().outcome.id = tenant;
    }
    hand_over(run, owner);
    return id;
  }

  void take_over(const orchestrator::RunId& id, const orchestrator::Owner& owner) override {
    const std::lock_guard lock(store_->mutex_);
    Run& run = existing(id);
    if (is_over(run)) {
      throw orchestrator::run_finished(run.record);
    }
    refuse_living(run.record.request.environment);
    hand_over(run, owner);
  }

  void reopen(const orchestrator::RunId& id, const orchestrator::Owner& owner) override {
    const std::lock_guard lock(store_->mutex_);
    Run& run = existing(id);
    if (run.record.state == orchestrator::RunState::abandoned) {
      throw orchestrator::run_finished(run.record);
    }
    refuse_living(run.record.request.environment);
    hand_over(run, owner);
  }

  std::chrono::milliseconds lease() const noexcept override { return lease_; }

  bool heartbeat(const orchestrator::RunId& id, const orchestrator::Owner& owner) override {
    const std::lock_guard lock(store_->mutex_);
    throw_failure();
    Run& run = existing(id);
    const bool ours = is_ours(run) && run.record.owner == owner && holds_lease(run) &&
                      run.record.state == orchestrator::RunState::running;
    if (ours) {
      run.record.heartbeat = store_->now_;
    }
    return ours;
  }

  void finish_run(const orchestrator::RunId& id,
                  orchestrator::RunState state,
                  int exit_status) override {
    const std::lock_guard lock(store_->mutex_);
    throw_failure();
    throw_lost();
    Run& run = existing(id);
    if (is_ours(run) && run.record.state == state) {
      return;
    }
    check_may_end(run, state);
    run.record.state = state;
    run.record.exit_status = exit_status;
    run.record.finished = store_->now_;
    if (holds_lease(run)) {
      store_->leases_.erase(run.record.request.environment);
    }
  }

  void record(orchestrator::JournalEntry entry) override {
    const std::lock_guard lock(store_->mutex_);
    std::visit([this](const auto& content) { write(content); }, entry);
  }

  void flush() override {
    const std::lock_guard lock(store_->mutex_);
    throw_failure();
    throw_lost();
  }

  std::vector<orchestrator::RunRecord> runs(const std::string& environment,
                                            std::size_t limit) override {
    const std::lock_guard lock(store_->mutex_);
    std::vector<orchestrator::RunRecord> records;
    for (auto run = store_->runs_.rbegin(); run != store_->runs_.rend(); ++run) {
      const bool fits =
          environment.empty() || run->second.record.request.environment == environment;
      if (fits && records.size() < limit) {
        records.push_back(complete(run->second));
      }
    }
    return records;
  }

  orchestrator::RunRecord run(const std::string& prefix) override {
    const std::lock_guard lock(store_->mutex_);
    const auto first = store_->runs_.lower_bound(orchestrator::RunId{prefix});
    if (prefix.empty() || first == store_->runs_.end() || !first->first.value.starts_with(prefix)) {
      throw orchestrator::unknown_run(prefix);
    }
    const auto second = std::next(first);
    if (first->first.value != prefix && second != store_->runs_.end() &&
        second->first.value.starts_with(prefix)) {
      throw orchestrator::ambiguous_run(prefix, first->first, second->first);
    }
    return complete(first->second);
  }

  std::optional<orchestrator::RunRecord> resumable(const std::string& environment) override {
    const std::lock_guard lock(store_->mutex_);
    for (auto run = store_->runs_.rbegin(); run != store_->runs_.rend(); ++run) {
      if (run->second.record.request.environment == environment && !is_over(run->second) &&
          !is_alive(run->second)) {
        return complete(run->second);
      }
    }
    return std::nullopt;
  }

  std::vector<orchestrator::JournalTenant> tenants_of(const orchestrator::RunId& id) override {
    const std::lock_guard lock(store_->mutex_);
    return existing(id).tenants;
  }

  std::vector<orchestrator::EventRecord> events_of(const orchestrator::RunId& id) override {
    const std::lock_guard lock(store_->mutex_);
    return existing(id).events;
  }

  std::map<std::string, std::string> texts_of(const orchestrator::RunId& id) override {
    const std::lock_guard lock(store_->mutex_);
    const Run& run = existing(id);
    std::map<std::string, std::string> texts;
    for (const auto& [name, sha256] : run.record.request.files) {
      texts.emplace(name, run.texts.at(sha256));
    }
    return texts;
  }

  std::string plan_of(const orchestrator::RunId& id) override {
    const std::lock_guard lock(store_->mutex_);
    return existing(id).plan;
  }

  void send_control(const orchestrator::RunId& id, const orchestrator::Control& control) override {
    const std::lock_guard lock(store_->mutex_);
    existing(id).controls.push_back(control);
  }

  std::vector<orchestrator::Control> take_controls(const orchestrator::RunId& id) override {
    const std::lock_guard lock(store_->mutex_);
    return std::exchange(existing(id).controls, {});
  }

  void approve_stage(const orchestrator::RunId& id,
                     const std::string& stage,
                     const std::string& who) override {
    const std::lock_guard lock(store_->mutex_);
    existing(id).approvals[stage].insert(who);
  }

  std::map<std::string, std::set<std::string>> stage_approvals(
      const orchestrator::RunId& id) override {
    const std::lock_guard lock(store_->mutex_);
    return existing(id).approvals;
  }

  void add_hold(const std::string& environment, const orchestrator::Hold& hold) override {
    const std::lock_guard lock(store_->mutex_);
    orchestrator::Hold kept = hold;
    kept.since = store_->now_;
    store_->holds_[environment].insert_or_assign(hold.tenant, std::move(kept));
  }

  bool remove_hold(const std::string& environment, const orchestrator::TenantId& tenant) override {
    const std::lock_guard lock(store_->mutex_);
    return store_->holds_[environment].erase(tenant) > 0;
  }

  std::vector<orchestrator::Hold> holds(const std::string& environment) override {
    const std::lock_guard lock(store_->mutex_);
    std::vector<orchestrator::Hold> holds;
    for (const auto& [tenant, hold] : store_->holds_[environment]) {
      if (!hold.until || *hold.until > store_->now_) {
        holds.push_back(hold);
      }
    }
    return holds;
  }

  std::map<orchestrator::TenantId, std::chrono::milliseconds> durations(
      const std::string& environment) override {
    const std::lock_guard lock(store_->mutex_);
    return store_->durations_[environment];
  }

  std::map<orchestrator::TenantId, std::string> uids(const std::string& environment) override {
    const std::lock_guard lock(store_->mutex_);
    return store_->uids_[environment];
  }

  void forget_uid(const std::string& environment, const orchestrator::TenantId& tenant) override {
    const std::lock_guard lock(store_->mutex_);
    store_->uids_[environment].erase(tenant);
  }

  void prune(const orchestrator::Retention& retention) override {
    const std::lock_guard lock(store_->mutex_);
    const orchestrator::WallTime oldest = store_->now_ - retention.events;
    for (auto& [id, run] : store_->runs_) {
      if (is_over(run)) {
        std::erase_if(run.events, [&](const auto& event) { return event.at < oldest; });
      }
    }
    std::size_t position = store_->runs_.size();
    std::erase_if(store_->runs_, [&](const auto& entry) {
      return position-- > retention.runs && is_over(entry.second);
    });
  }

 private:
  using Run = MemoryStore::Run;

  static constexpr std::uint32_t kSuffixStep = 0x9E3779B1;  ///< Odd: no suffix comes twice.

  static bool is_over(const Run& run) {
    return run.record.state == orchestrator::RunState::finished ||
           run.record.state == orchestrator::RunState::abandoned;
  }

  Run& existing(const orchestrator::RunId& id) {
    const auto found = store_->runs_.find(id);
    if (found == store_->runs_.end()) {
      throw orchestrator::unknown_run(id.value);
    }
    return found->second;
  }

  bool holds_lease(const Run& run) const {
    const auto lease = store_->leases_.find(run.record.request.environment);
    return lease != store_->leases_.end() && lease->second == run.record.id;
  }

  bool is_ours(const Run& run) const {
    const auto token = tokens_.find(run.record.id);
    return token != tokens_.end() && token->second == run.token;
  }

  bool is_alive(const Run& run) const {
    return run.record.state == orchestrator::RunState::running && holds_lease(run) &&
           store_->now_ - run.record.heartbeat < lease_;
  }

  void refuse_living(const std::string& environment) {
    const auto lease = store_->leases_.find(environment);
    if (lease != store_->leases_.end() && is_alive(existing(lease->second))) {
      throw orchestrator::run_in_progress(complete(existing(lease->second)));
    }
  }

  void hand_over(Run& run, const orchestrator::Owner& owner) {
    run.record.owner = owner;
    run.record.state = orchestrator::RunState::running;
    run.record.exit_status = 0;
    run.record.heartbeat = store_->now_;
    run.record.finished.reset();
    run.token = ++store_->last_token_;
    tokens_[run.record.id] = run.token;
    lost_.erase(run.record.id);
    store_->leases_[run.record.request.environment] = run.record.id;
  }

  void check_may_end(const Run& run, orchestrator::RunState state) {
    if (is_over(run)) {
      throw orchestrator::run_finished(run.record);
    }
    if (is_ours(run)) {
      return;
    }
    if (!tokens_.contains(run.record.id) && is_alive(run)) {
      throw orchestrator::run_in_progress(complete(run));
    }
    if (tokens_.contains(run.record.id) || state != orchestrator::RunState::abandoned) {
      throw orchestrator::lease_lost(run.record.id);
    }
  }

  void throw_failure() const {
    if (failure_) {
      std::rethrow_exception(failure_);
    }
  }

  void throw_lost() const {
    if (!lost_.empty()) {
      throw orchestrator::lease_lost(*lost_.begin());
    }
  }

  /// The run to write to, or nullptr when it is not ours any more.
  Run* writable(const orchestrator::RunId& id) {
    const auto found = store_->runs_.find(id);
    if (found == store_->runs_.end() || !is_ours(found->second)) {
      lost_.insert(id);
      return nullptr;
    }
    return &found->second;
  }

  static orchestrator::JournalTenant& tenant_of(Run& run, const orchestrator::TenantId& id) {
    const auto found = std::find_if(run.tenants.begin(),
                                    run.tenants.end(),
                                    [&](const auto& tenant) { return tenant.outcome.id == id; });
    return found == run.tenants.end() ? run.tenants.emplace_back() : *found;
  }

  void write(const orchestrator::TenantStarted& started) {
    if (Run* const run = writable(started.run)) {
      orchestrator::JournalTenant tenant;
      tenant.outcome.id = started.tenant;
      tenant.outcome.attempts = started.attempt;
      tenant.started = true;
      tenant_of(*run, started.tenant) = tenant;
    }
  }

  void write(const orchestrator::TenantFinished& finished) {
    if (Run* const run = writable(finished.run)) {
      tenant_of(*run, finished.outcome.id) = {finished.outcome, false, true};
      if (finished.outcome.outcome == orchestrator::Outcome::applied) {
        store_->durations_[run->record.request.environment][finished.outcome.id] =
            finished.outcome.duration;
      }
      if (!finished.outcome.uid.empty()) {
        store_->uids_[run->record.request.environment][finished.outcome.id] = finished.outcome.uid;
      }
    }
  }

  void write(const orchestrator::RunEvent& event) {
    if (Run* const run = writable(event.run)) {
      run->events.push_back({store_->now_, event.tenant, event.kind, event.text});
    }
  }

  orchestrator::RunRecord complete(const Run& run) const {
    orchestrator::RunRecord record = run.record;
    record.lease_alive = is_alive(run);
    for (const orchestrator::JournalTenant& tenant : run.tenants) {
      if (tenant.finished) {
        ++record.counts[tenant.outcome.outcome];
      }
    }
    return record;
  }

  const std::shared_ptr<MemoryStore> store_;
  const std::chrono::milliseconds lease_;

  // Guarded by the store's mutex.
  std::exception_ptr failure_;
  std::map<orchestrator::RunId, std::uint64_t> tokens_;  ///< Of the runs we began or took over.
  std::set<orchestrator::RunId> lost_;                   ///< Of these, what others took over.
};

}  // namespace drover::test
