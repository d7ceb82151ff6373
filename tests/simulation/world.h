/// What a simulated run works on: tenants that take their time, fail or lose their connection,
/// servers that go away and come back, and a rollout over them, all made from one seed.
///
/// The world is the truth; a run only sees what its attempts come back with.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "orchestrator/rollout_options.h"
#include "orchestrator/tenant.h"

namespace drover::test {

using std::chrono::milliseconds;

/// Seeded amounts.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}

  /// 0 to `bound` - 1.
  std::size_t below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
  }
  bool percent(std::size_t chance) { return below(100) < chance; }
  milliseconds up_to(milliseconds most) {
    return milliseconds(below(static_cast<std::size_t>(most.count()) + 1));
  }

 private:
  std::mt19937_64 random_;
};

struct SimulatedTenant {
  orchestrator::Tenant tenant;
  std::size_t server = 0;
  milliseconds takes{0};
  bool broken = false;      ///< Fails for good, until somebody mends it.
  std::size_t cause = 0;    ///< Why: few causes, so that fingerprints meet.
  std::size_t dropped = 0;  ///< So many attempts lose their session first.
  std::size_t applied = 0;  ///< How often the change took effect. More than once is a disaster.
};

struct Outage {
  std::size_t server = 0;
  milliseconds from{0};
  milliseconds to{0};
};

struct World {
  /// `size` tenants; 0: some dozens, at times some hundreds. In a great fleet as many tenants are
  /// in trouble as in a small one.
  explicit World(std::uint64_t seed, std::size_t size = 0);

  std::vector<SimulatedTenant> tenants;
  std::vector<Outage> outages;
  std::vector<orchestrator::Stage> stages;
  orchestrator::RolloutOptions options;

  bool is_down(std::size_t server, milliseconds at) const;

 private:
  void make_tenants(Dice& dice, std::size_t size);
  void make_stages(Dice& dice);
};

}  // namespace drover::test
