#include "engine/background_batches.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/administration.h"
#include "engine/transaction_script.h"

namespace drover::engine {
namespace {

/// The batch of `migration` that runs in the background; its unit is nullptr where there is none.
struct BackgroundBatch {
  std::vector<Unit> units;
  std::size_t unit = 0;
};

std::optional<BackgroundBatch> batch_of(const Migration& migration, Dialect dialect) {
  BackgroundBatch batch{up_units(migration, dialect)};
  for (; batch.unit < batch.units.size(); ++batch.unit) {
    const Unit& unit = batch.units[batch.unit];
    if (unit.kind == Unit::Kind::batch && unit.sections.front()->batch.background) {
      return batch;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TenantFault> work_background_batches(SessionFactory& factory,
                                                   Clock& clock,
                                                   const Target& target,
                                                   const TenantFacts& facts,
                                                   const MigrationSet& migrations,
                                                   const ExecutorOptions& options,
                                                   const Patience& patience,
                                                   const BatchObserver& observer) {
  TenantSession tenant(factory, clock, target, facts, options.approach);
  auto fault = tenant.look(patience);
  fault = fault ? std::move(fault) : tenant.identity_fault();
  fault = fault ? std::move(fault) : history_fault(migrations, target.dialect, tenant.history());
  const History history = tenant.history();
  tenant.leave();
  for (const RevisionId& id : history.tenant.at_batch) {
    const Migration* const migration = migrations.find(id);
    const auto batch = migration == nullptr || history.find(id) == nullptr
                           ? std::nullopt
                           : batch_of(*migration, target.dialect);
    if (fault || !batch) {
      continue;
    }
    const Unit& unit = batch->units[batch->unit];
    const BatchOrder order{target,
                           facts,
                           options.approach,
                           *migration,
                           *unit.sections.front(),
                           {id, static_cast<int>(batch->unit) + 1},
                           checksum_of(unit),
                           options.by,
                           options.may_start};
    fault = options.batches->work(order, patience, observer);
    if (!fault) {
      TenantSession locked(factory, clock, target, facts, options.approach);
      fault = note_batch_done(locked, id, options.by, patience);
    }
  }
  return fault;
}

}  // namespace drover::engine
