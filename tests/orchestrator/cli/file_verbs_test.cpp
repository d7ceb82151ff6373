// The verbs that work on files: init, create, merge, validate, history, heads, branches, show,
// config show, version. All by the program itself, on folders of their own.

#include <catch2/catch.hpp>

#include <filesystem>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

#include "tests/orchestrator/cli/program_run.h"

using drover::test::ProgramDir;
using drover::test::ProgramResult;
using nlohmann::json;

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

std::string migration(const std::string& id,
                      const std::string& parents,
                      const std::string& more = "",
                      const std::string& up = "SELECT 1;") {
  return fmt::format(
      "-- drover: revision {0}\n-- drover: parents {1}\n-- drover: message Step {0}\n{2}"
      "\n-- drover: up\n{3}\n\n-- drover: down\n",
      id,
      parents,
      more,
      up);
}

/// 0001 <- 0002 (billing) and 0001 <- 0003.
void write_branches(const ProgramDir& dir) {
  dir.files().write("migrations/0001_base.sql", migration("0001", "none"));
  dir.files().write("migrations/0002_left.sql",
                    migration("0002", "0001", "-- drover: labels billing\n"));
  dir.files().write("migrations/0003_right.sql", migration("0003", "0001"));
}

void write_line(const ProgramDir& dir) {
  dir.files().write("migrations/0001_base.sql", migration("0001", "none"));
  dir.files().write("migrations/0002_next.sql", migration("0002", "0001"));
}

std::string error_text(const std::string& message, const std::string& hint) {
  return fmt::format("error: {}\nhint:  {}\n", message, hint);
}

}  // namespace

TEST_CASE("init makes a configuration that the program itself accepts", "[cli]") {
  const ProgramDir dir;
  const ProgramResult made = dir.run({"init"});
  CHECK(made.status == 0);
  CHECK(made.out == "drover.yaml\nmigrations\ndev\n");
  CHECK(made.err == "next: drover create \"...\", then drover upgrade\n");
  CHECK(fs::is_directory(dir.files() / "migrations"));
  const ProgramResult shown = dir.run({"config", "show", "--origin", "-o", "json"});
  REQUIRE(shown.status == 0);
  const json settings = json::parse(shown.out)["settings"];
  const auto value_of = [&](const std::string& key) -> std::string {
    for (const json& setting : settings) {
      if (setting["key"] == key) {
        return setting["value"];
      }
    }
    return "(none)";
  };
  CHECK(value_of("migrations") == (dir.files() / "migrations").string());
  CHECK(value_of("environments.development.auto_migrate") == "true");
  CHECK(dir.run({"validate"}).status == 0);
}

TEST_CASE("init never overwrites", "[cli]") {
  const ProgramDir dir;
  dir.files().write("drover.yaml", "mine");
  const ProgramResult refused = dir.run({"init"});
  CHECK(refused.status == 2);
  CHECK(refused.err ==
        error_text((dir.files() / "drover.yaml").string() + ": there is a configuration already",
                   "Edit it, or give another file with -c. To make SQLite files that it names, say "
                   "drover init --create-files."));
  CHECK(dir.files().read("drover.yaml") == "mine");
  CHECK_FALSE(fs::exists(dir.files() / "migrations"));
}

TEST_CASE("init takes the names that flags give, and --dry-run makes nothing", "[cli]") {
  const ProgramDir dir;
  const ProgramResult dry = dir.run({"init", "--dry-run"});
  CHECK(dry.out == "drover.yaml\nmigrations\ndev\n");
  CHECK(dry.err == "nothing was made\n");
  CHECK(fs::is_empty(dir.files().path()));
  const ProgramResult made =
      dir.run({"init", "-c", "etc/fleet.yaml", "--migrations", "db: 1", "-o", "json"});
  REQUIRE(made.status == 0);
  CHECK(json::parse(made.out)["created"] == json{"etc/fleet.yaml", "etc/db: 1", "etc/dev"});
  const ProgramResult shown = dir.run({"config", "show", "-c", "etc/fleet.yaml", "-o", "csv"});
  CHECK(shown.out.find("migrations," + (dir.files() / "etc/db: 1").string() + ",") !=
        std::string::npos);
}

TEST_CASE("init --create-files makes the SQLite files that a configuration names", "[cli]") {
  const ProgramDir dir;
  dir.files().write("drover.yaml",
                    "environments:\n  test:\n    tenants:\n      - list:\n"
                    "          - {id: a, target: \"sqlite:a.db\"}\n"
                    "          - {id: b, target: \"sqlite:b.db\"}\n");
  dir.files().write("a.db", "");
  const ProgramResult asked = dir.run({"init", "--create-files"});
  CHECK(asked.status == 2);
  CHECK(asked.err.find("Give --yes to answer it beforehand.") != std::string::npos);
  CHECK_FALSE(fs::exists(dir.files() / "b.db"));
  const ProgramResult made = dir.run({"init", "--create-files", "--yes"});
  CHECK(made.status == 0);
  CHECK(made.out == "a.db\nb.db\n");
  CHECK(dir.files().read("b.db").starts_with("SQLite format 3"));
  CHECK(dir.run({"init", "--create-files", "--yes"}).out.empty());
}

TEST_CASE("create numbers files and follows the head", "[cli]") {
  const ProgramDir dir;
  dir.run({"init"});
  const ProgramResult first = dir.run({"create", "Add invoices"});
  CHECK(first.status == 0);
  CHECK(first.out == "migrations/0001_add_invoices.sql\n");
  CHECK(first.err == "a skeleton: there is no model to compare the database with\n");
  CHECK(dir.run({"create", "-m", "more", "--empty"}).err.empty());
  const std::string text = dir.files().read("migrations/0002_more.sql");
  CHECK(text.starts_with(
      "-- drover: revision 0002\n-- drover: parents 0001\n-- drover: message more\n"));
  const json made = json::parse(dir.run({"create", "fill", "--data", "-o", "json"}).out);
  CHECK(made["revision"] == "0003");
  CHECK(made["parents"] == json{"0002"});
  CHECK(made["file"] == "migrations/0003_fill.sql");
  CHECK(made["environment"] == "development");
  CHECK(dir.run({"validate"}).status == 0);
}

TEST_CASE("create starts branches where it is told", "[cli]") {
  const ProgramDir dir;
  write_line(dir);
  const Words words{"create",
                    "side",
                    "--parent",
                    "0001",
                    "--branch",
                    "billing",
                    "--depends",
                    "0002",
                    "--rev-id",
                    "b1"};
  CHECK(dir.run(words).out == "migrations/b1_side.sql\n");
  CHECK(dir.files()
            .read("migrations/b1_side.sql")
            .starts_with("-- drover: revision b1\n-- drover: parents 0001\n"
                         "-- drover: message side\n-- drover: labels billing\n"
                         "-- drover: depends 0002\n"));
  CHECK(dir.run({"create", "new root", "--parent", "none"}).status == 0);
  CHECK(dir.files().read("migrations/0003_new_root.sql").find("parents none\n") !=
        std::string::npos);
}

TEST_CASE("create --dry-run prints the text and writes nothing", "[cli]") {
  const ProgramDir dir;
  write_line(dir);
  const ProgramResult dry = dir.run({"create", "x", "--dry-run", "--empty"});
  CHECK(dry.out ==
        "-- drover: revision 0003\n-- drover: parents 0002\n-- drover: message x\n"
        "\n-- drover: up\n\n-- drover: down\n");
  CHECK(dry.err == "would write 0003_x.sql\n");
  CHECK_FALSE(fs::exists(dir.files() / "migrations/0003_x.sql"));
}

TEST_CASE("create refuses what makes no sense", "[cli]") {
  const ProgramDir dir;
  write_branches(dir);
  struct Case {
    Words words;
    std::string message;
    std::string hint;
  };
  const Case cases[] = {
      {{"create"}, "create needs a message", "Say for example drover create \"add invoices\"."},
      {{"create", "a", "-m", "b"},
       "the message was given twice, as a word and with --message",
       "Keep one of the two."},
      {{"create", "a", "--empty", "--data", "--parent", "0002"},
       "--empty and --data contradict each other",
       "Give one of the two."},
      {{"create", "a"},
       "there are several heads to follow: 0002, 0003",
       "Name one with --parent, or join them first with drover merge."},
      {{"create", "a", "--renumber", "x.sql"},
       "--renumber gives a file another number and takes nothing else",
       "Name only the file."},
      {{"create", "a", "--parent", "0002", "--rev-id", "0001"},
       (dir.files() / "migrations/0001_base.sql").string() + ": revision '0001' is there already",
       "Choose another id, or leave --rev-id out for the next one."},
      {{"create", "two\nlines", "--parent", "0002"},
       "the message holds a line break or another control character",
       "Give one line of text."}};
  for (const Case& one : cases) {
    CAPTURE(one.words);
    const ProgramResult refused = dir.run(one.words);
    CHECK(refused.status == 2);
    CHECK(refused.out.empty());
    CHECK(refused.err == error_text(one.message, one.hint));
  }
  CHECK(dir.run({"create", "a", "--parent", "9999"}).status == 2);
}

TEST_CASE("create --renumber gives a taken number away", "[cli]") {
  const ProgramDir dir;
  write_line(dir);
  dir.files().write("migrations/0002_mine.sql", migration("0002", "0001"));
  CHECK(dir.run({"validate"}).status == 2);
  const ProgramResult moved = dir.run({"create", "--renumber", "migrations/0002_mine.sql"});
  CHECK(moved.status == 0);
  CHECK(moved.out == "migrations/0003_mine.sql\n");
  CHECK(moved.err ==
        "migrations/0002_mine.sql is now revision 0003; no tenant may have applied it under its "
        "old number\n");
  CHECK(dir.run({"validate"}).status == 0);
}

TEST_CASE("merge joins all heads, or those that are named", "[cli]") {
  const ProgramDir dir;
  write_branches(dir);
  const ProgramResult merged = dir.run({"merge"});
  CHECK(merged.status == 0);
  CHECK(merged.out == "migrations/0004_merge_0002_0003.sql\n");
  CHECK(dir.files()
            .read("migrations/0004_merge_0002_0003.sql")
            .starts_with("-- drover: revision 0004\n-- drover: parents 0002, 0003\n"
                         "-- drover: message merge 0002, 0003\n"));
  CHECK(dir.run({"heads"}).out == "0004 (head) (mergepoint), merge 0002, 0003\n");
  CHECK(dir.run({"merge"}).err == error_text("there is nothing to merge '0004' with",
                                             "A merge joins two heads or more; see drover heads."));
  CHECK(dir.run({"merge", "0001", "0004"}).err ==
        error_text("revision '0004' already follows '0001'",
                   "Name revisions of different branches; see drover heads."));
}

TEST_CASE("validate shows every problem with its place", "[cli]") {
  const ProgramDir dir;
  write_line(dir);
  CHECK(dir.run({"validate"}).err == "2 files, 0 errors, 0 warnings\n");
  dir.files().write("migrations/0003_bad.sql",
                    "-- drover: revision 0003\n-- drover: parents 0002\n\n-- drover: uup\n");
  dir.files().write("migrations/0004_worse.sql",
                    "-- drover: revision 0004\n-- drover: parents 0002\n\n-- drover: up\n"
                    "SELECT 'open;\n-- drover: down\n");
  const ProgramResult bad = dir.run({"validate"});
  CHECK(bad.status == 2);
  CHECK(bad.err == "4 files, 2 errors, 0 warnings\n");
  CHECK(bad.out.find("migrations/0003_bad.sql:4:") != std::string::npos);
  CHECK(bad.out.find("migrations/0004_worse.sql:5:8: error: ") != std::string::npos);
  const json parsed = json::parse(dir.run({"validate", "-o", "json"}).out);
  REQUIRE(parsed["problems"].size() == 2);
  CHECK(parsed["files"] == 4);
  CHECK(parsed["problems"][0]["severity"] == "error");
  CHECK(parsed["problems"][0]["line"] == 4);
  CHECK_FALSE(parsed["problems"][1]["hint"].get<std::string>().empty());
}

TEST_CASE("what the linked grammar does not understand is a warning", "[cli]") {
  const ProgramDir dir;
  dir.files().write("migrations/0001_new.sql",
                    migration("0001", "none", "", "SELECT 1;\nFROBNICATE TABLE files;"));
  const ProgramResult result = dir.run({"validate"});
  CHECK(result.status == 0);
  CHECK(result.err == "1 file, 0 errors, 1 warning\n");
  CHECK(result.out ==
        "migrations/0001_new.sql:7:1: warning: not understood by the PostgreSQL 15 parser: syntax "
        "error at or near \"FROBNICATE\"\n"
        "    hint: The server will judge; look at it unless it is newer syntax.\n");
}

TEST_CASE("validate names a graph that does not hold", "[cli]") {
  const ProgramDir dir;
  dir.files().write("migrations/0001_a.sql", migration("0001", "0009"));
  const ProgramResult bad = dir.run({"validate"});
  CHECK(bad.status == 2);
  CHECK(bad.out.starts_with("migrations/0001_a.sql: error: "));
  CHECK(bad.err == "1 file, 1 error, 0 warnings\n");
}

TEST_CASE("history shows the newest first, and a range of it", "[cli]") {
  const ProgramDir dir;
  write_branches(dir);
  CHECK(dir.run({"history"}).out ==
        "0001 -> 0003 (head), Step 0003\n"
        "0001 -> 0002 (billing) (head), Step 0002\n"
        "base -> 0001 (branchpoint), Step 0001\n");
  CHECK(dir.run({"history", "-r", "0001:billing"}).out ==
        "0001 -> 0002 (billing) (head), Step 0002\n"
        "base -> 0001 (branchpoint), Step 0001\n");
  CHECK(dir.run({"history", "--rev-range", ":0001", "-v"}).out ==
        "Revision   0001 (branchpoint)\n"
        "Parents    none\n"
        "Message    Step 0001\n"
        "File       migrations/0001_base.sql\n\n");
  const ProgramResult refused = dir.run({"history", "-r", "0002:0003"});
  CHECK(refused.status == 2);
}

TEST_CASE("history marks where a tenant stands", "[cli]") {
  const ProgramDir dir;
  write_line(dir);
  dir.files().write("a.db", "");
  const Words upgrade{"--database",
                      "sqlite:" + (dir.files() / "a.db").string(),
                      "upgrade",
                      "0001",
                      "--create-files",
                      "--yes"};
  REQUIRE(dir.run(upgrade).status == 0);
  const Words history{"--database", "sqlite:" + (dir.files() / "a.db").string(), "history", "-i"};
  CHECK(dir.run(history).out ==
        "0001 -> 0002 (head), Step 0002\n"
        "base -> 0001 (current), Step 0001\n");
}

TEST_CASE("heads and branches tell where the history ends and parts", "[cli]") {
  const ProgramDir dir;
  write_branches(dir);
  const ProgramResult heads = dir.run({"heads"});
  CHECK(heads.out == "0002 (billing) (head), Step 0002\n0003 (head), Step 0003\n");
  CHECK(heads.err == "2 heads: join them with drover merge, or name one as target\n");
  CHECK(dir.run({"heads", "-q"}).err.empty());
  CHECK(dir.run({"branches"}).out ==
        "0001 (branchpoint), Step 0001\n"
        "     -> 0002 (billing) (head), Step 0002\n"
        "     -> 0003 (head), Step 0003\n");
  const json parsed = json::parse(dir.run({"heads", "-o", "json"}).out);
  CHECK(parsed["environment"].is_null());
  REQUIRE(parsed["revisions"].size() == 2);
  CHECK(parsed["revisions"][0]["id"] == "0002");
  CHECK(parsed["revisions"][0]["labels"] == json{"billing"});
  CHECK(parsed["revisions"][0]["file"] == "migrations/0002_left.sql");
}

TEST_CASE("show tells how a revision runs, and what is not in a transaction", "[cli]") {
  const ProgramDir dir;
  dir.files().write("migrations/0001_index.sql",
                    "-- drover: revision 0001\n-- drover: parents none\n"
                    "-- drover: message An index\n-- drover: set lock_timeout=2s\n\n"
                    "-- drover: up\nCREATE TABLE t (a int);\n\n"
                    "-- drover: up postgres no-transaction\n"
                    "CREATE INDEX CONCURRENTLY i ON t (a);\n\n"
                    "-- drover: down\nDROP TABLE t;\n");
  const ProgramResult shown = dir.run({"show", "head"});
  CHECK(shown.status == 0);
  CHECK(
      shown.out.starts_with("Revision   0001 (head)\nParents    none\nMessage    An index\n"
                            "File       migrations/0001_index.sql\n"
                            "Setting    lock_timeout=2s\n\npostgres\n"));
  CHECK(shown.out.find("  units going up\n"
                       "    1. one transaction, 1 statement\n"
                       "    2. no transaction, 1 statement\n"
                       "       CREATE INDEX CONCURRENTLY i ON t (a)\n") != std::string::npos);
  CHECK(shown.out.ends_with("-- drover: down\nDROP TABLE t;\n\n"));
  const json parsed = json::parse(dir.run({"show", "0001", "-o", "json"}).out);
  const json& revision = parsed["revisions"][0];
  CHECK(revision["settings"]["lock_timeout"] == "2s");
  CHECK(revision["dialects"]["postgres"]["up"].size() == 2);
  CHECK(revision["dialects"]["postgres"]["up"][1]["transactional"] == false);
  CHECK(revision["dialects"]["sqlite"]["up"].size() == 1);
  CHECK(revision["dialects"]["sqlite"]["chain_checksum"].get<std::string>().size() == 64);
  CHECK(dir.run({"show"}).err == error_text("show needs REF", "See drover show --help."));
}

TEST_CASE("config show masks secrets and tells where values come from", "[cli]") {
  const ProgramDir dir;
  dir.files().write("drover.yaml",
                    "store: \"${env:STORE}\"\nenvironments:\n  one:\n    tenants:\n"
                    "      - sqlite: \"*.db\"\n  two:\n    tenants:\n      - sqlite: \"*.db\"\n");
  const std::map<std::string, std::string> variables = {{"STORE", "postgres://u:hunter2@h/d"},
                                                        {"DROVER_LIMITS_IN_FLIGHT", "7"}};
  const ProgramResult shown =
      dir.run({"config", "show", "--origin", "-e", "one", "-o", "json"}, variables);
  REQUIRE(shown.status == 0);
  CHECK(shown.out.find("hunter2") == std::string::npos);
  CHECK(shown.out.find("environments.two") == std::string::npos);
  json in_flight;
  const json settings = json::parse(shown.out)["settings"];
  for (const json& setting : settings) {
    if (setting["key"] == "limits.in_flight") {
      in_flight = setting;
    }
  }
  CHECK(in_flight ==
        json{{"key", "limits.in_flight"}, {"value", "7"}, {"origin", "DROVER_LIMITS_IN_FLIGHT"}});
  CHECK(dir.run({"config", "show", "-e", "three"}, variables).status == 2);
  CHECK(dir.run({"config", "show", "-e", "one"}, variables).out.starts_with("SETTING"));
}

TEST_CASE("DATABASE_URL beside a configuration is ignored, and that is said once", "[cli]") {
  const ProgramDir dir;
  dir.run({"init"});
  const std::map<std::string, std::string> variables = {{"DATABASE_URL", "sqlite:other.db"}};
  CHECK(dir.run({"heads"}, variables).err == "DATABASE_URL is ignored: there is a configuration\n");
  CHECK(dir.run({"heads", "-q"}, variables).err.empty());
}

TEST_CASE("every verb on files speaks every format", "[cli]") {
  const ProgramDir dir;
  write_line(dir);
  for (const Words& verb : {Words{"validate"},
                            Words{"history"},
                            Words{"heads"},
                            Words{"branches"},
                            Words{"show", "0001"},
                            Words{"config", "show"},
                            Words{"version"}}) {
    CAPTURE(verb);
    const auto in = [&](const std::string& format) {
      Words words = verb;
      words.insert(words.end(), {"-o", format});
      const ProgramResult result = dir.run(words);
      CHECK(result.status == 0);
      return result.out;
    };
    const json parsed = json::parse(in("json"));
    CHECK(parsed["format"] == 1);
    CHECK(parsed.contains("environment"));
    CHECK(parsed.contains("started"));
    CHECK(parsed.contains("finished"));
    CHECK(YAML::Load(in("yaml"))["format"].as<int>() == 1);
    CHECK(json::parse(in("ndjson").substr(0, in("ndjson").find('\n')))["format"] == 1);
    CHECK(in("csv").find("\r\n") != std::string::npos);
  }
}
