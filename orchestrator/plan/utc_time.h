/// Times as plans and approvals write them: RFC 3339 in UTC, whole seconds.
///
/// Thread safety: pure functions.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "orchestrator/journal.h"

namespace drover::orchestrator::plan {

/// "2026-03-01T09:30:00Z"; what is less than a second is cut off.
std::string to_utc_text(WallTime time);

/// Reads exactly what to_utc_text() writes, from 1970 to 2200; nullopt for everything else.
std::optional<WallTime> from_utc_text(std::string_view text);

}  // namespace drover::orchestrator::plan
