/// One rollout from its first tick to its last tenant, in virtual time: with servers that go away,
/// an orchestrator that is killed at any event, and people who pause, throttle, skip, approve, mend
/// and resume.
///
/// The rollout is the one that production runs. A killed one is gone with all that it knew; the
/// next one is made from the journal alone, and what was in flight has happened or not.
///
/// check() throws std::logic_error, saying which promise was broken.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "orchestrator/rollout.h"
#include "orchestrator/rollout_resume.h"
#include "orchestrator/waves.h"
#include "tests/simulation/world.h"

namespace drover::test {

class Simulation {
 public:
  /// What happened at least once, for a campaign that must see all of it.
  using Sightings = std::map<std::string, std::size_t>;

  /// A fleet of `size`; 0: as the seed says.
  explicit Simulation(std::uint64_t seed, std::size_t size = 0);

  /// Runs and resumes until every tenant is where it should be, or nobody can bring it there.
  void run();

  const Sightings& sightings() const noexcept { return seen_; }

 private:
  using Happen = std::function<void()>;
  struct Event {
    engine::SteadyTime at;
    std::size_t number;  ///< Events of one moment come in the order in which they were made.
    std::size_t process;
    Happen happen;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::pair(a.at, a.number) > std::pair(b.at, b.number);
    }
  };

  // The orchestrator's processes.
  void begin_process();
  void kill();
  bool run_process();
  bool resume_wanted();
  orchestrator::RolloutRules rules() const;
  void interfere();
  void mend_and_retry();

  // What the rollout wants.
  void carry_out(orchestrator::RolloutActions actions);
  void start(const orchestrator::StartTenant& action);
  void finish(orchestrator::FinishTenant action);
  void reopen(std::size_t tenant);
  void probe(const orchestrator::ProbeServer& action);
  void ask_check(const orchestrator::AskCheck& action);
  void move(const orchestrator::StageMoved& action);

  orchestrator::TenantOutcome attempt(std::size_t tenant, bool& took_effect);
  void later(milliseconds delay, Happen happen);
  milliseconds elapsed() const;
  void check(bool promise, const std::string& broken) const;
  void check_budgets(std::size_t stage);
  void check_end() const;

  World world_;
  Dice dice_;
  std::vector<orchestrator::WavePlace> places_;
  std::unique_ptr<orchestrator::Rollout> rollout_;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::size_t events_made_ = 0;
  std::size_t process_ = 0;
  std::size_t kills_left_ = 0;
  const engine::SteadyTime epoch_{std::chrono::hours(1)};
  engine::SteadyTime now_ = epoch_;
  std::map<std::size_t, std::size_t> number_of_server_;  ///< The rollout's number of a server.

  // The journal: all that a next process knows.
  std::vector<std::optional<orchestrator::TenantOutcome>> outcomes_;
  std::set<std::string> passed_;
  std::map<std::string, std::set<std::string>> approved_by_;
  std::optional<orchestrator::Halt> halt_;

  // What is counted for the promises.
  std::set<std::size_t> in_flight_;
  std::vector<std::size_t> times_finished_;    ///< By the present process.
  std::map<std::size_t, std::size_t> failed_;  ///< By stage, since its tenants were last mended.
  std::map<std::size_t, std::size_t> in_flight_at_trip_;
  Sightings seen_;
};

}  // namespace drover::test
