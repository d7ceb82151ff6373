/// Opens the run journal in an SQLite file. What the file is held to is said in sqlite_db.h.

#pragma once

#include <filesystem>
#include <memory>

#include "orchestrator/journal.h"
#include "orchestrator/store/journal_options.h"

namespace drover::orchestrator::store {

/// Makes the file and its tables where there are none.
///
/// Throws Error storage: journal_corrupt, journal_too_new, journal_foreign, journal_unsafe,
/// journal_failed.
std::unique_ptr<Journal> open_sqlite_journal(const std::filesystem::path& path,
                                             const JournalOptions& options = {});

}  // namespace drover::orchestrator::store
