#include "orchestrator/inventory/inventory.h"

#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/support/temp_dir.h"

using namespace std::chrono_literals;
using drover::Error;
using drover::Place;
using drover::engine::Dialect;
using drover::engine::Secret;
using drover::engine::Target;
using drover::test::TempDir;
using namespace drover::orchestrator;
using namespace drover::orchestrator::inventory;

namespace {

namespace fs = std::filesystem;

/// Stands in for the real parser: "db1/acme" is database acme on db1, and data may not say
/// "options".
Target parse_target(std::string_view text, TargetTrust trust) {
  if (trust == TargetTrust::source && text.find("options") != std::string_view::npos) {
    throw Error(drover::ErrorCode::usage,
                "invalid_target",
                "keyword 'options' is not allowed in a target from a source",
                "Leave it out.");
  }
  Target target;
  target.dialect = Dialect::postgres;
  target.connection = std::string(text);
  target.server = std::string(text.substr(0, text.find('/')));
  target.database = std::string(text.substr(text.find('/') + 1));
  return target;
}

struct World {
  TempDir folder;
  fs::path root = fs::canonical(folder.path());
  Environment environment = {};
  InventoryAdapters adapters = {parse_target, {}};

  World() { environment.name = "dev"; }

  template <typename Source>
  TenantSource& add(Source what, std::size_t line = 10) {
    TenantSource source;
    source.what = std::move(what);
    source.place = {"drover.yaml", line, 9};
    environment.tenants.push_back(std::move(source));
    return environment.tenants.back();
  }

  CommandSource& add_script(const std::string& text) {
    CommandSource command;
    command.argv = {"/bin/sh", "-c", text};
    command.directory = root;
    return std::get<CommandSource>(add(command).what);
  }

  void add_file(const std::string& name, const std::string& text) {
    folder.write(name, text);
    add(FileSource{root / name, root});
  }

  QuerySource& add_query(const std::string& sql) {
    return std::get<QuerySource>(
        add(QuerySource{Secret("sqlite:" + (root / "control.db").string()), sql, root}).what);
  }

  /// Makes control.db.
  void execute(const std::string& sql) const {
    sqlite3* database = nullptr;
    sqlite3_open((root / "control.db").c_str(), &database);
    const int result = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(database);
    REQUIRE(result == SQLITE_OK);
  }

  std::vector<Tenant> list() const { return list_tenants(environment, adapters); }

  std::string error_of() const {
    try {
      list();
    } catch (const Error& error) {
      std::string place = to_string(error.place());
      const std::size_t at = place.find(root.string());
      if (at != std::string::npos) {
        place.erase(at, root.string().size() + 1);
      }
      return place + ": " + error.kind_name() + ": " + error.what();
    }
    return "no error";
  }
};

std::vector<std::string> ids(const std::vector<Tenant>& fleet) {
  std::vector<std::string> result;
  for (const Tenant& tenant : fleet) {
    result.push_back(tenant.id.value);
  }
  return result;
}

using Ids = std::vector<std::string>;

struct BadSource {
  const char* what;
  std::string text;
  const char* answer;
};

}  // namespace

TEST_CASE("a list names tenants with their targets and labels") {
  World world;
  const ListSource list{
      {{"acme", Secret("db1/acme"), {{"tier", "free"}}, {"drover.yaml", 11, 13}},
       {"file", Secret("sqlite:" + (world.root / "f.db").string()), {}, {"drover.yaml", 12, 13}}}};
  TenantSource& source = world.add(list);
  source.labels = {{"tier", "paid"}, {"region", "eu"}};
  source.secret = Secret("sesame");
  const std::vector<Tenant> fleet = world.list();
  REQUIRE(ids(fleet) == Ids{"acme", "file"});
  CHECK(fleet[0].labels == Labels{{"tier", "free"}, {"region", "eu"}});
  CHECK(fleet[0].origin == "drover.yaml:11");
  CHECK(fleet[0].target.password.reveal() == "sesame");
  CHECK(fleet[1].target.dialect == Dialect::sqlite);
  CHECK(fleet[1].target.connection == (world.root / "f.db").string());
  CHECK(fleet[1].labels == Labels{{"tier", "paid"}, {"region", "eu"}});
}

TEST_CASE("a CSV file gives a tenant per line, other columns are labels") {
  World world;
  world.add_file("t.csv", "\xEF\xBB\xBFid,target,tier\r\nacme,db1/acme,free\r\nbeta,db1/beta,\r\n");
  const std::vector<Tenant> fleet = world.list();
  REQUIRE(ids(fleet) == Ids{"acme", "beta"});
  CHECK(fleet[0].labels == Labels{{"tier", "free"}});
  CHECK(fleet[1].labels.empty());
  CHECK(fleet[1].origin == (world.root / "t.csv").string() + ":3");
  CHECK(fleet[1].target.password.empty());
}

TEST_CASE("a JSON file gives a tenant per object") {
  World world;
  world.add_file("t.json", R"([{"id": 7, "target": "sqlite:7.db", "beta": true}])");
  const std::vector<Tenant> fleet = world.list();
  REQUIRE(ids(fleet) == Ids{"7"});
  CHECK(fleet[0].target.connection == (world.root / "7.db").string());
  CHECK(fleet[0].labels == Labels{{"beta", "true"}});
}

TEST_CASE("nothing in data is expanded") {
  World world;
  world.add_file("t.csv", "id,target,x\n${env:HOME},db1/${cmd:x},$${y}\n");
  const std::vector<Tenant> fleet = world.list();
  CHECK(fleet[0].id.value == "${env:HOME}");
  CHECK(fleet[0].target.database == "${cmd:x}");
  CHECK(fleet[0].labels.at("x") == "$${y}");
}

TEST_CASE("a query on an SQLite file gives a tenant per row") {
  World world;
  world.execute(
      "CREATE TABLE t (code, dsn, tier); INSERT INTO t VALUES ('acme', 'db1/acme', 'free'), "
      "(42, 'sqlite:42.db', NULL)");
  world.add_query("SELECT code AS id, dsn AS target, tier FROM t ORDER BY rowid;");
  const std::vector<Tenant> fleet = world.list();
  REQUIRE(ids(fleet) == Ids{"acme", "42"});
  CHECK(fleet[0].labels == Labels{{"tier", "free"}});
  CHECK(fleet[0].origin == "drover.yaml:10, row 1");
  CHECK(fleet[1].labels.empty());
  CHECK(fleet[1].target.connection == (world.root / "42.db").string());
}

TEST_CASE("a query cannot write, attach more statements or make its file") {
  World world;
  CHECK(world.error_of() == "no error");
  QuerySource& query = world.add_query("SELECT 1");
  CHECK(world.error_of() == "drover.yaml:10:9: source_unreachable: the file " +
                                (world.root / "control.db").string() +
                                " cannot be opened: unable to open database file");
  CHECK_FALSE(fs::exists(world.root / "control.db"));
  world.execute("CREATE TABLE t (id, target)");
  const std::string file =
      "drover.yaml:10:9: source_failed: the file " + (world.root / "control.db").string();
  query.sql = "INSERT INTO t VALUES ('a', 'b')";
  CHECK(world.error_of() == file + " refuses the query: attempt to write a readonly database");
  query.sql = "SELECT 1; SELECT 2";
  CHECK(world.error_of() == file + " got something else than one statement");
  query.sql = "-- nothing";
  CHECK(world.error_of() == file + " got something else than one statement");
  query.sql = "SELECT * FROM nowhere";
  CHECK(world.error_of() == file + " refuses the query: no such table: nowhere");
}

TEST_CASE("a command prints a tenant per line and knows the environment") {
  World world;
  world.add_script(R"(printf '{"id":"%s","target":"sqlite:x.db"}\n' "$DROVER_ENVIRONMENT")").root =
      world.root;
  const std::vector<Tenant> fleet = world.list();
  REQUIRE(ids(fleet) == Ids{"dev"});
  CHECK(fleet[0].origin == "drover.yaml:10, line 1 of the output");
}

TEST_CASE("a command that does not end well gives nothing") {
  const std::string row = R"(echo '{"id":"a","target":"db1/a"}'; )";
  const auto error_with = [&row](const std::string& text, auto change) {
    World world;
    change(world.add_script(row + text));
    return world.error_of();
  };
  const auto as_it_is = [](CommandSource&) {};
  const std::string begins = "drover.yaml:10:9: source_failed: command '/bin/sh' ";
  CHECK(error_with("echo 'no route' >&2; exit 3", as_it_is) ==
        begins + "exited with status 3: no route");
  CHECK(error_with("kill -9 $$", as_it_is) == begins + "was killed by signal 9");
  CHECK(error_with("sleep 600", [](CommandSource& source) { source.deadline = 200ms; }) ==
        begins + "did not end within 200 ms");
  CHECK(error_with("yes", [](CommandSource& source) { source.most_output = 1000; }) ==
        begins + "wrote more than 1000 bytes");
  CHECK(error_with("", [](CommandSource& source) { source.argv[0] = "/nonexistent"; }) ==
        "drover.yaml:10:9: command_not_started: command '/nonexistent' cannot be started: No such "
        "file or directory");
}

TEST_CASE("a command source can be stopped") {
  World world;
  world.add_script("sleep 600");
  std::stop_source stop;
  world.adapters.stop = stop.get_token();
  stop.request_stop();
  CHECK(world.error_of() == "drover.yaml:10:9: source_failed: command '/bin/sh' was stopped");
}

TEST_CASE("SQLite files are tenants named by their names") {
  World world;
  world.folder.write("dev/acme.db", "");
  world.folder.write("dev/b.x.db", "");
  world.folder.write("dev/acme.db-wal", "");
  world.add(SqliteSource{(world.root / "dev/*.db").string(), "dev/{file}"});
  const std::vector<Tenant> fleet = world.list();
  CHECK(ids(fleet) == Ids{"dev/acme", "dev/b.x"});
  CHECK(fleet[0].target.database == "acme.db");
  CHECK(fleet[0].target.server == (world.root / "dev").string());
}

TEST_CASE("one file by two names is found out") {
  World world;
  world.folder.write("a.db", "");
  fs::create_symlink(world.root / "a.db", world.root / "b.db");
  world.add(SqliteSource{(world.root / "*.db").string(), "{file}"});
  CHECK(world.error_of() ==
        ": duplicate_target: tenants 'a' (drover.yaml:10) and 'b' (drover.yaml:10) "
        "are both the file " +
            (world.root / "a.db").string());
}

TEST_CASE("sources follow each other, and one bad source spoils all") {
  World world;
  world.add_file("a.csv", "id,target\nz,db1/z\na,db1/a\n");
  world.add_file("b.csv", "id,target\nm,db1/m\n");
  CHECK(ids(world.list()) == Ids{"z", "a", "m"});
  world.add(SqliteSource{(world.root / "*.nothing").string(), "{file}"}, 12);
  CHECK(world.error_of() == "drover.yaml:12:9: source_empty: this source lists no tenant");
}

TEST_CASE("tenants of two sources must be distinct") {
  World world;
  world.add_file("a.csv", "id,target\nacme,db1/x\n");
  world.add_file("b.csv", "id,target\nacme,db1/y\n");
  CHECK(world.error_of() == ": duplicate_tenant: tenant 'acme' is listed twice: by " +
                                (world.root / "a.csv").string() + ":2 and by " +
                                (world.root / "b.csv").string() + ":2");
}

TEST_CASE("a bad CSV source is refused with its line, and nothing of it is used") {
  const std::string big(201, 'x');
  const std::vector<BadSource> bad_sources = {
      {"an empty file", "", "drover.yaml:10:9: source_empty: this source lists no tenant"},
      {"a header alone",
       "id,target\n",
       "drover.yaml:10:9: source_empty: this source lists no tenant"},
      {"no column id",
       "name,target\na,db1/a\n",
       "bad.csv:2: source_malformed: there is no column 'id'"},
      {"no column target",
       "id,dsn\na,db1/a\n",
       "bad.csv:2: source_malformed: there is no column 'target'"},
      {"an id in capitals",
       "ID,target\na,db1/a\n",
       "bad.csv:2: source_malformed: there is no column 'id'"},
      {"no id in a row",
       "id,target\na,db1/a\n,db1/b\n",
       "bad.csv:3: source_malformed: column 'id' has no value"},
      {"no target in a row",
       "id,target\na,\n",
       "bad.csv:2: source_malformed: column 'target' has no value"},
      {"another charset",
       "id,target\na,db1/a\ncaf\xE9,db1/b\n",
       "bad.csv:3: source_malformed: the file of tenants is not UTF-8"},
      {"a NUL",
       std::string("id,target\na\0b,db1/a\n", 20),
       "bad.csv:2: source_malformed: column 'id' holds a NUL"},
      {"UTF-16", "\xFF\xFEi", "bad.csv:1: source_malformed: the file of tenants is not UTF-8"},
      {"a ragged row",
       "id,target\na\n",
       "bad.csv:2: source_malformed: the line has 1 fields and the header 2"},
      {"a keyword that data may not set",
       "id,target\na,db1/a options=x\n",
       "bad.csv:2: invalid_target: keyword 'options' is not allowed in a target from a source"},
      {"a file above the root",
       "id,target\na,sqlite:../x.db\n",
       "bad.csv:2: invalid_target: the target's path '../x.db' has a '..'"},
      {"a file elsewhere",
       "id,target\na,sqlite:/etc/passwd\n",
       "bad.csv:2: invalid_target: the target's path '/etc/passwd' leads out of the source's root"},
  };
  for (const BadSource& bad : bad_sources) {
    DYNAMIC_SECTION(bad.what) {
      World world;
      world.add_file("bad.csv", bad.text);
      CHECK(world.error_of() == bad.answer);
    }
  }
}

TEST_CASE("a bad JSON source is refused with its row, and nothing of it is used") {
  const std::vector<BadSource> bad_sources = {
      {"an empty list", "[]", "drover.yaml:10:9: source_empty: this source lists no tenant"},
      {"HTML",
       "<html><body>502 Bad Gateway</body></html>",
       "bad.json: source_malformed: this is HTML or XML, not JSON"},
      {"cut off",
       "[{\"id\": \"a\", \"target\": \"db1/a\"}",
       "bad.json:1: source_malformed: this is not JSON: something is wrong at byte 32"},
      {"a null id",
       R"([{"id": null, "target": "db1/a"}])",
       "bad.json: source_malformed: row 1: column 'id' has no value"},
      {"an empty id",
       R"([{"id": "", "target": "db1/a"}])",
       "bad.json: source_malformed: row 1: column 'id' has no value"},
      {"no id",
       R"([{"id": "a", "target": "db1/a"}, {"target": "db1/b"}])",
       "bad.json: source_malformed: row 2: there is no column 'id'"},
      {"a target that is an object",
       R"([{"id": "a", "target": {"host": "x"}}])",
       "bad.json: source_malformed: row 1: key 'target' holds an object, not a single value"},
      {"a NUL",
       R"([{"id": "a\u0000", "target": "db1/a"}])",
       "bad.json: source_malformed: row 1: column 'id' holds a NUL"},
  };
  for (const BadSource& bad : bad_sources) {
    DYNAMIC_SECTION(bad.what) {
      World world;
      world.add_file("bad.json", bad.text);
      CHECK(world.error_of() == bad.answer);
    }
  }
}

TEST_CASE("a bad query source is refused with its row, and nothing of it is used") {
  const std::vector<BadSource> bad_sources = {
      {"no rows",
       "SELECT 'a' AS id, 'db1/a' AS target WHERE 0",
       "drover.yaml:10:9: source_empty: this source lists no tenant"},
      {"a NULL id",
       "SELECT 'a' AS id, 'db1/a' AS target UNION ALL SELECT NULL, 'db1/b'",
       "drover.yaml:10:9: source_malformed: row 2: column 'id' has no value"},
      {"no column target",
       "SELECT 'a' AS id, 'db1/a' AS dsn",
       "drover.yaml:10:9: source_malformed: row 1: there is no column 'target'"},
      {"a column twice",
       "SELECT 'a' AS id, 'db1/a' AS target, 1 AS id",
       "drover.yaml:10:9: source_malformed: the query has two columns 'id'"},
      {"another charset",
       "SELECT 'a' AS id, 'db1/a' AS target, CAST(X'636166E9' AS TEXT) AS name",
       "drover.yaml:10:9: source_malformed: row 1: column 'name' holds bytes that are not UTF-8"},
      {"a keyword that data may not set",
       "SELECT 'a' AS id, 'options=x' AS target",
       "drover.yaml:10:9: invalid_target: row 1: keyword 'options' is not allowed in a target from "
       "a source"},
      {"one id twice",
       "SELECT 'a' AS id, 'db1/a' AS target UNION ALL SELECT 'a', 'db1/b'",
       ": duplicate_tenant: tenant 'a' is listed twice: by drover.yaml:10, row 1 and by "
       "drover.yaml:10, row 2"},
  };
  for (const BadSource& bad : bad_sources) {
    DYNAMIC_SECTION(bad.what) {
      World world;
      world.execute("CREATE TABLE t (x)");
      world.add_query(bad.text);
      CHECK(world.error_of() == bad.answer);
    }
  }
}

TEST_CASE("a file of tenants that is not there is named") {
  World world;
  world.add(FileSource{world.root / "nowhere.csv", {}});
  CHECK(world.error_of() ==
        "nowhere.csv: source_failed: the file of tenants cannot be read: No such "
        "file or directory");
}
