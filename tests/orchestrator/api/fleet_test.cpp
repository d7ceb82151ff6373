// What an application sees of a fleet: SQLite files and PostgreSQL databases behind one
// drover.yaml.

#include "orchestrator/api/fleet.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <future>
#include <utility>

#include <fmt/format.h>

#include "tests/support/pg_cluster.h"
#include "tests/support/temp_dir.h"

namespace drover::test {
namespace {

using Names = std::vector<std::string>;

constexpr auto kForever = std::chrono::steady_clock::time_point::max();

/// A fleet's files: settings, two migrations, a run store, and SQLite tenants.
class Yard {
 public:
  Yard() {
    write_step("0001", "none", "CREATE TABLE notes (revision text);");
    write_step("0002", "0001", "INSERT INTO notes VALUES ('0002');");
    settings("sqlite: tenants/*.db");
    std::filesystem::create_directory(path("tenants"));
  }

  void write_step(const std::string& id, const std::string& parent, const std::string& up) const {
    dir_.write("migrations/" + id + ".sql",
               fmt::format("-- drover: revision {}\n-- drover: parents {}\n"
                           "-- drover: message Step {}\n\n-- drover: up\n{}\n\n"
                           "-- drover: down\nSELECT 1;\n",
                           id,
                           parent,
                           id,
                           up));
  }

  /// Empty files are made databases by a run here, as auto_migrate says.
  void settings(const std::string& source, const std::string& more = "") const {
    dir_.write("drover.yaml",
               fmt::format("migrations: migrations\nstore: runs.db\nenvironments:\n"
                           "  test:\n    auto_migrate: true\n    tenants:\n      - {}\n{}",
                           source,
                           more.empty() ? "" : "      - " + more + "\n"));
  }

  /// An environment marked production, with its histories in the schema `kept`.
  void production_settings(const std::string& source) const {
    dir_.write("drover.yaml",
               fmt::format("migrations: migrations\nstore: runs.db\nenvironments:\n"
                           "  test:\n    production: true\n    history_schema: kept\n"
                           "    tenants:\n      - {}\n",
                           source));
  }

  /// Empty SQLite files t000, t001 and so on.
  void files(int count) const {
    for (int i = 0; i < count; ++i) {
      dir_.write(fmt::format("tenants/t{:03}.db", i), "");
    }
  }

  FleetOptions options() const {
    FleetOptions options;
    options.config = dir_ / "drover.yaml";
    return options;
  }

  Fleet fleet() const { return Fleet(options()); }
  std::filesystem::path path(const std::string& name) const { return dir_ / name; }

 private:
  TempDir dir_;
};

/// A database of the shared server, made new.
void fresh_database(const std::string& name) {
  shared_cluster().create_database(name);
}

/// The source that finds the databases fleet_*.
std::string databases_source() {
  return fmt::format("databases: {{server: \"{}\", match: \"fleet_*\"}}",
                     shared_cluster().conninfo("postgres"));
}

std::size_t count(const FleetResult& result, const std::string& outcome) {
  return static_cast<std::size_t>(
      std::count_if(result.tenants.begin(), result.tenants.end(), [&](const auto& tenant) {
        return tenant.outcome == outcome;
      }));
}

TEST_CASE("a fleet is asked, planned, taken to the heads, and then has nothing to do") {
  const Yard yard;
  std::size_t total = 3;
  if (PgCluster::available()) {
    fresh_database("fleet_a");
    fresh_database("fleet_b");
    yard.settings("sqlite: {path: tenants/*.db}", databases_source());
    total = 5;
  }
  const Fleet fleet = yard.fleet();
  for (int i = 0; i < 3; ++i) {
    const std::string id = fmt::format("t{:03}", i);
    REQUIRE(fleet.provision(id, "sqlite:" + yard.path("tenants/" + id + ".db").string()).ok());
  }
  yard.write_step("0003", "0002", "INSERT INTO notes VALUES ('0003');");

  const std::vector<FleetTenant> before = fleet.status();
  REQUIRE(before.size() == total);
  for (const FleetTenant& tenant : before) {
    CAPTURE(tenant.id);
    CHECK(tenant.state == "behind");
    CHECK(tenant.pending.back() == "0003");
    CHECK_FALSE(tenant.problem);
  }

  const FleetPlan plan = fleet.plan();
  CHECK(plan.target == "heads");
  CHECK(plan.total == total);
  CHECK(plan.to_change == total);
  CHECK(plan.unfit == 0);
  CHECK(plan.revisions.at("0003") == total);

  Names told;
  const FleetResult first =
      fleet.apply(plan, {}, [&](const FleetTenantResult& tenant) { told.push_back(tenant.id); });
  CHECK(first.ok());
  CHECK_FALSE(first.run.empty());
  CHECK(first.tenants.size() == total);
  CHECK(count(first, "applied") == total);
  CHECK(told.size() == total);
  for (const FleetTenantResult& tenant : first.tenants) {
    CHECK(tenant.to == Names{"0003"});
  }

  const FleetResult second = fleet.apply_async(fleet.plan()).get();
  CHECK(second.ok());
  CHECK(second.run != first.run);
  CHECK(count(second, "current") == total);
  for (const FleetTenant& tenant : fleet.status_async().get()) {
    CHECK(tenant.state == "current");
    CHECK(tenant.current == Names{"0003"});
  }
}

/// `count` tenants that are at 0001.
void provision(const Yard& yard, int count) {
  for (int i = 0; i < count; ++i) {
    const std::string id = fmt::format("t{:03}", i);
    DatabaseOptions options;
    options.url = "sqlite:" + yard.path("tenants/" + id + ".db").string();
    options.migrations = yard.path("migrations");
    options.create_files = CreateFiles::yes;
    REQUIRE(MigrationManager(options).upgrade_database("0001").ok());
  }
}

TEST_CASE("while a run goes on, a second is refused and a new tenant is provisioned") {
  const Yard yard;
  provision(yard, 2);
  const Fleet fleet = yard.fleet();
  bool once = false;
  MigrationOutcome fresh;
  std::string kind;
  ErrorCode code = ErrorCode::internal;
  const auto meanwhile = [&](const FleetTenantResult&) {
    if (std::exchange(once, true)) {
      return;
    }
    fresh = fleet.provision("new", "sqlite:" + yard.path("tenants/new.db").string());
    try {
      yard.fleet().apply(fleet.plan());
    } catch (const Error& error) {
      kind = error.kind_name();
      code = error.code();
    }
  };
  const FleetResult result = fleet.apply(fleet.plan(), {}, meanwhile);
  CHECK(result.ok());
  CHECK(result.tenants.size() == 2);
  CHECK(once);
  CHECK(fresh.outcome == "applied");
  CHECK(fresh.to == Names{"0002"});
  CHECK(kind == "run_in_progress");
  CHECK(code == ErrorCode::busy);
  CHECK(fleet.status().size() == 3);
  CHECK(count(fleet.apply(fleet.plan()), "current") == 3);
}

TEST_CASE("a tenant that fails is named, and the others are not held up by it") {
  const Yard yard;
  provision(yard, 20);
  const Yard other;  // takes one tenant further, by a migration that this fleet does not have
  other.write_step("0008", "0001", "CREATE TABLE extra (x integer);");
  DatabaseOptions odd;
  odd.url = "sqlite:" + yard.path("tenants/t007.db").string();
  odd.migrations = other.path("migrations");
  REQUIRE(MigrationManager(odd).upgrade_database("0008").ok());
  const Fleet fleet = yard.fleet();
  CHECK(fleet.plan().unfit == 1);
  const FleetResult result = fleet.apply(fleet.plan());
  CHECK_FALSE(result.ok());
  CHECK(count(result, "applied") == 19);
  const auto failed = std::find_if(result.tenants.begin(),
                                   result.tenants.end(),
                                   [](const auto& tenant) { return tenant.problem.has_value(); });
  REQUIRE(failed != result.tenants.end());
  CHECK(failed->id == "t007");
  CHECK(failed->problem->kind == "unknown_revision");
  CHECK(failed->to == failed->from);
}

TEST_CASE("a run that is stopped drains, and the next one finishes its work") {
  const Yard yard;
  provision(yard, 40);
  FleetOptions options = yard.options();
  options.variables = {{"DROVER_LIMITS_IN_FLIGHT", "2"}};
  const Fleet fleet(options);
  std::stop_source stop;
  const FleetResult result = fleet.apply(fleet.plan(),
                                         {kForever, stop.get_token()},
                                         [&](const FleetTenantResult&) { stop.request_stop(); });
  CHECK(result.tenants.size() == 40);
  CHECK(result.exit_status == static_cast<int>(ErrorCode::halted));
  CHECK(count(result, "not_started") > 0);
  const FleetResult rest = fleet.apply(fleet.plan());
  CHECK(rest.ok());
  for (const FleetTenant& tenant : fleet.status()) {
    CHECK(tenant.state == "current");
  }
}

TEST_CASE("a provisioned tenant is marked as its environment says, where a run looks for it") {
  REQUIRE(PgCluster::available());
  const Yard yard;
  yard.production_settings(fmt::format("databases: {{server: \"{}\", match: \"fresh_*\"}}",
                                       shared_cluster().conninfo("postgres")));
  fresh_database("fresh_one");
  shared_cluster().execute("fresh_one", "CREATE SCHEMA kept");
  const std::string url = shared_cluster().conninfo("fresh_one");
  const Fleet fleet = yard.fleet();
  CHECK(fleet.provision_async("fresh_one", url).get().to == Names{"0002"});
  CHECK(shared_cluster().value("fresh_one",
                               "SELECT environment || ' ' || production FROM kept.drover_tenant") ==
        "test true");
  const FleetPlan plan = fleet.plan_async().get();
  CHECK(plan.total == 1);
  CHECK(plan.to_change == 0);
  CHECK(count(fleet.apply(plan), "current") == 1);
}

TEST_CASE("an id or a URL that makes no sense is not provisioned") {
  const Yard yard;
  const Fleet fleet = yard.fleet();
  CHECK_THROWS_AS(fleet.provision("", "sqlite:" + yard.path("a.db").string()), Error);
  CHECK_THROWS_AS(fleet.provision("a", "sqlite:"), Error);
  CHECK_FALSE(std::filesystem::exists(yard.path("a.db")));
}

TEST_CASE("a plan that is called off finds no tenant fit") {
  const Yard yard;
  provision(yard, 2);
  std::stop_source stop;
  stop.request_stop();
  const FleetPlan plan = yard.fleet().plan("heads", {kForever, stop.get_token()});
  CHECK(plan.total == 2);
  CHECK(plan.unfit == 2);
}

TEST_CASE("settings and migrations that make no sense are refused when a fleet is made") {
  const Yard yard;
  FleetOptions options = yard.options();
  options.environment = "nowhere";
  CHECK_THROWS_AS(Fleet(options), Error);
  yard.write_step("0003", "0009", "SELECT 1;");
  CHECK_THROWS_AS(yard.fleet(), Error);
}

TEST_CASE("three hundred tenants are one run") {
  const Yard yard;
  yard.files(300);
  const Fleet fleet = yard.fleet();
  const FleetResult result = fleet.apply(fleet.plan());
  CHECK(result.ok());
  CHECK(count(result, "applied") == 300);
  CHECK(fleet.plan().to_change == 0);
}

}  // namespace
}  // namespace drover::test
