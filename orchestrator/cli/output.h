/// Writes what a verb found in the format that was asked for.
///
/// Thread safety: one invocation, one thread.

#pragma once

#include <optional>
#include <string>

#include "orchestrator/cli/verb.h"
#include "orchestrator/report/document.h"

namespace drover::orchestrator::cli {

/// True for -o table: the verb writes text for people. Otherwise it hands over a document.
bool for_people(const Invocation& invocation) noexcept;

void put_document(Invocation& invocation, const report::Document& document);

/// The width that tables on standard output may have; nullopt when it is no terminal.
std::optional<std::size_t> data_width();

/// Now, and the environment's name: what documents begin with.
report::Occasion occasion_since(report::WallTime started, const std::string& environment);

}  // namespace drover::orchestrator::cli
