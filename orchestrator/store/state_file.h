/// Makes the file that holds our state, so that nobody else can read it or put another in its
/// place.
///
/// Thread safety: free functions.

#pragma once

#include <filesystem>

namespace drover::orchestrator::store {

/// Makes the folder of `path` (mode 0700) and `path` (mode 0600) where they are missing; what is
/// there keeps its mode. Gives `path` with every link in its folder resolved.
///
/// Throws Error storage: journal_unsafe when anyone may write to the folder, or `path` is not a
/// plain file; journal_failed when it cannot be made.
std::filesystem::path prepare_state_file(const std::filesystem::path& path);

}  // namespace drover::orchestrator::store
