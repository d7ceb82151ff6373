/// Opens the run journal in a PostgreSQL schema. How it is reached is said in postgres_db.h.

#pragma once

#include <memory>

#include "engine/secret.h"
#include "orchestrator/journal.h"
#include "orchestrator/store/journal_options.h"

namespace drover::orchestrator::store {

/// Makes the schema and its tables where there are none. `where` is a URL or keywords and values.
///
/// Throws Error unreachable: journal_unreachable; Error storage: journal_too_new, journal_failed.
std::unique_ptr<Journal> open_postgres_journal(const engine::Secret& where,
                                               const JournalOptions& options = {});

}  // namespace drover::orchestrator::store
