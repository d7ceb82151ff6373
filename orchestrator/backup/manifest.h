/// A line of the manifest: a Backup as JSON, and back.
///
/// It ends with a digest of itself, so that a flipped bit in it is found like one in the file.
///
/// Thread safety: pure functions. Errors: Error verification: manifest_damaged.

#pragma once

#include <string>
#include <string_view>

#include "orchestrator/backup.h"

namespace drover::orchestrator::backup {

/// One line, with its line break.
std::string to_line(const Backup& backup);

/// Takes only what to_line() makes, byte by byte. `name` is the file, for places.
Backup from_line(std::string_view line, const std::string& name);

}  // namespace drover::orchestrator::backup
