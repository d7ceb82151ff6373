#include "engine/executor.h"

#include "engine/journey.h"

namespace drover::engine {

Executor::Executor(SessionFactory& factory,
                   Clock& clock,
                   const MigrationSet& migrations,
                   ExecutorOptions options,
                   BlockerWatch& watch,
                   DdlGate& ddl_gate)
    : factory_(factory),
      clock_(clock),
      migrations_(migrations),
      options_(std::move(options)),
      watch_(watch),
      ddl_gate_(ddl_gate) {}

ApplyOutcome Executor::apply(const Target& target,
                             const TenantFacts& facts,
                             const Goal& goal,
                             const Patience& patience,
                             KeptSession* kept,
                             const ApplyObserver& observer) const {
  const JourneyMeans means{factory_, clock_, migrations_, options_, watch_, ddl_gate_};
  return Journey(means, target, facts, goal, patience, observer).run(kept);
}

RehearsalOutcome Executor::rehearse(const Target& target,
                                    const TenantFacts& facts,
                                    const Goal& goal,
                                    const Patience& patience) const {
  ExecutorOptions options = options_;
  options.approach.create_files = false;
  const JourneyMeans means{factory_, clock_, migrations_, options, watch_, ddl_gate_};
  const ApplyObserver nobody;
  return Journey(means, target, facts, goal, patience, nobody).rehearse();
}

}  // namespace drover::engine
