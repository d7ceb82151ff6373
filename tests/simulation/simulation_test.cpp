// Thousands of rollouts in virtual time, each from its seed. A seed that breaks a promise is
// printed; DROVER_SIMULATION_SEED=N plays that one again, DROVER_SIMULATION_SEEDS=N plays that
// many.

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>

#include <catch2/catch.hpp>

#include "tests/simulation/simulation.h"

using drover::test::Simulation;

namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* const text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// What went wrong with this seed; empty: nothing.
std::string broken_promise(std::uint64_t seed, Simulation::Sightings& seen, std::size_t size = 0) {
  Simulation simulation(seed, size);
  try {
    simulation.run();
  } catch (const std::exception& broken) {
    return broken.what();
  }
  for (const auto& [what, count] : simulation.sightings()) {
    seen[what] += count;
  }
  return {};
}

}  // namespace

TEST_CASE("a rollout keeps its promises, whatever happens to it") {
  Simulation::Sightings seen;
  const std::uint64_t one = number_from("DROVER_SIMULATION_SEED", 0);
  if (one != 0) {
    CHECK(broken_promise(one, seen) == "");
    return;
  }
  const std::uint64_t seeds = number_from("DROVER_SIMULATION_SEEDS", 2'000);
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    REQUIRE(broken_promise(seed, seen) == "");
  }
  // A campaign in which something never happened has not tried it.
  for (const char* const what : {"approved",
                                 "attempt lost",
                                 "broken tenant",
                                 "check did not pass",
                                 "check passed",
                                 "drained",
                                 "effect unheard of",
                                 "halt: approval_missing",
                                 "halt: budget_exhausted",
                                 "halt: fingerprint_budget_exhausted",
                                 "halt: gate_failed",
                                 "halt: gate_inconclusive",
                                 "halt: run_budget_exhausted",
                                 "halt: server_budget_exhausted",
                                 "killed",
                                 "paused",
                                 "probe failed",
                                 "probe passed",
                                 "server down",
                                 "session killed",
                                 "retried",
                                 "skipped",
                                 "strict stage",
                                 "throttled",
                                 "went on"}) {
    CAPTURE(what);
    CHECK(seen[what] > 0);
  }
}

TEST_CASE("a rollout over 100,000 tenants keeps them as well") {
  Simulation::Sightings seen;
  const std::uint64_t one = number_from("DROVER_SIMULATION_SEED", 1);
  const std::uint64_t last = one + number_from("DROVER_SIMULATION_GREAT_SEEDS", 1);
  for (std::uint64_t seed = one; seed < last; ++seed) {
    CAPTURE(seed);
    REQUIRE(broken_promise(seed, seen, 100'000) == "");
  }
}
