#include "orchestrator/store/postgres_journal.h"

#include "orchestrator/store/postgres_db.h"
#include "orchestrator/store/sql_journal.h"

namespace drover::orchestrator::store {

std::unique_ptr<Journal> open_postgres_journal(const engine::Secret& where,
                                               const JournalOptions& options) {
  return std::make_unique<SqlJournal>(std::make_unique<PostgresDb>(where, options.schema), options);
}

}  // namespace drover::orchestrator::store
