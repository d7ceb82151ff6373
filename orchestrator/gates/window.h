/// When a stage's window is open: from days and times of day in a time zone to instants.
///
/// What a window is stands in orchestrator/rollout_options.h; settings/ reads it, and whoever runs
/// the stage asks here with the time it is. Zones are those of the system (/usr/share/zoneinfo),
/// read once per process.
///
/// A day of `days` is the local day on which the window opens; `to` at or before `from` closes it
/// on the next one. Where the clocks go forward, a time that does not exist becomes the first
/// instant after the gap. Where they go back, a time that comes twice opens at the first and closes
/// at the second. A window that lies in a gap altogether does not open that day.
///
/// Thread safety: every function may be called by any thread.

#pragma once

#include "engine/error.h"
#include "orchestrator/journal.h"
#include "orchestrator/rollout_options.h"

namespace drover::orchestrator::gates {

/// `opens` belongs to the span, `closes` no more.
struct OpenSpan {
  WallTime opens;
  WallTime closes;

  bool operator==(const OpenSpan&) const = default;
};

/// The span that is open at `now`, or the next one. Where two spans meet or overlap, the one that
/// opened first. Throws Error like check_window, without a place.
OpenSpan span_at_or_after(const Window& window, WallTime now);

/// Whether `window` can open at all; `place` is where it was written. Throws Error usage:
/// unknown_zone, window_never_opens (no day is named); storage: no_time_zones, when the system's
/// zones cannot be read.
void check_window(const Window& window, const Place& place);

}  // namespace drover::orchestrator::gates
