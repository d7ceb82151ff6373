// The promises of schedule.h, kept under random outcomes, faults, outages and interrupts.

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "orchestrator/schedule.h"
#include "orchestrator/turn.h"
#include "tests/orchestrator/schedule_driver.h"

using drover::engine::FaultClass;
using drover::engine::SqlError;
using drover::engine::SteadyTime;
using drover::orchestrator::Action;
using drover::orchestrator::Actions;
using drover::orchestrator::Outcome;
using drover::orchestrator::Schedule;
using drover::orchestrator::ScheduledTenant;
using drover::orchestrator::ScheduleOptions;
using drover::orchestrator::TenantId;
using drover::orchestrator::TenantOutcome;
using drover::test::faulted;
using drover::test::refused_connection;
using drover::test::went;
using std::chrono::milliseconds;

namespace {

/// A fleet in virtual time: servers go down and come back, tenants fail at random.
class World {
 public:
  explicit World(unsigned seed)
      : random_(seed),
        tenants_(make_tenants()),
        options_(make_options()),
        schedule_(tenants_, options_) {
    for (std::size_t i = 0; i < servers_; ++i) {
      down_.emplace_back(start_ + milliseconds(below(20'000)), milliseconds(below(3) * 40'000));
    }
    if (below(4) == 0) {
      at(now_ + milliseconds(below(5'000)), [this] { carry_out(schedule_.drain(now_)); });
    }
    if (below(8) == 0) {
      at(now_ + milliseconds(below(9'000)), [this] { carry_out(schedule_.cancel(now_)); });
    }
  }

  /// Until the schedule says that it is finished, or has done far more than it could ever need.
  void run() {
    carry_out(schedule_.tick(now_));
    constexpr int kFarTooMany = 100'000;
    for (int step = 0; step < kFarTooMany && !schedule_.finished(); ++step) {
      const auto wake = schedule_.wake_at();
      REQUIRE((wake || !events_.empty()));  // or nothing would ever go on
      if (events_.empty() || (wake && *wake <= events_.top().first)) {
        now_ = std::max(now_, *wake);
        carry_out(schedule_.tick(now_));
        continue;
      }
      const std::function<void()> happen = events_.top().second;
      now_ = events_.top().first;
      events_.pop();
      happen();
    }
    REQUIRE(schedule_.finished());
    for (const auto& [tenant, count] : times_finished_) {
      REQUIRE(count == 1);
    }
    REQUIRE(times_finished_.size() == tenants_.size());
    REQUIRE(in_flight_ == 0);
    // Each server is given up after its patience, and each tenant's attempts are bounded.
    REQUIRE(now_ - start_ < std::chrono::hours(2));
  }

 private:
  using Event = std::pair<SteadyTime, std::function<void()>>;
  struct Later {
    bool operator()(const Event& a, const Event& b) const { return a.first > b.first; }
  };

  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }

  std::vector<ScheduledTenant> make_tenants() {
    servers_ = 1 + below(5);
    std::vector<ScheduledTenant> tenants(1 + below(60));
    for (std::size_t i = 0; i < tenants.size(); ++i) {
      tenants[i].id = TenantId{"t" + std::to_string(i)};
      tenants[i].server = "db" + std::to_string(i % servers_);
      if (below(2) == 0) {
        tenants[i].known_duration = milliseconds(below(1'000));
      }
      tenants[i].crashed_starts = below(20) == 0 ? 3 : 0;
    }
    servers_ = std::min(servers_, tenants.size());
    return tenants;
  }

  ScheduleOptions make_options() {
    ScheduleOptions options;
    options.limits.in_flight = 1 + below(20);
    options.limits.per_server = 1 + below(8);
    options.limits.server_pause = milliseconds(60'000);
    if (below(2) == 0) {
      options.failure_budget = below(10);
    }
    options.seed = static_cast<std::uint32_t>(below(1'000));
    badness_ = below(3) * 12;
    return options;
  }

  void at(SteadyTime time, std::function<void()> happen) {
    events_.emplace(time, std::move(happen));
  }

  bool is_down(std::size_t server) const {
    return now_ >= down_[server].first && now_ < down_[server].first + down_[server].second;
  }

  void carry_out(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* start = std::get_if<drover::orchestrator::StartTenant>(&action)) {
        begin(start->tenant);
      } else if (const auto* finish = std::get_if<drover::orchestrator::FinishTenant>(&action)) {
        ++times_finished_[finish->tenant];
      } else if (const auto* probe = std::get_if<drover::orchestrator::ProbeServer>(&action)) {
        REQUIRE(now_ - last_probe_[probe->server] >= milliseconds(500));
        last_probe_[probe->server] = now_;
        at(now_ + milliseconds(1 + below(200)), [this, server = probe->server] {
          std::optional<SqlError> error;
          if (is_down(server)) {
            error = refused_connection();
          }
          carry_out(schedule_.probed(server, error, now_));
        });
      } else if (const auto* ask = std::get_if<drover::orchestrator::AskCapacity>(&action)) {
        at(now_ + milliseconds(1 + below(200)), [this, server = ask->server] {
          std::optional<std::size_t> free = below(30);
          carry_out(schedule_.learned_capacity(server, below(3) == 0 ? std::nullopt : free, now_));
        });
      } else if (std::holds_alternative<drover::orchestrator::HaltRun>(action)) {
        REQUIRE_FALSE(halted_);
        halted_ = true;
      }
    }
    REQUIRE(in_flight_ == schedule_.in_flight());
    if (options_.failure_budget && failures_ > *options_.failure_budget) {
      REQUIRE(schedule_.stopping());
      REQUIRE(failures_ <= *options_.failure_budget + 1 + options_.limits.in_flight);
    }
  }

  void begin(std::size_t tenant) {
    const std::size_t server = tenant % servers_;
    REQUIRE(times_finished_[tenant]-- == 0);  // -1: under way
    REQUIRE_FALSE(schedule_.stopping());
    ++in_flight_;
    ++per_server_[server];
    REQUIRE(in_flight_ <= options_.limits.in_flight);
    REQUIRE(per_server_[server] <= options_.limits.per_server);
    at(now_ + milliseconds(1 + below(800)), [this, tenant, server] {
      --in_flight_;
      --per_server_[server];
      ++times_finished_[tenant];
      TenantOutcome outcome = is_down(server) ? lost() : any();
      if (outcome.fault && outcome.fault->fault_class == FaultClass::permanent) {
        ++failures_;
      }
      carry_out(schedule_.completed(tenant, std::move(outcome), now_));
    });
  }

  TenantOutcome lost() {
    switch (below(4)) {
      case 0:
        return faulted(Outcome::in_doubt, FaultClass::no_connection);
      case 1:
        return faulted(Outcome::failed, FaultClass::session_killed);
      case 2:
        return faulted(Outcome::unreachable, FaultClass::no_connection);
      default:
        return faulted(Outcome::unreachable, FaultClass::server_down, "too_many_connections");
    }
  }

  TenantOutcome any() {
    const std::size_t luck = below(100);
    if (luck >= badness_) {
      return went(luck % 2 == 0 ? Outcome::applied : Outcome::current);
    }
    switch (luck % 6) {
      case 0:
        return lost();
      case 1:
        return faulted(Outcome::failed, FaultClass::server_suspect);
      case 2:
        return faulted(Outcome::unreachable, FaultClass::authentication);
      case 3:
        return faulted(Outcome::partial, FaultClass::transient, "lock_timeout");
      default:
        return faulted(Outcome::failed, FaultClass::permanent);
    }
  }

  std::mt19937 random_;
  std::size_t servers_ = 1;
  std::size_t badness_ = 0;  ///< Percent of attempts that go wrong on a good server.
  std::vector<ScheduledTenant> tenants_;
  ScheduleOptions options_;
  Schedule schedule_;
  const SteadyTime start_{std::chrono::hours(1)};
  SteadyTime now_ = start_;
  std::vector<std::pair<SteadyTime, milliseconds>> down_;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::map<std::size_t, int> times_finished_;
  std::map<std::size_t, SteadyTime> last_probe_;
  std::map<std::size_t, std::size_t> per_server_;
  std::size_t in_flight_ = 0;
  std::size_t failures_ = 0;
  bool halted_ = false;
};

}  // namespace

TEST_CASE("whatever happens, every tenant ends once, within limits and budget, and the run ends") {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    world.run();
  }
}
