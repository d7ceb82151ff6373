/// Who works off a batch in one tenant: the interface between the executor, which says when, and
/// batch/batch_runner.h, which does it.
///
/// A worker opens sessions of its own and holds no lock of the tenant: the batch's rows in the
/// tenant say who works on it. Thread safety: any thread; one call for each batch at a time.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "engine/batch.h"
#include "engine/clock.h"
#include "engine/fault.h"
#include "engine/history.h"
#include "engine/migration.h"
#include "engine/target.h"
#include "engine/tenant_session.h"

namespace drover::engine {

/// What is to be done, and where. All references must outlive the call.
struct BatchOrder {
  const Target& target;
  const TenantFacts& facts;
  const ApproachOptions& approach;
  const Migration& migration;
  const Section& section;  ///< Of kind batch, in `migration`.
  BatchId id;
  std::string checksum;  ///< Of the unit.
  Provenance by;
  std::function<bool()> may_start;  ///< As in ExecutorOptions; absent: always.
};

/// How a batch is doing; told about once a second.
struct BatchNews {
  BatchId id;
  std::uint64_t rows_seen = 0;
  std::uint64_t rows_changed = 0;
  std::uint64_t estimated_rows = 0;
  double rows_per_second = 0;  ///< Over the last minute or so; 0 while it waits.
  std::uint64_t size = 0;      ///< Rows of the present batch.
  unsigned workers = 0;
  std::uint64_t parked = 0;
  std::string waiting;  ///< The reason, where no worker works; empty: it works.
  std::string detail;
};

using BatchObserver = std::function<void(const BatchNews&)>;

class BatchWorker {
 public:
  BatchWorker() = default;
  BatchWorker(const BatchWorker&) = delete;
  BatchWorker& operator=(const BatchWorker&) = delete;
  virtual ~BatchWorker() = default;

  /// Goes on from where the tenant says until the batch is done and verified; nullopt then. A fault
  /// of code halted when `patience` ran out, of code waiting where people are to decide (parked
  /// rows). What was done stays done whatever happens.
  virtual std::optional<TenantFault> work(const BatchOrder& order,
                                          const Patience& patience,
                                          const BatchObserver& observer) = 0;
};

}  // namespace drover::engine
