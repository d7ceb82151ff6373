// Sources that ask a real PostgreSQL server, with the real parser of targets.

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "engine/postgres/conninfo.h"
#include "orchestrator/inventory/control_query.h"
#include "orchestrator/inventory/inventory.h"
#include "tests/support/pg_cluster.h"

using drover::Error;
using drover::engine::Secret;
using drover::engine::Target;
using drover::test::PgCluster;
using drover::test::shared_cluster;
using namespace drover::orchestrator;
using namespace drover::orchestrator::inventory;

namespace {

Target parse_target(std::string_view text, TargetTrust trust) {
  return trust == TargetTrust::source ? drover::engine::postgres::parse_source_pg_target(text, "")
                                      : drover::engine::postgres::parse_pg_target(text);
}

template <typename Source>
std::vector<Tenant> list(Source what) {
  Environment environment;
  TenantSource source;
  source.what = std::move(what);
  source.place = {"drover.yaml", 10, 9};
  environment.tenants = {source};
  return list_tenants(environment, {parse_target, {}});
}

template <typename Source>
std::string error_of(Source what) {
  try {
    list(std::move(what));
  } catch (const Error& error) {
    return to_string(error.place()) + ": " + error.kind_name() + ": " + error.what();
  }
  return "no error";
}

std::vector<std::string> ids(const std::vector<Tenant>& fleet) {
  std::vector<std::string> result;
  for (const Tenant& tenant : fleet) {
    result.push_back(tenant.id.value);
  }
  return result;
}

/// The words for the server, without a database.
std::string server_words() {
  return "host=" + shared_cluster().socket_directory() + " user=" + PgCluster::kUser +
         " port=" + std::to_string(shared_cluster().port());
}

std::string on_server() {
  return shared_cluster().target("postgres").server;
}

/// Names that would break what is careless with quotes.
const std::vector<std::string> kHostileNames = {"inv_a'b",
                                                "inv_back\\slash",
                                                "inv_db\"; DROP DATABASE x; --",
                                                "inv_x' host='evil",
                                                "inv_\xF0\x9F\x90\x98",
                                                "inv_../x",
                                                "inv_new\nline",
                                                "inv_ blank ",
                                                "inv_" + std::string(59, 'z')};

std::string quoted(const std::string& name) {
  std::string result = "\"";
  for (const char c : name) {
    result += c == '"' ? "\"\"" : std::string(1, c);
  }
  return result + "\"";
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "a server's databases are tenants, but no templates, none that are closed, none of ours") {
  PgCluster& cluster = shared_cluster();
  for (const char* const name :
       {"tenant_acme", "tenant_beta", "tenant_closed", "tenant_made", "tenant_model", "other"}) {
    cluster.create_database(name);
  }
  cluster.execute("postgres", "COMMENT ON DATABASE tenant_made IS '[drover: restore 4f2a9c] '");
  cluster.execute("postgres", "ALTER DATABASE tenant_closed ALLOW_CONNECTIONS false");
  cluster.execute("postgres", "ALTER DATABASE tenant_model IS_TEMPLATE true");
  const std::vector<Tenant> fleet =
      list(DatabasesSource{Secret(server_words()), "tenant_*", "{server}/{database}", "app"});
  CHECK(ids(fleet) == Ids{on_server() + "/tenant_acme", on_server() + "/tenant_beta"});
  CHECK(fleet[0].target.database == "tenant_acme");
  CHECK(fleet[0].target.server == on_server());
  CHECK(fleet[0].target.schema == "app");
  CHECK(fleet[0].origin == "drover.yaml:10");
  cluster.execute("postgres", "ALTER DATABASE tenant_model IS_TEMPLATE false");
}

TEST_CASE("whatever a database is called, its target leads to it") {
  PgCluster& cluster = shared_cluster();
  for (const std::string& name : kHostileNames) {
    cluster.create_database(name);
  }
  const std::vector<Tenant> fleet = list(DatabasesSource{
      Secret(server_words() + " dbname=template1"), "inv_*", "{database}", "public"});
  REQUIRE(fleet.size() == kHostileNames.size());
  for (const Tenant& tenant : fleet) {
    CAPTURE(tenant.id.value);
    CHECK(tenant.target.database == tenant.id.value);
    const QueryAnswer answer = query_postgres(tenant.target, "SELECT current_database()", {});
    CHECK(answer.rows.at(0).at(0) == tenant.id.value);
  }
}

TEST_CASE("a database's schemas are tenants, but none of PostgreSQL's own") {
  PgCluster& cluster = shared_cluster();
  cluster.create_database("shared");
  cluster.execute("shared", "CREATE SCHEMA t_acme");
  for (const std::string& name : kHostileNames) {
    cluster.execute("shared", "CREATE SCHEMA " + quoted("t_" + name.substr(4)));
  }
  cluster.execute("shared", "CREATE SCHEMA other; CREATE SCHEMA t_kept");
  cluster.execute("shared", "COMMENT ON SCHEMA t_kept IS '[drover: restore 4f2a9c] the first one'");
  cluster.execute(
      "shared",
      "CREATE FUNCTION public.left(name, int) RETURNS text LANGUAGE sql AS $$SELECT 'trap'$$");
  const std::string database = server_words() + " dbname=shared";
  CHECK(ids(list(SchemasSource{Secret(database), "[!t]*", "{database}.{schema}"})) ==
        Ids{"shared.other", "shared.public"});
  const std::vector<Tenant> fleet = list(SchemasSource{Secret(database), "t_*", "{schema}"});
  CHECK(fleet.size() == kHostileNames.size() + 1);
  for (const Tenant& tenant : fleet) {
    CHECK(tenant.target.schema == tenant.id.value);
    CHECK(tenant.target.database == "shared");
  }
}

TEST_CASE("a query gives a tenant per row") {
  PgCluster& cluster = shared_cluster();
  cluster.create_database("control");
  cluster.execute("control",
                  "CREATE TABLE tenants (code text, dsn text, tier text, is_active boolean)");
  cluster.execute(
      "control",
      "INSERT INTO tenants VALUES ('acme', 'postgres://db1/acme?user=m&sslmode=verify-full', "
      "'free', true), "
      "('beta', 'host=db2 dbname=beta user=m schema=b', NULL, true), ('gone', 'x', 'x', false)");
  const std::vector<Tenant> fleet = list(QuerySource{
      Secret(server_words() + " dbname=control"),
      "SELECT code AS id, dsn AS target, tier FROM tenants WHERE is_active ORDER BY code",
      {}});
  REQUIRE(ids(fleet) == Ids{"acme", "beta"});
  CHECK(fleet[0].target.server == "db1:5432");
  CHECK(fleet[0].labels == Labels{{"tier", "free"}});
  CHECK(fleet[1].target.schema == "b");
  CHECK(fleet[1].labels.empty());
  CHECK(fleet[1].origin == "drover.yaml:10, row 2");
}

TEST_CASE("a bad query is refused with its row or the server's words") {
  PgCluster& cluster = shared_cluster();
  cluster.create_database("control");
  const auto error_with = [](const std::string& sql) {
    return error_of(QuerySource{Secret(server_words() + " dbname=control"), sql, {}});
  };
  const std::string refused = "drover.yaml:10:9: source_failed: database 'control' on " +
                              on_server() + " refuses the query: ";
  CHECK(error_with("SELECT 1 AS id WHERE false") ==
        "drover.yaml:10:9: source_empty: this source lists no tenant");
  CHECK(error_with("SELECT NULL AS id, 'dbname=x' AS target") ==
        "drover.yaml:10:9: source_malformed: row 1: column 'id' has no value");
  CHECK(error_with("SELECT 'a' AS id") ==
        "drover.yaml:10:9: source_malformed: row 1: there is no column 'target'");
  CHECK(error_with("SELECT 'a' AS id, '/x' AS host, 'sqlite:x.db' AS target") ==
        "drover.yaml:10:9: invalid_target: row 1: the target is the SQLite file 'x.db', and the "
        "source "
        "has no root");
  CHECK(error_with("SELEC 1") ==
        refused + "ERROR:  syntax error at or near \"SELEC\" (SQLSTATE 42601)");
  CHECK(error_with("CREATE TABLE x (y int)") ==
        refused +
            "ERROR:  cannot execute CREATE TABLE in a read-only transaction (SQLSTATE 25006)");
  CHECK(error_with("COPY (SELECT 1) TO STDOUT").find("drover.yaml:10:9: source_") == 0);
}

TEST_CASE("a target in a row may not say more than where it is") {
  PgCluster& cluster = shared_cluster();
  cluster.create_database("control");
  for (const std::string keyword :
       {"options", "password", "passfile", "sslkey", "service", "hostaddr", "krbsrvname"}) {
    const std::string error =
        error_of(QuerySource{Secret(server_words() + " dbname=control"),
                             "SELECT 'a' AS id, 'dbname=x " + keyword + "=sesame' AS target",
                             {}});
    CAPTURE(error);
    CHECK(error.find("drover.yaml:10:9: invalid_target: row 1: ") == 0);
    CHECK(error.find(keyword) != std::string::npos);
    CHECK(error.find("sesame") == std::string::npos);
  }
}

TEST_CASE("a slow query ends at the statement timeout") {
  shared_cluster().create_database("control");
  Timeouts timeouts;
  timeouts.statement = std::chrono::milliseconds(50);
  CHECK_THROWS_WITH(
      query_postgres(shared_cluster().target("control"), "SELECT pg_sleep(600)", timeouts),
      "database 'control' on " + on_server() +
          " refuses the query: ERROR:  canceling statement due to statement timeout "
          "(SQLSTATE 57014)");
}

TEST_CASE("a server that is not there is unreachable, and its password stays unsaid") {
  const std::string error = error_of(DatabasesSource{
      Secret("host=/nonexistent user=x password=sesame"), "*", "{database}", "public"});
  CAPTURE(error);
  CHECK(error.find("drover.yaml:10:9: source_unreachable: database 'postgres' on ") == 0);
  CHECK(error.find("sesame") == std::string::npos);
}
