/// The tables of the options that every verb has, and of the selectors; and their reading.
///
/// Thread safety: constant tables and pure functions.
/// Errors: Error usage, kind invalid_arguments.

#pragma once

#include <span>

#include "orchestrator/cli/globals.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

std::span<const OptionSpec> global_options();
std::span<const OptionSpec> selector_options();

/// What `arguments`, in which the tables' options are declared, say. Variables and working
/// directory are the caller's to fill in.
Globals globals_of(const Arguments& arguments, VerbSpec::Selectors selectors);

}  // namespace drover::orchestrator::cli
