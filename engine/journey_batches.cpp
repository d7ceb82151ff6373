// Units that are batches: announced in the tenant, worked off by a worker without the tenant's
// lock, and journalled as done when the lock is ours again. Meanwhile only what depends on the
// revision waits.

#include <algorithm>

#include <fmt/format.h>

#include "engine/batch_tables.h"
#include "engine/batch_worker.h"
#include "engine/journey.h"

namespace drover::engine {

std::optional<TenantFault> Journey::nobody_for_batches(const std::vector<Step>& steps) const {
  if (means_.options.batches != nullptr) {
    return std::nullopt;
  }
  for (const Step& step : steps) {
    const bool has_batch = std::any_of(step.units.begin(), step.units.end(), [](const Unit& unit) {
      return unit.kind == Unit::Kind::batch;
    });
    if (has_batch) {
      return found(step.migration->id,
                   ErrorCode::usage,
                   "batch_not_supported",
                   fmt::format("revision '{}' holds a batch section, and nobody works off batches "
                               "here",
                               step.migration->id.value),
                   "Migrate it with the drover program.");
    }
  }
  return std::nullopt;
}

Journey::Next Journey::run_batch() {
  const Step& step = steps_[step_];
  const Section& section = *step.units[unit_].sections.front();
  const BatchId id{step.migration->id, static_cast<int>(unit_) + 1};
  const StepRecord record{
      id.revision, step.direction, id.unit, 0, checksum_of(step.units[unit_]), false, 0};
  if (batch_done_ == id) {
    return finish_batch(record);
  }
  const bool announced =
      step.started && step.started->unit == record.unit &&
      std::find(at_batch_.begin(), at_batch_.end(), id.revision) != at_batch_.end();
  if (!announced) {
    const Next next = announce_batch(section, record);
    if (next != Next::go_on || !is_awaited(section)) {
      return next;
    }
  }
  return work_batch(section, record);
}

/// One in the background is waited for all the same where a later step of ours rests on it.
bool Journey::is_awaited(const Section& section) const {
  const RevisionId& id = steps_[step_].migration->id;
  const RevisionGraph& graph = means_.migrations.graph();
  return !section.batch.background ||
         std::any_of(steps_.begin() + static_cast<std::ptrdiff_t>(step_) + 1,
                     steps_.end(),
                     [&](const Step& later) {
                       return graph.closure(std::span(&later.migration->id, 1)).contains(id);
                     });
}

/// From here on it is the batch that the revision waits for, and nobody else does.
Journey::Next Journey::announce_batch(const Section& section, const StepRecord& record) {
  const BatchTables tables(tenant_.target().dialect, tenant_.tables_schema());
  BatchRecord batch;
  batch.id = {record.revision, record.unit};
  batch.checksum = record.checksum;
  batch.background = !is_awaited(section);
  batch.by = context_.by.who;
  batch.run = context_.by.run;
  std::vector<OwnedStatement> statements = tables.create();
  for (OwnedStatement& statement : tables.forget(batch.id)) {
    statements.push_back(std::move(statement));
  }
  statements.push_back(tables.announce(batch));
  ScriptWriter writer = begin_message();
  writer.announce_batch(
      steps_[step_],
      step_,
      record,
      statements,
      batch.background ? ScriptWriter::WaitsFor::nothing : ScriptWriter::WaitsFor::batch);
  std::vector<Line> lines = writer.take();
  if (!batch.background) {  // this commit ends no unit
    lines.back().role = Line::Role::control;
  }
  const Sent sent = send(lines);
  if (sent.ok() && !batch.background) {
    tables_exist_ = true;
    count_own_change();
    return Next::go_on;
  }
  const Next next = after_message(lines, sent);
  if (sent.ok()) {
    at_batch_.push_back(batch.id.revision);
  }
  return next;
}

Journey::Next Journey::work_batch(const Section& section, const StepRecord& record) {
  const BatchId id{record.revision, record.unit};
  const BatchOrder order{tenant_.target(),
                         tenant_.facts(),
                         tenant_.options(),
                         *steps_[step_].migration,
                         section,
                         id,
                         record.checksum,
                         context_.by,
                         means_.options.may_start};
  tenant_.leave();
  std::optional<TenantFault> fault =
      means_.options.batches->work(order, patience_, observer_.on_batch);
  if (auto lost = tenant_.come_back(recovery_patience()); lost && !fault) {
    fault = std::move(lost);
  }
  if (fault) {
    return fail(std::move(*fault));
  }
  batch_done_ = id;
  return Next::replan;  // the tenant may have been taken further meanwhile
}

Journey::Next Journey::finish_batch(const StepRecord& record) {
  const Step& step = steps_[step_];
  ScriptWriter writer = begin_message();
  if (unit_ + 1 == step.units.size()) {
    writer.record(step, step_);
  } else {
    writer.journal(step, step_, record, std::nullopt);
  }
  const std::vector<Line> lines = writer.take();
  const Sent sent = send(lines);
  if (sent.ok()) {
    batch_done_.reset();
    std::erase(at_batch_, record.revision);
  }
  return after_message(lines, sent);
}

}  // namespace drover::engine
