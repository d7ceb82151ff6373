#include "orchestrator/store/sqlite_journal.h"

#include "orchestrator/store/sql_journal.h"
#include "orchestrator/store/sqlite_db.h"

namespace drover::orchestrator::store {

std::unique_ptr<Journal> open_sqlite_journal(const std::filesystem::path& path,
                                             const JournalOptions& options) {
  return std::make_unique<SqlJournal>(std::make_unique<SqliteDb>(path), options);
}

}  // namespace drover::orchestrator::store
