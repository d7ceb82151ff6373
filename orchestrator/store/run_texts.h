/// The journal's table `texts`: the bytes of migration files, each kept once by its SHA-256.
///
/// Thread safety: free functions on a transaction. Errors: those of StoreTransaction, and Error
/// storage: journal_corrupt for bytes that are missing or have changed.

#pragma once

#include <map>
#include <string>

#include "orchestrator/journal.h"
#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

/// Keeps those of `texts` that are not there yet.
void insert_texts(StoreTransaction& transaction, const std::map<std::string, std::string>& texts);

/// The bytes of every file of `run`, by file name.
std::map<std::string, std::string> select_texts(StoreTransaction& transaction, const RunId& run);

/// Drops the texts that no run needs.
void delete_unused_texts(StoreTransaction& transaction);

}  // namespace drover::orchestrator::store
