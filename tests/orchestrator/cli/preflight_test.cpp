// What a plan finds out before anything is changed: rights, locks that are held, room, sizes.

#include <string>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <catch2/catch.hpp>

#include "engine/tenant_lock.h"
#include "tests/orchestrator/cli/fleet_dir.h"

using drover::test::PgCluster;
using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

/// A session that stays while a test runs.
using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;

Connection connect(const std::string& conninfo) {
  Connection connection(PQconnectdb(conninfo.c_str()), &PQfinish);
  REQUIRE(PQstatus(connection.get()) == CONNECTION_OK);
  return connection;
}

std::string pid_that_holds(const Connection& connection, const std::string& database) {
  const std::string take = fmt::format("SELECT pg_advisory_lock({}), pg_backend_pid()",
                                       drover::engine::tenant_lock_key(database, "public"));
  PGresult* const answer = PQexec(connection.get(), take.c_str());
  std::string pid = PQgetvalue(answer, 0, 1);
  PQclear(answer);
  return pid;
}

/// A role `app` that is nobody special, and a database of each name that it owns.
void make_databases_of_app(const std::vector<std::string>& names) {
  const PgCluster& cluster = shared_cluster();
  cluster.execute("postgres",
                  "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; "
                  "END $$; ALTER ROLE app CONNECTION LIMIT -1");
  for (const std::string& name : names) {
    cluster.create_database(name);
    cluster.execute("postgres", "ALTER DATABASE " + name + " OWNER TO app");
    cluster.execute(name, "ALTER SCHEMA public OWNER TO app");
  }
}

std::string as_app(const std::string& database) {
  const std::string conninfo = shared_cluster().conninfo(database);
  const std::string user = fmt::format("user={}", PgCluster::kUser);
  return std::string(conninfo).replace(conninfo.find(user), user.size(), "user=app");
}

void list_databases(const ProgramDir& dir,
                    const std::vector<std::string>& names,
                    const std::string& more = "") {
  std::string entries;
  for (const std::string& name : names) {
    entries += fmt::format("          - {{id: {}, target: \"{}\"}}\n", name, as_app(name));
  }
  write_settings(dir, "list:\n" + entries, more);
}

/// "kind about", one line each.
std::string findings(const json& plan) {
  std::string text;
  for (const json& finding : plan["findings"]) {
    text += fmt::format(
        "{} {}\n", finding["kind"].get<std::string>(), finding["about"].get<std::string>());
  }
  return text;
}

std::string unfit(const json& plan) {
  std::string text;
  for (const json& tenant : plan["tenants"]) {
    if (tenant["unfit"] != "") {
      text += fmt::format(
          "{}: {}\n", tenant["id"].get<std::string>(), tenant["unfit"].get<std::string>());
    }
  }
  return text;
}

}  // namespace

TEST_CASE("a plan names whose change would fail for want of a right", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  write_steps(dir);
  const PgCluster& cluster = shared_cluster();
  const std::vector<std::string> names = {"pre_fine", "pre_closed", "pre_reader", "pre_history"};
  make_databases_of_app(names);
  list_databases(dir, names);
  cluster.execute("pre_closed",
                  "ALTER SCHEMA public OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM app");
  cluster.execute("postgres",
                  "ALTER ROLE app IN DATABASE pre_reader SET default_transaction_read_only = on");
  const ProgramResult begun = dir.run({"upgrade", "0001", "--yes", "--tenant", "pre_history"});
  INFO(begun.err);
  REQUIRE(begun.status == 0);
  cluster.execute("pre_history",
                  "ALTER TABLE drover_revisions OWNER TO postgres; "
                  "GRANT SELECT ON drover_revisions TO app");

  const ProgramResult planned = dir.run({"plan", "-o", "json"});
  CHECK(planned.status == 3);
  const json plan = json::parse(planned.out);
  const std::string server = plan["tenants"][0]["server"];
  CHECK(unfit(plan) ==
        "pre_closed: permission_denied: role 'app' lacks CREATE on schema public\n"
        "pre_reader: read_only: " +
            server +
            " lets this role and database only read\n"
            "pre_history: permission_denied: role 'app' lacks INSERT on table drover_revisions\n");
  CHECK(findings(plan).empty());
  CHECK(cluster.value("pre_closed", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") ==
        "0");

  // One that has nothing to do is asked for nothing.
  cluster.execute("pre_history", "ALTER TABLE drover_revisions OWNER TO app");
  REQUIRE(dir.run({"upgrade", "--yes", "--tenant", "pre_history"}).status == 0);
  cluster.execute("pre_history",
                  "ALTER TABLE drover_revisions OWNER TO postgres; "
                  "GRANT SELECT ON drover_revisions TO app");
  CHECK(unfit(json::parse(dir.run({"plan", "-o", "json"}).out)).find("pre_history") ==
        std::string::npos);
}

TEST_CASE("a plan tells what may be in the way and stops nobody", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  write_steps(dir);
  const std::vector<std::string> names = {"pre_held", "pre_foreign"};
  make_databases_of_app(names);
  list_databases(dir, names);
  shared_cluster().execute("pre_foreign",
                           "CREATE TABLE orders (x integer); CREATE TABLE invoices (x integer)");
  const Connection holder = connect(as_app("pre_held") + " application_name=nightly");
  const std::string pid = pid_that_holds(holder, "pre_held");

  const ProgramResult planned = dir.run({"plan", "--out", "plan.json"});
  CHECK(planned.status == 0);
  const json plan = json::parse(dir.files().read("plan.json"));
  CHECK(findings(plan) == "foreign_objects pre_foreign\nlock_held pre_held\n");
  CHECK(planned.out.find("! role 'app' does not own 'invoices' and 1 others of tenant "
                         "'pre_foreign', and may not be let change them\n"
                         "! tenant 'pre_held' is being changed: its lock is held by process " +
                         pid + " (nightly of role app, idle) for ") != std::string::npos);
  CHECK(dir.run({"plan", "show", "plan.json"}).out == planned.out);
}

TEST_CASE("a plan warns of a server without room", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  make_schemas(dir, "pre_room", {"t_a", "t_b", "t_c", "t_d", "t_e", "t_f"});
  make_databases_of_app({});
  const PgCluster& cluster = shared_cluster();
  cluster.execute("pre_room", "ALTER DATABASE pre_room OWNER TO app");
  for (const char name : {'a', 'b', 'c', 'd', 'e', 'f'}) {
    cluster.execute("pre_room", fmt::format("ALTER SCHEMA t_{} OWNER TO app", name));
  }
  write_settings(dir,
                 fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}", as_app("pre_room")),
                 "    limits: {in_flight: 8, per_server: 5}\n");
  cluster.execute("postgres", "ALTER ROLE app CONNECTION LIMIT 4");
  const json plan = json::parse(dir.run({"plan", "-o", "json"}).out);
  cluster.execute("postgres", "ALTER ROLE app CONNECTION LIMIT -1");
  const std::string server = plan["tenants"][0]["server"];
  REQUIRE(plan["findings"].size() == 1);
  CHECK(plan["findings"][0]["text"] ==
        server + " has room for 4 more connections, and up to 5 tenants are changed there at once");
}

TEST_CASE("a plan warns of files that are larger than what is left", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 2, "");
  REQUIRE(dir.run({"upgrade", "0001", "--yes", "--create-files"}).status == 0);
  fs::resize_file(dir.files().path() / "fleet/a.db", std::uintmax_t{1} << 42U);  // holes, not data
  const json plan = json::parse(dir.run({"plan", "-o", "json"}).out);
  CHECK(findings(plan) ==
        fmt::format("little_disk {}\n", plan["tenants"][0]["server"].get<std::string>()));
  const std::string text = plan["findings"][0]["text"];
  CHECK(ends_with(text,
                  " free, and the 2 largest tenants that may be changed there at once hold "
                  "4.0 TiB"));
}

TEST_CASE("stages can choose and order tenants by size", "[cli]") {
  REQUIRE(PgCluster::available());
  const ProgramDir dir;
  write_steps(dir);
  const std::vector<std::string> names = {"pre_size_a", "pre_size_b", "pre_size_c"};
  make_databases_of_app(names);
  const PgCluster& cluster = shared_cluster();
  cluster.execute("pre_size_a",
                  "CREATE TABLE ballast AS SELECT repeat('x', 800) AS text FROM "
                  "generate_series(1, 4000)");
  cluster.execute("pre_size_b",
                  "CREATE TABLE ballast AS SELECT repeat('x', 800) AS text FROM "
                  "generate_series(1, 2000); CREATE TABLE two (y integer)");
  list_databases(dir,
                 names,
                 "    limits: {in_flight: 1}\n    rollout:\n      stages:\n"
                 "        - {name: all, order: smallest, budget: {failures: 0}}\n");
  const json plan = json::parse(dir.run({"plan", "-o", "json"}).out);
  CHECK(plan["tenants"][0]["bytes"] > plan["tenants"][1]["bytes"]);
  CHECK(plan["tenants"][1]["bytes"] > plan["tenants"][2]["bytes"]);
  const json run = document(dir, {"upgrade", "--yes"}, 4);
  std::map<std::string, std::string> outcomes;
  for (const json& tenant : run["tenants"]) {
    outcomes[tenant["id"]] = tenant["outcome"];
  }
  CHECK(outcomes == std::map<std::string, std::string>{{"pre_size_a", "not_started"},
                                                       {"pre_size_b", "failed"},
                                                       {"pre_size_c", "applied"}});
}

TEST_CASE("a canary holds a tenant of each size", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 6, "");
  write_settings(dir,
                 "sqlite: fleet/*.db",
                 "    rollout:\n      stages:\n"
                 "        - {name: canary, select: {count: 2, stratify: [size]}}\n"
                 "        - {name: rest}\n");
  for (const char name : {'a', 'b', 'c', 'd', 'e', 'f'}) {
    ask_file(dir, std::string(1, name), "CREATE TABLE ballast (x);");
  }
  ask_file(dir, "d", "INSERT INTO ballast VALUES (zeroblob(2000000));");
  const json plan = json::parse(dir.run({"plan", "-o", "json"}).out);
  std::size_t canaries = 0;
  for (const json& tenant : plan["tenants"]) {
    canaries += tenant["wave"] == 0 ? 1U : 0U;
    CHECK((tenant["id"] != "d" || tenant["wave"] == 0));
  }
  CHECK(canaries == 2);
}

TEST_CASE("a dry run with rollback tries the steps on chosen tenants", "[cli]") {
  const ProgramDir dir;
  write_files(dir, 3, "0001");
  ask_file(dir, "b", "CREATE TABLE three (y);");
  const ProgramResult unchosen = dir.run({"upgrade", "--dry-run=rollback"});
  CHECK(unchosen.status == 2);
  CHECK(ends_with(unchosen.err,
                  error_text("--dry-run=rollback holds real locks while it tries, and all 3 "
                             "tenants would feel them",
                             "Choose some: --tenant, --labels, --server or --limit 5.")));
  const ProgramResult tried = dir.run({"upgrade", "--dry-run=rollback", "--tenant", "a,b"});
  CHECK(tried.status == 3);
  CHECK(tried.out ==
        "TENANT  TRIED         RESULT\n"
        "a       0002 .. 0003  ok\n"
        "b       0002 .. 0003  revision '0003' failed: table three already exists\n");
  CHECK(tried.err.find("migrations/0003_step.sql:") != std::string::npos);
  const json answer =
      document(dir, {"plan", "0002", "--dry-run=rollback", "--limit", "2"}, 0)["rehearsals"];
  CHECK(answer[0]["tried"] == json::array({"0002"}));
  CHECK(answer[0]["error"] == nullptr);
  CHECK(ask_file(dir, "a", "SELECT count(*) FROM sqlite_master WHERE name = 'two';") == "0\n");

  const ProgramResult elsewhere = dir.run({"status", "--dry-run=rollback"});
  CHECK(elsewhere.status == 2);
  CHECK(elsewhere.err == error_text("status has nothing that --dry-run=rollback could try",
                                    "Say --dry-run, or use it with upgrade, downgrade or plan."));
}
