// Whatever can be wrong with what the program is given: it says where, ends with 2, connects to
// nothing and changes nothing. And what looks wrong, and is not.

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/support/tcp_proxy.h"

using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::TcpProxy;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only

namespace {

constexpr std::uint16_t kNobody = 1;  // nothing listens there

const Words kUpgrade{"upgrade", "--yes"};

/// One mistake in an otherwise sound folder.
struct Bad {
  std::string what;
  std::string file;   ///< Which file holds it; empty: none.
  std::string text;   ///< What that file holds; PORT is that of the one server there is.
  std::string names;  ///< The message names this: a place, an option, a field.
  Words words = kUpgrade;
  std::map<std::string, std::string> variables = {};
};

std::string settings_with(const std::string& source, const std::string& more = "") {
  return "migrations: migrations\nstore: runs.db\nenvironments:\n  test:\n    tenants:\n      - " +
         source + "\n" + more;
}

const std::string kTarget = "postgres://u@127.0.0.1:PORT/d?sslmode=disable";
const std::string kSound = settings_with("list: [{id: a, target: \"" + kTarget + "\"}]");
const std::string kHeader =
    "-- drover: revision 0002\n-- drover: parents 0001\n-- drover: message Bad\n\n";
const std::string kDown = "\n\n-- drover: down\nSELECT 1;\n";

Bad cli(const std::string& what, const Words& words, const std::string& names) {
  return {what, "", "", names, words};
}

Bad yaml(const std::string& what, const std::string& text, const std::string& names) {
  return {what, "drover.yaml", text, names};
}

/// A list of tenants is wrong.
Bad source(const std::string& what, const std::string& text, const std::string& names) {
  return {what, "drover.yaml", settings_with(text), names};
}

/// A file of tenants is wrong.
Bad rows(const std::string& what, const std::string& text, const std::string& names) {
  return {what, "tenants.json", text, names};
}

/// The text of an `up` section, in lines 5 and following.
Bad up(const std::string& what, const std::string& text, const std::string& names) {
  return {what, "migrations/0002_bad.sql", kHeader + "-- drover: up\n" + text + kDown, names};
}

/// A whole migration file.
Bad sql(const std::string& what, const std::string& text, const std::string& names) {
  return {what, "migrations/0002_bad.sql", text, names};
}

std::vector<Bad> command_lines() {
  return {
      cli("an unknown verb", {"upgarde", "--yes"}, "'upgarde'"),
      cli("no such option", {"upgrade", "--yse"}, "--yse"),
      cli("an abbreviated option", {"upgrade", "--yes", "--tena", "a"}, "--tena"),
      cli("a glued option", {"upgrade", "--yes", "--tenanta"}, "--tenanta"),
      cli("an option in another style", {"upgrade", "-dryRunOutput:x"}, "-d"),
      cli("an option behind --", {"upgrade", "0001", "--", "--yes"}, "'--yes'"),
      cli("a missing value", {"upgrade", "--yes", "--tenant"}, "--tenant"),
      cli("an empty value", {"upgrade", "--yes", "--tenant="}, "--tenant"),
      cli("an empty word", {"upgrade", "--yes", ""}, "empty word"),
      cli("a single option given twice", {"upgrade", "-e", "test", "-e", "test"}, "-e"),
      cli("a number with a tail", {"upgrade", "--yes", "--limit", "5x"}, "'5x'"),
      cli("a negative number", {"upgrade", "--yes", "--limit", "-1"}, "'-1'"),
      cli("a number with an exponent", {"upgrade", "--yes", "--limit", "1e9"}, "'1e9'"),
      cli("a hexadecimal number", {"upgrade", "--yes", "--limit", "0x10"}, "'0x10'"),
      cli("a number too large", {"upgrade", "--limit", "99999999999999999999"}, "--limit"),
      cli("no concurrency", {"upgrade", "--yes", "--in-flight", "0"}, "--in-flight"),
      cli("absurd concurrency", {"upgrade", "--yes", "--in-flight", "1000000000"}, "--in-flight"),
      cli("negative concurrency", {"upgrade", "--yes", "--per-server", "-4"}, "--per-server"),
      cli("a NUL", {"upgrade", "--yes", std::string("a\0b", 3)}, "argument 3"),
      cli("an escape code", {"upgrade", "--yes", "\x1b[2J"}, "argument 3"),
      cli("bytes that are not UTF-8", {"upgrade", "--yes", "\xFF\xFE"}, "argument 3"),
      cli("an endless argument", {"upgrade", std::string(1'000'000, 'a')}, "argument 2"),
      cli("a tenant that is not there", {"upgrade", "--yes", "--tenant", "b"}, "'b'"),
      cli("labels that nobody has", {"upgrade", "--yes", "-l", "tier=free"}, "none of 1 tenants"),
      cli("a server that nobody is on", {"upgrade", "--yes", "--server", "db7"}, "db7"),
      cli("a state that there is not", {"upgrade", "--yes", "--status", "wonky"}, "wonky"),
      cli("an output format that there is not", {"upgrade", "--yes", "-o", "xml"}, "'xml'"),
      cli("a flag that takes no value", {"upgrade", "--yes=true"}, "--yes"),
      cli("quiet and verbose", {"upgrade", "--yes", "-q", "-v"}, "--quiet"),
      cli("a target and a file", {"upgrade", "--database", "sqlite:x", "-c", "y"}, "--database"),
      cli("a password in a target",
          {"upgrade", "--yes", "--database", "postgres://u:pw@127.0.0.1/d"},
          "--database"),
      cli("an environment that is not there", {"upgrade", "--yes", "-e", "tset"}, "tset"),
      cli("a configuration that is not there", {"upgrade", "-c", "none.yaml"}, "none.yaml"),
      cli("a revision that is not there", {"upgrade", "--yes", "0999"}, "0999"),
      cli("no target for a downgrade", {"downgrade", "--yes"}, "where to"),
      cli("a range that is none", {"upgrade", "--sql", "0001:0999"}, "0999"),
      cli("the wrong confirmation", {"reset", "--confirm=tset"}, "'tset'"),
      cli("a dialect that there is not",
          {"upgrade", "--sql", "base:head", "--dialect", "oracle"},
          "'oracle'"),
      {"a number in a variable that is none",
       "",
       "",
       "DROVER_LIMITS_IN_FLIGHT",
       kUpgrade,
       {{"DROVER_LIMITS_IN_FLIGHT", "5x"}}},
      {"a duration in a variable without its unit",
       "",
       "",
       "DROVER_TIMEOUTS_LOCK",
       kUpgrade,
       {{"DROVER_TIMEOUTS_LOCK", "5"}}},
  };
}

std::vector<Bad> configurations() {
  const std::string deep(10'000, '[');
  return {
      yaml("nothing", "", "drover.yaml"),
      yaml("comments only", "# nothing\n", "drover.yaml"),
      yaml("a tab", "limits:\n\tin_flight: 3\n", "drover.yaml:2:1"),
      yaml("UTF-16", std::string("\xFF\xFEm\0:\0", 6), "drover.yaml:1:1"),
      yaml("bytes that are not UTF-8", "store: a\n# caf\xE9\n", "drover.yaml:2"),
      yaml("10,000 levels", "x: " + deep + "\n", "drover.yaml:1:"),
      yaml("an alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "drover.yaml:1:4"),
      yaml("a self-alias", "limits: &l {in_flight: *l}\n", "drover.yaml:1:9"),
      yaml("a duplicate key", kSound + "store: x\n", "drover.yaml:7:1"),
      yaml("an unknown key", kSound + "limitz: {}\n", "drover.yaml:7:1"),
      yaml("a wrong type", kSound + "limits: 5\n", "drover.yaml:7:9"),
      yaml("no for a number", kSound + "limits: {in_flight: no}\n", "drover.yaml:7:21"),
      yaml("an octal number", kSound + "limits: {in_flight: 012}\n", "drover.yaml:7:21"),
      yaml("1e3", kSound + "limits: {in_flight: 1e3}\n", "drover.yaml:7:21"),
      yaml("infinity", kSound + "limits: {in_flight: .inf}\n", "drover.yaml:7:21"),
      yaml("2^64", kSound + "limits: {in_flight: 18446744073709551616}\n", "drover.yaml:7:21"),
      yaml("on for a truth", settings_with("sqlite: x/*.db", "    production: on\n"), "yaml:7:17"),
      yaml("a second document", kSound + "---\nstore: x\n", "drover.yaml:7:1"),
      yaml("a tag", kSound + "limits: {in_flight: !!int 3}\n", "drover.yaml:7:21"),
      yaml("a merge key", kSound + "limits:\n  <<: {in_flight: 3}\n", "drover.yaml:8:3"),
      yaml("a duration without unit", kSound + "timeouts: {lock: 5}\n", "drover.yaml:7:18"),
      yaml("a negative duration", kSound + "timeouts: {lock: -5s}\n", "drover.yaml:7:18"),
      yaml("more than all",
           settings_with("sqlite: x/*.db",
                         "    rollout:\n      stages:\n"
                         "        - {name: a, select: {percent: 101}}\n"),
           "drover.yaml:9:39"),
      yaml("a variable that is not set",
           settings_with("list: [{id: a, target: \"${env:NOT_SET}\"}]"),
           "NOT_SET"),
      yaml("a secret file that is not there",
           settings_with("list: [{id: a, target: \"${file:none.txt}\"}]"),
           "none.txt"),
      yaml("no environment", "migrations: migrations\n", "drover.yaml"),
      yaml("a folder of migrations that is not there",
           "migrations: none\n" + kSound.substr(kSound.find("store")),
           "none"),
  };
}

std::vector<Bad> tenant_lists() {
  const auto one = [](const std::string& entry) { return "list: [" + entry + "]"; };
  const auto target = [&](const std::string& value) {
    return one("{id: a, target: \"" + value + "\"}");
  };
  const auto id = [&](const std::string& value) {
    return one("{id: \"" + value + "\", target: \"" + kTarget + "\"}");
  };
  return {
      source("no tenants at all", "list: []", "list"),
      source("no id", one("{target: \"" + kTarget + "\"}"), "drover.yaml:6:"),
      source("no target", one("{id: a}"), "drover.yaml:6:"),
      source("an unknown field", one("{id: a, target: x, tiers: b}"), "tiers"),
      source("the same id twice",
             one("{id: a, target: \"sqlite:x.db\"}, {id: a, target: \"sqlite:y.db\"}"),
             "'a'"),
      source("one file twice",
             one("{id: a, target: \"sqlite:x.db\"}, {id: b, target: \"sqlite:./x.db\"}"),
             "x.db"),
      source("one database twice",
             one("{id: a, target: \"" + kTarget + "\"}, {id: b, target: \"" + kTarget + "\"}"),
             "both schema 'public' of database 'd'"),
      source("an empty id", id(""), "drover.yaml:6:"),
      source("an id of 201 bytes", id(std::string(201, 'x')), "200"),
      source("a target of another kind", target("mysql://u@h/d"), "target"),
      source("an empty target", target(""), "target"),
      source("a schema of 64 bytes", target(kTarget + "&schema=" + std::string(64, 'x')), "schema"),
      source("an empty schema", target(kTarget + "&schema="), "schema"),
      source(
          "a schema of the server's own", target(kTarget + "&schema=pg_temp"), "the server's own"),
      source("an unknown keyword", target(kTarget + "&hots=x"), "hots"),
      source("a port that is none", target("postgres://u@127.0.0.1:99999/d"), "port"),
      source("a file that is not there", "file: none.csv", "none.csv"),
      source("a command that is not there", "command: [./none]", "none"),
      source("a command that fails", "command: [sh, -c, \"echo oops >&2; exit 3\"]", "oops"),
      source(
          "a command that fails after a row",
          "command: [sh, -c, \"echo '{\\\"id\\\":\\\"a\\\",\\\"target\\\":\\\"sqlite:x.db\\\"}'; "
          "exit 1\"]",
          "sh"),
      source("a command that says nothing",
             "command: [\"true\"]",
             "drover.yaml:6:9: this source lists no tenant"),
      source("a glob that fits nothing", "sqlite: none/*.db", "drover.yaml:6:9: the folder"),
  };
}

std::vector<Bad> tenant_files() {
  std::vector<Bad> cases{
      rows("no rows", "[]", "drover.yaml:6:9: this source lists no tenant"),
      rows("HTML", "<!DOCTYPE html><html></html>", "tenants.json"),
      rows("half a document", "[{\"id\": \"a\", ", "tenants.json:1"),
      rows("an id that is null", R"([{"id": null, "target": "sqlite:x.db"}])", "row 1"),
      rows("no id", R"([{"target": "sqlite:x.db"}])", "row 1"),
      rows("no target in the second row",
           R"([{"id": "a", "target": "sqlite:x.db"}, {"id": "b"}])",
           "row 2"),
      rows("another charset",
           "[{\"id\": \"caf\xE9\", \"target\": \"sqlite:x.db\"}]",
           "tenants.json"),
      rows("a way out of the root", R"([{"id": "a", "target": "sqlite:../x.db"}])", "row 1"),
      rows("a password", R"([{"id": "a", "target": "postgres://u:pw@127.0.0.1/d"}])", "row 1"),
      rows("a keyword that a source may not set",
           R"([{"id": "a", "target": "host=127.0.0.1 dbname=d options=-crole=x"}])",
           "options"),
      rows("a secret to expand", R"([{"id": "a", "target": "${env:HOME}"}])", "row 1"),
      rows("a repeated id",
           R"([{"id": "a", "target": "sqlite:x.db"}, {"id": "a", "target": "sqlite:y.db"}])",
           "'a'"),
  };
  return cases;
}

std::vector<Bad> migrations() {
  const std::string place = "0002_bad.sql:";
  return {
      sql("nothing", "", place),
      sql("no parents", "-- drover: revision 0002\n\n-- drover: up\nSELECT 1;" + kDown, "0001"),
      sql("a parent that is not there",
          "-- drover: revision 0002\n-- drover: parents 0009\n\n-- drover: up\nSELECT 1;" + kDown,
          "0009"),
      sql("no down", kHeader + "-- drover: up\nSELECT 1;\n", place),
      sql("another id than the file's",
          "-- drover: revision 0003\n-- drover: parents 0001\n\n-- drover: up\nSELECT 1;" + kDown,
          place + "1"),
      sql("a mistyped directive",
          kHeader + "-- drover: up\nSELECT 1;\n-- drover: dwon\nSELECT 2;\n",
          place + "7:"),
      sql("a directive in other letters",
          kHeader + "-- drover: up\nSELECT 1;\n--Drover down\nSELECT 2;\n",
          place + "7:"),
      sql("a marker of another tool",
          kHeader + "-- drover: up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n",
          place + "7:"),
      sql("SQL before the first section", kHeader + "SELECT 1;\n", place + "5:"),
      {"an id that is taken", "migrations/0001_again.sql", kHeader, "0001"},
      up("an open quote", "SELECT 'oops;", place + "6:8"),
      up("an open identifier", "SELECT \"oops;", place + "6:8"),
      up("a text that the dialects split differently", "SELECT $tag$ oops $other$;", place + "6:1"),
      up("an open comment", "/* oops /* */", place + "6:1"),
      up("an open parenthesis", "SELECT (1;", place + "6:8"),
      up("a lone carriage return", "SELECT 1;\rSELECT 2;", place + "6:"),
      up("a NUL", std::string("SELECT \0 1;", 11), place + "6:"),
      up("bytes that are not UTF-8", "SELECT '\xFF';", place + "6"),
      up("\\copy", "\\copy t from 'x'", place + "6:1"),
      up("\\!", "\\! rm -rf x", place + "6:1"),
      up("COPY from the client", "COPY t FROM stdin;", place + "6:1"),
      up("BEGIN", "BEGIN;\nSELECT 1;", place + "6:1"),
      up("COMMIT", "SELECT 1;\n  COMMIT;", place + "7:3"),
      up("ROLLBACK", "ROLLBACK;", place + "6:1"),
      up("SAVEPOINT", "SAVEPOINT x;", place + "6:1"),
      up("CREATE INDEX CONCURRENTLY", "CREATE INDEX CONCURRENTLY i ON t (x);", place + "6:1"),
      up("VACUUM", "VACUUM;", place + "6:1"),
      up("CREATE DATABASE", "CREATE DATABASE d;", place + "6:1"),
      up("DROP DATABASE", "DROP DATABASE d;", place + "6:1"),
      up("ALTER SYSTEM", "ALTER SYSTEM SET work_mem = '1GB';", place + "6:1"),
      up("DISCARD ALL", "DISCARD ALL;", place + "6:1"),
  };
}

/// The path and the content of every file below `dir`.
std::map<std::string, std::string> all_files(const ProgramDir& dir) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir.files().path())) {
    const std::string name = entry.path().lexically_relative(dir.files().path()).string();
    files[name] = entry.is_regular_file() ? dir.files().read(name) : "(folder)";
  }
  return files;
}

std::string with_port(std::string text, std::uint16_t port) {
  const std::string mark = "PORT";
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
    text.replace(at, mark.size(), std::to_string(port));
  }
  return text;
}

void write_sound(const ProgramDir& dir, const TcpProxy& server) {
  dir.files().write("drover.yaml", with_port(kSound, server.port()));
  dir.files().write("migrations/0001_base.sql",
                    "-- drover: revision 0001\n-- drover: parents none\n-- drover: message Base\n\n"
                    "-- drover: up\nSELECT 1;" +
                        kDown);
}

void check_refused(const Bad& bad) {
  const TcpProxy server(kNobody);
  const ProgramDir dir;
  write_sound(dir, server);
  if (bad.file == "tenants.json") {
    dir.files().write("drover.yaml", settings_with("file: {path: tenants.json, root: .}"));
  }
  if (!bad.file.empty()) {
    dir.files().write(bad.file, with_port(bad.text, server.port()));
  }
  const auto before = all_files(dir);
  auto variables = bad.variables;
  variables.emplace("DROVER_LIMITS_SERVER_PAUSE", "1s");  // what is not refused ends soon
  const ProgramResult result = dir.run(bad.words, variables);
  CAPTURE(bad.what, bad.names);
  INFO(result.out << result.err);
  CHECK(result.status == 2);
  const std::size_t error = result.err.find("error: ");
  CHECK(error != std::string::npos);
  if (error != std::string::npos) {
    CHECK(result.err.find(bad.names, error) != std::string::npos);
  }
  CHECK(result.err.find("hint:  ") != std::string::npos);
  CHECK(server.connections() == 0);
  CHECK((all_files(dir) == before));
}

}  // namespace

TEST_CASE("What is wrong is refused at its place, without a connection or a trace", "[cli]") {
  std::size_t count = 0;
  for (const auto& table :
       {command_lines(), configurations(), tenant_lists(), tenant_files(), migrations()}) {
    for (const Bad& bad : table) {
      check_refused(bad);
      ++count;
    }
  }
  CHECK(count >= 130);
}

TEST_CASE("The same folder without a mistake is connected to", "[cli]") {
  const TcpProxy server(kNobody);
  const ProgramDir dir;
  write_sound(dir, server);
  dir.run({"status"}, {{"DROVER_LIMITS_SERVER_PAUSE", "1s"}});
  CHECK(server.connections() > 0);
}

TEST_CASE("What looks wrong and is not runs, and hostile names are data", "[cli]") {
  const ProgramDir dir;
  const auto migration = [](int number, const std::string& up) {
    return "-- drover: parents " +
           (number == 1 ? std::string("none") : "000" + std::to_string(number - 1)) +
           "\n-- drover: up\n" + up + "\n-- drover: down\nSELECT 1;\n";
  };
  std::string windows = migration(2, "CREATE TABLE windows (x text);");
  for (std::size_t at = windows.find('\n'); at != std::string::npos;
       at = windows.find('\n', at + 2)) {
    windows.insert(at, "\r");
  }
  dir.files().write("migrations/0001_bom.sql",
                    "\xEF\xBB\xBF" + migration(1, "CREATE TABLE bom (x text);"));
  dir.files().write("migrations/0002_windows.sql", windows);
  dir.files().write("migrations/0003_comments.sql", migration(3, "-- nothing yet\n/* nor here */"));
  dir.files().write("migrations/0004_looks.sql",
                    migration(4, "INSERT INTO bom VALUES ('; COMMIT; -- drover: dwon');"));
  const std::vector<std::string> ids{
      "\"; drop table bom; --", "../x", "\U0001F600", std::string(200, 'i'), "$(id)"};
  std::string list;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    list += "        - {id: " + json(ids[i]).dump() + ", target: \"sqlite:t" + std::to_string(i) +
            ".db\"}\n";
  }
  dir.files().write("drover.yaml",
                    "migrations: migrations\nstore: runs.db\nenvironments:\n  test:\n    tenants:\n"
                    "      - list:\n" +
                        list);
  const json answer = document(dir, {"upgrade", "--yes", "--create-files"}, 0);
  CHECK(answer["summary"]["applied"] == ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CHECK(answer["tenants"][i]["id"] == ids[i]);
    CHECK(fs::exists(dir.files().path() / ("t" + std::to_string(i) + ".db")));
  }
  CHECK(document(dir, {"status", "--tenant", "../x"}, 0)["summary"]["current"] == 1);
}
