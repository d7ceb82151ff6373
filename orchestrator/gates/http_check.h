/// Asks a web page whether a stage went well.
///
/// A status of 200 to 299 is a pass, 429 and 503 are inconclusive, every other one a failure; no
/// redirect is followed. What could not be asked (not reachable, no answer in time, no HTTP,
/// stopped) is inconclusive. The text carries the first line of the page, of which no more than
/// 64 KiB are read.
///
/// Thread safety: any number of threads. Errors: none; what goes wrong is an answer.

#pragma once

#include "engine/clock.h"
#include "orchestrator/rollout_options.h"
#include "orchestrator/stage_check.h"

namespace drover::orchestrator::gates {

/// "http://health/ answered 500 Internal Server Error: queue is full". Blocks up to the probe's
/// deadline.
CheckResult ask_http(const HttpProbe& probe, const engine::Patience& patience);

}  // namespace drover::orchestrator::gates
