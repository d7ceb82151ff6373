/// What the floors share: the SQL of a migration directory as plain text, and a loop over tenants
/// on a number of threads.
///
/// A floor does the same work as Drover with as little as possible around it: no lock, no fence, no
/// checks, one small history table. It is what the ratios of bench/README.md stand on.

#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "engine/api/engine_means.h"
#include "engine/migration.h"

namespace drover::bench {

/// CREATE TABLE of the floor's history, and for each revision BEGIN, its statements, an INSERT into
/// the history, COMMIT; all as one text.
inline std::string upgrade_text(const std::string& directory, engine::Dialect dialect) {
  const engine::MigrationSet migrations = engine::api::load_migrations(directory);
  std::string text =
      "CREATE TABLE IF NOT EXISTS floor_history (revision text PRIMARY KEY, sha text NOT NULL);\n";
  for (const engine::Migration& migration : migrations.in_order()) {
    text += "BEGIN;\n";
    for (const engine::Unit& unit : engine::up_units(migration, dialect)) {
      for (const engine::Section* section : unit.sections) {
        for (const engine::SqlStatement& statement : section->statements) {
          text += std::string(statement.text) + ";\n";
        }
      }
    }
    text += "INSERT INTO floor_history VALUES ('" + migration.id.value + "', '" +
            migration.checksums.at(dialect).up + "');\nCOMMIT;\n";
  }
  return text;
}

/// Calls `work(i)` for every i below `count`, on `threads` threads.
template <typename Work>
void on_threads(std::size_t count, std::size_t threads, Work work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> pool;
  for (std::size_t t = 0; t < threads; ++t) {
    pool.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) {
        work(i);
      }
    });
  }
}

}  // namespace drover::bench
