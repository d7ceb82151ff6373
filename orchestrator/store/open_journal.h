/// Opens the run journal that a configuration names, of whatever kind it is.

#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "engine/secret.h"
#include "orchestrator/journal.h"
#include "orchestrator/store/journal_options.h"

namespace drover::orchestrator::store {

/// True for "postgres://...", "postgresql://..." and keywords such as "host=db1 dbname=drover";
/// anything else is the path of a file. "./a=b" is a path.
bool names_postgres(std::string_view where) noexcept;

/// Opens what `where` names; a relative path starts at `base`.
///
/// Throws what open_sqlite_journal() and open_postgres_journal() throw.
std::unique_ptr<Journal> open_journal(const engine::Secret& where,
                                      const std::filesystem::path& base,
                                      const JournalOptions& options = {});

}  // namespace drover::orchestrator::store
