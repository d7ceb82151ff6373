#include "orchestrator/store/run_texts.h"

#include <set>

#include <fmt/format.h>

#include "engine/base/sha256.h"

namespace drover::orchestrator::store {
namespace {

std::set<std::string> known_texts(StoreTransaction& transaction) {
  std::set<std::string> known;
  for (const StoreRow& row : transaction.query("SELECT sha256 FROM texts")) {
    known.insert(row.text(0));
  }
  return known;
}

Error damaged(const RunId& run, const std::string& name, std::string_view defect) {
  return {
      ErrorCode::storage,
      "journal_corrupt",
      fmt::format("the text of '{}' that run {} keeps in the journal {}", name, run.value, defect),
      "Start a new run from the migration files; each tenant's history tells where it stands."};
}

}  // namespace

void insert_texts(StoreTransaction& transaction, const std::map<std::string, std::string>& texts) {
  const std::set<std::string> known = known_texts(transaction);
  RowsToInsert rows{.into = "texts (sha256, body)",
                    .columns = 2,
                    .on_conflict = "ON CONFLICT (sha256) DO NOTHING",
                    .values = {}};
  for (const auto& [sha256, body] : texts) {
    if (!known.contains(sha256)) {
      rows.values.insert(rows.values.end(), {std::string_view(sha256), Bytes{body}});
    }
  }
  transaction.insert(rows);
}

std::map<std::string, std::string> select_texts(StoreTransaction& transaction, const RunId& run) {
  std::map<std::string, std::string> texts;
  for (const StoreRow& row :
       transaction.query("SELECT f.name, f.sha256, t.body FROM run_files f "
                         "LEFT JOIN texts t ON t.sha256 = f.sha256 WHERE f.run = $1",
                         {std::string_view(run.value)})) {
    const std::string& name = row.text(0);
    if (row.is_null(2)) {
      throw damaged(run, name, "is missing");
    }
    if (engine::base::sha256_hex(row.text(2)) != row.text(1)) {
      throw damaged(run, name, "has changed");
    }
    texts.emplace(name, row.text(2));
  }
  return texts;
}

void delete_unused_texts(StoreTransaction& transaction) {
  transaction.query("DELETE FROM texts WHERE sha256 NOT IN (SELECT sha256 FROM run_files)");
}

}  // namespace drover::orchestrator::store
