/// What a run is to do, frozen: the revisions with their checksums, the strategy, and every tenant
/// with its wave, why it is in it, and its steps.
///
/// plan/plan_file.h writes it, reads it and takes its digest; waves.h assigns the waves. A run does
/// exactly what its plan says, and an approval is for one digest.
///
/// Thread safety: plain values.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/revision_graph.h"
#include "engine/revision_ref.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// What a revision locks on SQLite, whatever it does: nobody else writes meanwhile.
inline constexpr std::string_view kWholeFileLock = "the whole file (SQLite)";

struct PlannedRevision {
  engine::RevisionId id;
  std::string file;
  std::string sha256;         ///< Of the whole file.
  bool irreversible = false;  ///< Says so itself.
  bool transactional = true;  ///< On every dialect of the fleet.
  /// What it locks of tables that are there already, the strongest first: "ACCESS EXCLUSIVE on
  /// files, rewrites it", and kWholeFileLock. For people: what the text of a migration does not
  /// say (engine/parse/statement_locks.h) is not in it.
  std::vector<std::string> locks;

  bool operator==(const PlannedRevision&) const = default;
};

struct PlannedWave {
  std::string name;  ///< Of its stage.
  std::size_t tenants = 0;

  bool operator==(const PlannedWave&) const = default;
};

struct PlannedTenant {
  TenantId id;
  std::string server;
  std::size_t wave = 0;                  ///< Index into Plan::waves.
  std::string rule;                      ///< Why it is in it: "label ring=canary", "10 percent".
  std::vector<engine::RevisionId> from;  ///< Heads when the plan was made.
  std::int64_t epoch = 0;                ///< Of its history; 0 without one.
  std::string uid;                       ///< Of its history; empty without one.
  std::int64_t bytes = 0;                ///< Of its data, where it was asked for; 0: not known.
  std::size_t steps = 0;                 ///< Index into Plan::step_lists.
  std::string unfit;  ///< Why it could not be planned for ("unreachable: ..."); mostly empty.

  bool operator==(const PlannedTenant&) const = default;
};

/// What the preflight saw that stops nobody and that an operator should know.
struct PlanFinding {
  std::string kind;   ///< "lock_held", "few_connections" ...: see preflight.h.
  std::string about;  ///< A tenant or a server.
  std::string text;   ///< A whole sentence without its full stop.

  bool operator==(const PlanFinding&) const = default;
};

struct Plan {
  std::string environment;
  bool production = false;
  bool whole_fleet = true;  ///< Not a selection of it.
  engine::Direction direction = engine::Direction::up;
  std::string target;             ///< As the person wrote it.
  std::string author;             ///< "alice@host"
  std::string created;            ///< RFC 3339, UTC, whole seconds.
  std::string migrations_digest;  ///< MigrationSet::digest().
  std::string strategy;           ///< The rollout in one line of text; compared, never read.
  std::vector<PlannedRevision> revisions;  ///< Those that any tenant's steps name, in order.
  std::vector<PlannedWave> waves;
  std::vector<std::vector<engine::RevisionId>> step_lists;  ///< Each one once.
  std::vector<PlannedTenant> tenants;                       ///< In the fleet's order.
  std::vector<PlanFinding> findings;                        ///< Of the preflight.

  bool operator==(const Plan&) const = default;
};

/// How many tenants each revision is to go up or down on.
std::map<engine::RevisionId, std::size_t> tenants_by_revision(const Plan& plan);

}  // namespace drover::orchestrator
