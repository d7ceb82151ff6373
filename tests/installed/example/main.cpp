// An application with one database of its own, and a tenant's database for each of its customers.
//
// Usage: example FOLDER, which holds drover.yaml and migrations/.

#include <drover/drover.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>

namespace {

namespace fs = std::filesystem;

/// What a health page of the application answers.
void print_health(const drover::DatabaseOptions& database) {
  const drover::DatabaseStatus status = drover::check_database_migration_status(database);
  std::cout << "{\"database_migrated\": " << (status.database_migrated ? "true" : "false")
            << ", \"schema_version\": \"" << status.schema_version << "\"}\n";
}

/// What a developer does: writes the next migration, and tries it on a database.
void add_migration(const drover::DatabaseOptions& database) {
  drover::MigrationManager manager = drover::get_migration_manager(database);
  std::cout << "created " << manager.create_migration("Note colours").filename().string() << '\n';
  std::cout << "pending " << manager.check_migration_status().pending.front() << '\n';
  std::cout << "upgraded to " << manager.upgrade_database().to.front() << '\n';
}

void provision(const drover::Fleet& fleet, const fs::path& folder, const std::string& id) {
  const fs::path file = folder / "tenants" / (id + ".db");
  const drover::MigrationOutcome outcome = fleet.provision(id, "sqlite:" + file.string());
  if (!outcome.ok()) {
    throw drover::Error(outcome.problem->code,
                        outcome.problem->kind,
                        outcome.problem->message,
                        outcome.problem->hint);
  }
}

/// Takes all customers to the heads. One more signs up meanwhile.
void migrate_customers(const drover::Fleet& fleet, const fs::path& folder) {
  bool signed_up = false;
  const auto on_tenant = [&](const drover::FleetTenantResult&) {
    if (!signed_up) {
      signed_up = true;
      provision(fleet, folder, "acme");
      std::cout << "provisioned: acme at 0003\n";
    }
  };
  const drover::FleetResult result = fleet.apply(fleet.plan(), {}, on_tenant);
  const auto done = std::count_if(
      result.tenants.begin(), result.tenants.end(), [](const drover::FleetTenantResult& tenant) {
        return tenant.outcome == "applied" && tenant.to == std::vector<std::string>{"0003"};
      });
  std::cout << "run: " << done << " of " << result.tenants.size() << " tenants at 0003\n";
}

void print_fleet(const drover::Fleet& fleet) {
  const std::vector<drover::FleetTenant> tenants = fleet.status();
  const auto current =
      std::count_if(tenants.begin(), tenants.end(), [](const drover::FleetTenant& tenant) {
        return tenant.state == "current";
      });
  std::cout << "fleet: " << current << " of " << tenants.size() << " tenants current\n";
}

void run(const fs::path& folder) {
  drover::DatabaseOptions database;
  database.url = "sqlite:" + (folder / "app.db").string();
  database.migrations = folder / "migrations";
  database.create_files = drover::CreateFiles::yes;
  drover::ensure_database_migrated(database);
  print_health(database);

  drover::FleetOptions options;
  options.config = folder / "drover.yaml";
  const drover::Fleet fleet(options);
  fs::create_directory(folder / "tenants");
  provision(fleet, folder, "early");
  provision(fleet, folder, "late");
  add_migration(database);
  migrate_customers(fleet, folder);
  print_fleet(fleet);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: example FOLDER\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const drover::Error& error) {
    std::cerr << "error: " << error.what() << "\nhint: " << error.hint() << '\n';
    return static_cast<int>(error.code());
  }
  return 0;
}
