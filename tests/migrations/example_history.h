/// The files of migrations/, parsed and in order, and tenants of every kind to run them on.
///
/// Errors: what the parser and MigrationSet throw; std::runtime_error for a file that cannot be
/// read.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/migration_set.h"
#include "tests/migrations/plain_tenant.h"
#include "tests/support/temp_dir.h"

namespace drover::test {

/// Read once for the whole suite.
const engine::MigrationSet& example_history();

/// The revision called `id`, which must be there.
const engine::Migration& example_revision(const std::string& id);

/// Where a tenant can live.
enum class Home {
  postgres_database,  ///< The schema public of a database of its own.
  postgres_schema,    ///< One of several schemas, with a name that nobody should choose.
  sqlite_file,
};

std::string name_of(Home home);

/// Every home that this machine has: without PostgreSQL only the file.
std::vector<Home> available_homes();

/// The name of the schema of Home::postgres_schema.
inline constexpr const char* kHostileSchema = R"(O'Brien & "Söhne"; $1 .drover --)";

/// An empty tenant, and what it lives in.
class ExampleTenant {
 public:
  explicit ExampleTenant(Home home);

  PlainTenant* operator->() const noexcept { return tenant_.get(); }
  PlainTenant& operator*() const noexcept { return *tenant_; }

  /// Runs the history up to `last` and no further.
  void up_to(const std::string& last) const;

  /// Undoes everything after `last`, newest first, once all of it was run.
  void down_to(const std::string& last) const;

 private:
  TempDir dir_;  // outlives the tenant that lives in it
  std::unique_ptr<PlainTenant> tenant_;
};

}  // namespace drover::test
