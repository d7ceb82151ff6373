/// Which tenant is worked on next, and what a tenant's fault means for the tenant, its server and
/// the run.
///
/// A pure state machine: the coordinator (run/coordinator.h) tells it what happened and carries out
/// what it answers. It has no clock, no thread and does no I/O. How many tenants a server takes is
/// adaptive_limit.h, whether it is well is server_health.h, what several attempts amount to is
/// turn.h; this file puts them together.
///
/// Promises: every tenant is finished exactly once. In flight never exceeds the limits, of the run
/// and of each server. After `failure_budget` + 1 failures nothing is started any more; in strict
/// mode so few are in flight that no more than that can ever fail. Trying
/// again ends: each tenant at most three times for one cause, each server when it was paused for
/// `limits.server_pause` in total without doing anything well.
///
/// Thread safety: none; one thread drives it.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/clock.h"
#include "engine/error.h"
#include "orchestrator/adaptive_limit.h"
#include "orchestrator/options.h"
#include "orchestrator/outcome.h"
#include "orchestrator/rollout_options.h"
#include "orchestrator/server_health.h"

namespace drover::orchestrator {

struct ScheduledTenant {
  TenantId id;
  std::string server;
  std::optional<std::chrono::milliseconds> known_duration;  ///< Of its last change.
  int crashed_starts = 0;                   ///< How often a process died while it was under way.
  std::optional<std::uint64_t> bytes = {};  ///< Of its data.
};

/// Why a run was stopped before its end.
struct Halt {
  ErrorCode code = ErrorCode::halted;
  std::string kind;  ///< "budget_exhausted", "fatal_fault", "lease_lost" ...
  std::string message;
  std::string hint;
};

/// The halt that `error` leads to.
Halt halt_for(const Error& error);

struct ScheduleOptions {
  Limits limits;
  std::optional<std::size_t> failure_budget;  ///< Failures that are tolerated; nullopt: all.
  std::uint32_t seed = 0;                     ///< Of the jitter between probes.
  bool strict = false;  ///< In flight never exceeds failure_budget + 1 less the failures so far.
  std::size_t failed_before = 0;  ///< Failures of earlier processes that the budget counts.
  std::size_t planned = 0;        ///< For messages: tenants, settled ones too; 0: those given.
  StartOrder order = StartOrder::slowest;
  std::chrono::milliseconds delay{0};  ///< Between two starts.

  /// Told of each failure that is the tenant's own; a halt that it returns stops the schedule
  /// before anything else is started.
  std::function<std::optional<Halt>(const TenantOutcome&)> on_failure = {};

  /// Told of each such failure that does not count any more, because the tenant has another turn.
  std::function<void(const TenantOutcome&)> on_forgiven = {};
};

/// The failures that a run of `planned` tenants tolerates when nobody said how many: a tenth, at
/// least one. None are counted for a single tenant.
std::optional<std::size_t> default_failure_budget(std::size_t planned) noexcept;

/// A server that nothing is started on for now.
struct PausedServer {
  std::string server;
  std::string why;
  engine::SteadyTime since;
};

// What is to be done. Tenants are numbered as they were given, servers in the order in which the
// tenants name them.
struct StartTenant {
  std::size_t tenant;
  int attempt;
};
struct ProbeServer {
  std::size_t server;
  std::size_t tenant;  ///< Any of it, to connect with.
};
struct AskCapacity {
  std::size_t server;
  std::size_t tenant;
};
struct FinishTenant {
  std::size_t tenant;
  TenantOutcome outcome;
};
struct ReopenTenant {  ///< It had finished, and has another turn.
  std::size_t tenant;
};
struct CancelWork {};  ///< Ask everything in flight to stop.
struct HaltRun {
  Halt halt;
};
struct Note {          ///< Worth keeping in the journal.
  std::string tenant;  ///< Empty: of a server or the whole run.
  std::string kind;
  std::string text;
};
using Action = std::variant<StartTenant,
                            ProbeServer,
                            AskCapacity,
                            FinishTenant,
                            ReopenTenant,
                            CancelWork,
                            HaltRun,
                            Note>;
using Actions = std::vector<Action>;

class Schedule {
 public:
  /// A process that died this often over one tenant does not touch it again.
  static constexpr int kCrashesTolerated = 3;

  /// Attempts at one tenant that may end by the same cause: its session killed, its connection
  /// lost.
  static constexpr int kAttemptsPerCause = 3;

  /// Tenants of one server that may go without a backup in a row before the run stops for people to
  /// look: a full disk or a broken tool will not get better by itself.
  static constexpr int kBackupsTolerated = 2;

  /// How often a server with work left is asked for its room.
  static constexpr std::chrono::seconds kBetweenAsks{30};

  Schedule(std::vector<ScheduledTenant> tenants, const ScheduleOptions& options);

  // What happened. Each call returns what is to be done now; whoever calls must do all of it, in
  // order, and answer every StartTenant, ProbeServer and AskCapacity with one event.
  Actions tick(engine::SteadyTime now);
  Actions completed(std::size_t tenant, TenantOutcome outcome, engine::SteadyTime now);
  Actions probed(std::size_t server,
                 const std::optional<engine::SqlError>& error,
                 engine::SteadyTime now);
  Actions learned_capacity(std::size_t server,
                           std::optional<std::size_t> free,
                           engine::SteadyTime now);

  /// Nothing is started any more; what is in flight comes to its end.
  Actions drain(engine::SteadyTime now);

  /// As drain, and what is in flight is asked to stop.
  Actions cancel(engine::SteadyTime now);

  /// As drain, because of `why`. Only the first halt counts.
  Actions halt(Halt why, engine::SteadyTime now);

  /// Nothing is started until go_on(); what is under way comes to its end.
  void pause() noexcept { paused_ = true; }
  void go_on() noexcept { paused_ = false; }

  /// Nothing is started before `from`, nor at `until` or later.
  void start_between(engine::SteadyTime from, engine::SteadyTime until) noexcept {
    opens_ = from;
    closes_ = until;
  }

  /// At most so many at once from now on; at least one.
  void throttle(std::size_t in_flight) noexcept {
    limits_.in_flight = std::max<std::size_t>(in_flight, 1);
  }

  /// Leaves a tenant out that waits for its turn. False: its turn has come, or it has ended.
  bool skip(std::size_t tenant, const std::string& reason);

  /// Tenants that failed, or could not be reached, wait for their turn again; a server that was
  /// given up is tried again. Nothing happens once the schedule is stopping.
  Actions retry_failed(engine::SteadyTime now);

  /// Nothing is started at `until` or later, as long as nobody says otherwise.
  void trust_lease_until(engine::SteadyTime until) noexcept { trusted_until_ = until; }

  /// When to call tick() if nothing happens before; nullopt: only an event goes on.
  std::optional<engine::SteadyTime> wake_at() const noexcept;

  bool finished() const noexcept { return ended_ == tenants_.size(); }
  bool stopping() const noexcept { return phase_ != Phase::running; }
  bool all_started() const noexcept;
  std::size_t in_flight() const noexcept { return in_flight_; }

  /// Up to `most` tenants that wait for their turn, those that will have it first in front.
  std::vector<std::size_t> upcoming(std::size_t most) const;
  std::size_t server_count() const noexcept { return servers_.size(); }
  std::size_t limit_of(std::size_t server) const { return servers_.at(server).limit.value(); }
  std::vector<PausedServer> paused() const;

 private:
  enum class Phase { running, draining, cancelled };
  enum class Blame { tenant, server };
  enum class Where { queued, in_flight, under_suspicion, ended };

  struct Tenant {
    TenantId id;
    std::size_t server = 0;
    std::size_t rank = 0;  ///< Its place in the order of starting.
    int crashed_starts = 0;
    Where where = Where::queued;
    engine::SteadyTime started;
    int spent = 0;    ///< Attempts that count.
    int tried = 0;    ///< What those tried, as the worker counted.
    int trying = 0;   ///< What the last attempt tried, whether it counts or not.
    int killed = 0;   ///< Attempts that ended because the session was killed,
    int lost = 0;     ///< ... because the connection was lost,
    int refused = 0;  ///< ... because the password was.
    engine::FaultClass cause = engine::FaultClass::permanent;  ///< Of the last attempt.
    std::unique_ptr<TenantOutcome> last;  ///< What is known from attempts so far; may be absent.
                                          ///< Of one that ended: only where it did not go well.
    bool counted = false;                 ///< As a failure.
  };

  struct Server {
    Server(std::string server_name, const Limits& limits);

    std::string name;
    AdaptiveLimit limit;
    ServerHealth health;
    std::deque<std::size_t> queue;  ///< Tenants that wait for their turn.
    std::size_t in_flight = 0;
    std::size_t members = 0;
    std::size_t left = 0;                      ///< Tenants that are not finished.
    std::size_t probe_with = 0;                ///< A tenant that is likely to get in.
    std::vector<std::size_t> suspects;         ///< Tenants that wait for the next probe,
    std::vector<std::size_t> probed;           ///< ... and for the one under way.
    std::optional<std::size_t> ready_rank;     ///< Its key in ready_, when it is there.
    std::optional<engine::SteadyTime> ask_at;  ///< Nullopt: not yet, or under way.
    std::size_t ours_when_asked = 0;
    bool was_asked = false;
    int without_backup = 0;  ///< Tenants in a row.
    engine::SteadyTime refused_at = engine::SteadyTime::min();
  };

  void take_in(std::vector<ScheduledTenant> tenants);
  void put_in_order(const std::vector<ScheduledTenant>& tenants);
  Actions settle(engine::SteadyTime now);
  void quarantine();
  void check_budget();
  void check_backups(const Server& server, const TenantOutcome& outcome);

  // Servers: what is due when.
  void look_after_servers(engine::SteadyTime now);
  void look_after(std::size_t server, engine::SteadyTime now);
  void ask_capacity(std::size_t server);
  std::optional<engine::SteadyTime> due(const Server& server) const noexcept;
  void refresh(std::size_t server);

  // Tenants: their turns.
  void fill(engine::SteadyTime now);
  std::size_t room() const noexcept;
  engine::SteadyTime not_before() const noexcept;
  void start(std::size_t server, engine::SteadyTime now);
  void requeue(std::size_t tenant);
  void try_again(std::size_t tenant);
  void finish(std::size_t tenant, TenantOutcome outcome, Blame blame);
  void finish_last(std::size_t tenant);
  void reopen(std::size_t tenant);
  void finish_unreachable(std::size_t tenant);
  void stop(Phase phase);
  void stop_because(Halt why);

  // What an attempt that ended means (schedule_faults.cpp).
  void reached_outcome(std::size_t tenant);
  void went_wrong(std::size_t tenant, const engine::TenantFault& fault, engine::SteadyTime now);
  void lower_limit(std::size_t tenant, engine::SteadyTime now);
  void server_is_down(std::size_t tenant, const engine::TenantFault& fault, engine::SteadyTime now);
  void ask_the_server(std::size_t tenant);
  void server_is_fine(std::size_t tenant);
  void server_answered(std::size_t server, engine::SteadyTime now);
  void after_pause(std::size_t server);
  void give_up(std::size_t server);
  std::vector<std::size_t> take_suspects(Server& server);

  void note(std::string tenant, std::string kind, std::string text);
  TenantOutcome last_of(const Tenant& tenant) const;
  double jitter();

  std::vector<Tenant> tenants_;
  std::vector<Server> servers_;
  const ScheduleOptions options_;
  Limits limits_;
  std::minstd_rand random_;

  Phase phase_ = Phase::running;
  bool begun_ = false;
  bool halted_ = false;
  bool paused_ = false;
  engine::SteadyTime now_ = engine::SteadyTime::min();         ///< Of the last event.
  engine::SteadyTime next_start_ = engine::SteadyTime::min();  ///< For the delay between starts.
  engine::SteadyTime opens_ = engine::SteadyTime::min();
  engine::SteadyTime closes_ = engine::SteadyTime::max();
  engine::SteadyTime trusted_until_ = engine::SteadyTime::max();
  std::size_t in_flight_ = 0;
  std::size_t ended_ = 0;
  std::size_t failures_ = 0;
  std::set<std::pair<std::size_t, std::size_t>> ready_;  ///< Rank of the first in line, server.
  std::set<std::size_t> locked_out_;  ///< Servers that refused the login since one let us in.
  std::set<std::size_t> watched_;     ///< Servers with something due, now or later.
  engine::SteadyTime look_at_ = engine::SteadyTime::max();  ///< The first of what is due.
  Actions actions_;
};

}  // namespace drover::orchestrator
