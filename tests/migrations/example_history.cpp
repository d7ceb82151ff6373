#include "tests/migrations/example_history.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "engine/parse/migration_text.h"
#include "tests/support/pg_cluster.h"

namespace drover::test {
namespace {

namespace fs = std::filesystem;
using engine::Migration;
using engine::MigrationSet;

MigrationSet load() {
  std::vector<Migration> migrations;
  for (const auto& entry : fs::directory_iterator(DROVER_MIGRATIONS_DIR)) {
    if (entry.path().extension() != ".sql") {
      continue;
    }
    std::ifstream file(entry.path(), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (!file) {
      throw std::runtime_error(entry.path().string() + " cannot be read");
    }
    const fs::path shown = fs::path("migrations") / entry.path().filename();
    migrations.push_back(engine::parse::parse_migration(std::move(bytes), shown));
  }
  return MigrationSet::build(std::move(migrations));
}

std::unique_ptr<PlainTenant> make_tenant(Home home, const TempDir& dir) {
  constexpr const char* kDatabase = "example_history";
  if (home == Home::sqlite_file) {
    return plain_sqlite_tenant(dir / "tenant.db");
  }
  PgCluster& cluster = shared_cluster();
  cluster.create_database(kDatabase);
  return plain_postgres_tenant(cluster.conninfo(kDatabase),
                               home == Home::postgres_schema ? kHostileSchema : "public");
}

}  // namespace

const MigrationSet& example_history() {
  static const MigrationSet history = load();
  return history;
}

const Migration& example_revision(const std::string& id) {
  const Migration* const found = example_history().find({id});
  if (found == nullptr) {
    throw std::runtime_error("the example history has no revision " + id);
  }
  return *found;
}

std::string name_of(Home home) {
  switch (home) {
    case Home::postgres_database:
      return "a PostgreSQL database";
    case Home::postgres_schema:
      return "a schema of a PostgreSQL database";
    case Home::sqlite_file:
      return "an SQLite file";
  }
  return {};
}

std::vector<Home> available_homes() {
  if (PgCluster::available()) {
    return {Home::postgres_database, Home::postgres_schema, Home::sqlite_file};
  }
  return {Home::sqlite_file};
}

ExampleTenant::ExampleTenant(Home home) : tenant_(make_tenant(home, dir_)) {}

void ExampleTenant::up_to(const std::string& last) const {
  for (const Migration& migration : example_history().in_order()) {
    tenant_->up(migration);
    if (migration.id.value == last) {
      return;
    }
  }
}

void ExampleTenant::down_to(const std::string& last) const {
  const std::vector<Migration>& history = example_history().in_order();
  for (auto migration = history.rbegin(); migration->id.value != last; ++migration) {
    tenant_->down(*migration);
  }
}

}  // namespace drover::test
