/// The strategy of a rollout as one line of text, so that two can be compared: what a plan was made
/// for, and what the configuration says now.
///
/// Thread safety: pure functions.

#pragma once

#include <string>

#include "orchestrator/rollout_options.h"

namespace drover::orchestrator {

/// Everything that decides who runs when, and when it stops; no secrets.
std::string strategy_text(const RolloutOptions& rollout);

}  // namespace drover::orchestrator
