/// Which stage of a rollout each tenant belongs to, and why.
///
/// Every tenant is in exactly one. Where a stage takes some of many, it takes those whose id comes
/// first by a hash: the same tenants on every machine and in every run, as long as fleet and stages
/// are the same, and spread over the fleet however its ids are made.
///
/// Thread safety: pure functions.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "orchestrator/rollout_options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// A tenant as the selections of a rollout see it.
struct WaveCandidate {
  const Tenant* tenant = nullptr;
  std::string version;                 ///< Its heads, joined; empty: none, or not known.
  std::optional<std::uint64_t> bytes;  ///< Of its data.
};

struct WavePlace {
  std::size_t stage = 0;
  std::string rule;  ///< "label ring=canary", "10 percent", "one of each server"; for people.

  bool operator==(const WavePlace&) const = default;
};

/// The place of each candidate, in the order given. `stages` ends with one that takes the rest.
///
/// Throws Error usage, with the stage's place: unknown_tenant (an id that nobody has), empty_stage.
/// The last stage may be empty.
std::vector<WavePlace> assign_waves(const std::vector<Stage>& stages,
                                    const std::vector<WaveCandidate>& candidates);

}  // namespace drover::orchestrator
