/// How batched changes of data go: one line or object for each, and what that comes to for all.
///
/// Rates are of the ranges that are not done, over the time that was worked and waited there; what
/// was paused by people, or left alone between two processes, does not count.
///
/// Thread safety: pure functions.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/batch.h"
#include "orchestrator/report/value.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator::report {

struct BatchLine {
  TenantId tenant;
  engine::BatchStatus status;
};

/// A table of them, and a line with their sum where there are several. `width` as in table.h.
std::string batches_text(const std::vector<BatchLine>& batches, std::optional<std::size_t> width);

/// The objects of them, and `total`.
Value batches_value(const std::vector<BatchLine>& batches);
Value batches_total(const std::vector<BatchLine>& batches);

/// One batch and its ranges, for people.
std::string batch_text(const engine::BatchStatus& status, std::optional<std::size_t> width);

}  // namespace drover::orchestrator::report
