#include "orchestrator/waves.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "orchestrator/nearest.h"

namespace drover::orchestrator {
namespace {

/// FNV-1a (Fowler, Noll, Vo), and the finalizer of SplitMix64 (Steele, Lea, Flood) so that ids that
/// differ in their last digit come far apart.
std::uint64_t spread(const std::string& id) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : id) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  hash = (hash ^ (hash >> 30U)) * 0xBF58476D1CE4E5B9U;
  hash = (hash ^ (hash >> 27U)) * 0x94D049BB133111EBU;
  return hash ^ (hash >> 31U);
}

std::string size_class(const std::optional<std::uint64_t>& bytes) {
  return bytes ? std::to_string(std::to_string(*bytes).size()) : "?";
}

std::string kind_of(const WaveCandidate& candidate, const std::vector<Stratum>& strata) {
  std::string kind;
  for (const Stratum stratum : strata) {
    switch (stratum) {
      case Stratum::server:
        kind += candidate.tenant->target.server;
        break;
      case Stratum::version:
        kind += candidate.version;
        break;
      case Stratum::size:
        kind += size_class(candidate.bytes);
        break;
    }
    kind += '\n';
  }
  return kind;
}

std::string rule_of(const Stage& stage) {
  if (stage.takes_rest) {
    return "the rest";
  }
  std::vector<std::string> parts;
  const Selection& select = stage.select;
  if (!select.ids.empty()) {
    parts.emplace_back("listed by id");
  }
  for (const auto& [key, value] : select.labels) {
    parts.push_back(fmt::format("label {}={}", key, value));
  }
  if (select.count) {
    parts.push_back(fmt::format("{} {}", parts.empty() ? "any" : "at most", *select.count));
  }
  if (select.percent) {
    parts.push_back(fmt::format("{} percent", *select.percent));
  }
  constexpr const char* kNames[] = {"server", "version", "size"};
  for (const Stratum stratum : select.stratify) {
    parts.push_back(fmt::format("one of each {}", kNames[static_cast<std::size_t>(stratum)]));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

class WaveAssignment {
 public:
  WaveAssignment(const std::vector<Stage>& stages, const std::vector<WaveCandidate>& candidates)
      : stages_(stages),
        candidates_(candidates),
        places_(candidates.size()),
        taken_(candidates.size(), false) {}

  std::vector<WavePlace> run() {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      check_ids(stages_[stage]);
      const std::vector<std::size_t> chosen = choose(stages_[stage]);
      if (chosen.empty() && stage + 1 < stages_.size()) {
        refuse_empty(stages_[stage]);
      }
      const std::string rule = rule_of(stages_[stage]);
      for (const std::size_t index : chosen) {
        taken_[index] = true;
        places_[index] = {stage, rule};
      }
    }
    return std::move(places_);
  }

 private:
  void check_ids(const Stage& stage) const {
    if (stage.select.ids.empty()) {
      return;
    }
    std::set<std::string> known;
    for (const WaveCandidate& candidate : candidates_) {
      known.insert(candidate.tenant->id.value);
    }
    for (const TenantId& id : stage.select.ids) {
      if (!known.contains(id.value)) {
        throw Error(
            ErrorCode::usage,
            "unknown_tenant",
            fmt::format(
                "stage '{}' selects tenant '{}', which is not in the fleet", stage.name, id.value),
            nearest_hint(id.value, {known.begin(), known.end()}),
            stage.place);
      }
    }
  }

  [[noreturn]] void refuse_empty(const Stage& stage) const {
    const auto free = std::count(taken_.begin(), taken_.end(), false);
    throw Error(ErrorCode::usage,
                "empty_stage",
                fmt::format("stage '{}' ({}) selects none of the {} tenants that are left for it",
                            stage.name,
                            rule_of(stage),
                            free),
                "Correct its select, or take the stage out.",
                stage.place);
  }

  bool fits(std::size_t index, const Stage& stage) const {
    const Tenant& tenant = *candidates_[index].tenant;
    const std::vector<TenantId>& ids = stage.select.ids;
    if (taken_[index] ||
        (!ids.empty() && std::find(ids.begin(), ids.end(), tenant.id) == ids.end())) {
      return false;
    }
    return std::all_of(
        stage.select.labels.begin(), stage.select.labels.end(), [&](const auto& one) {
          const auto found = tenant.labels.find(one.first);
          return found != tenant.labels.end() && found->second == one.second;
        });
  }

  std::vector<std::size_t> choose(const Stage& stage) const {
    std::vector<std::size_t> fitting;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (fits(i, stage)) {
        fitting.push_back(i);
      }
    }
    const Selection& select = stage.select;
    const bool takes_all = !select.count && !select.percent && select.stratify.empty();
    if (stage.takes_rest || takes_all) {
      return fitting;
    }
    std::map<std::size_t, std::uint64_t> hashes;
    for (const std::size_t index : fitting) {
      hashes[index] = spread(candidates_[index].tenant->id.value);
    }
    std::sort(fitting.begin(), fitting.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(hashes[a], candidates_[a].tenant->id) <
             std::pair(hashes[b], candidates_[b].tenant->id);
    });
    const std::size_t kinds = one_of_each_first(fitting, select.stratify);
    std::size_t wanted = select.percent ? candidates_.size() * *select.percent / 100 : 0;
    wanted = std::max(select.count.value_or(wanted), kinds);
    fitting.resize(std::min(wanted, fitting.size()));
    return fitting;
  }

  /// Moves one of each kind to the front. How many kinds there are; 0 when nobody asked.
  std::size_t one_of_each_first(std::vector<std::size_t>& fitting,
                                const std::vector<Stratum>& strata) const {
    if (strata.empty()) {
      return 0;
    }
    std::set<std::string> seen;
    const auto rest =
        std::stable_partition(fitting.begin(), fitting.end(), [&](const std::size_t index) {
          return seen.insert(kind_of(candidates_[index], strata)).second;
        });
    return static_cast<std::size_t>(rest - fitting.begin());
  }

  const std::vector<Stage>& stages_;
  const std::vector<WaveCandidate>& candidates_;
  std::vector<WavePlace> places_;
  std::vector<bool> taken_;
};

}  // namespace

std::vector<WavePlace> assign_waves(const std::vector<Stage>& stages,
                                    const std::vector<WaveCandidate>& candidates) {
  return WaveAssignment(stages, candidates).run();
}

}  // namespace drover::orchestrator
