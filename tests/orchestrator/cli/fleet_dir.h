// A working directory with a configuration, a history and a fleet, for tests of the program.

#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "engine/dialect.h"
#include "tests/orchestrator/cli/program_run.h"
#include "tests/support/pg_cluster.h"

namespace drover::test::fleet {

using nlohmann::json;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

struct Step {
  std::string up;
  std::string down;
  std::string header = "";
};

inline void write_step(const ProgramDir& dir, int number, const Step& step) {
  const std::string parent = number == 1 ? "none" : fmt::format("{:04}", number - 1);
  dir.files().write(fmt::format("migrations/{:04}_step.sql", number),
                    fmt::format("-- drover: revision {:04}\n-- drover: parents {}\n"
                                "-- drover: message Step {}\n{}\n-- drover: up\n{}\n\n"
                                "-- drover: down\n{}\n",
                                number,
                                parent,
                                number,
                                step.header,
                                step.up,
                                step.down));
}

/// Three revisions that make the tables one, two and three.
inline void write_steps(const ProgramDir& dir) {
  int number = 0;
  for (const std::string name : {"one", "two", "three"}) {
    write_step(
        dir, ++number, {"CREATE TABLE " + name + " (x integer);", "DROP TABLE " + name + ";"});
  }
}

inline void write_settings(const ProgramDir& dir,
                           const std::string& tenants,
                           const std::string& more = "") {
  dir.files().write("drover.yaml",
                    fmt::format("migrations: migrations\nstore: runs.db\nenvironments:\n"
                                "  test:\n    tenants:\n      - {}\n{}",
                                tenants,
                                more));
}

/// Files a, b, ... of an environment `test`, taken to `revision` unless that is empty.
inline void write_files(const ProgramDir& dir, int count, const std::string& revision) {
  write_steps(dir);
  write_settings(dir, "sqlite: fleet/*.db");
  for (int i = 0; i < count; ++i) {
    dir.files().write(fmt::format("fleet/{}.db", static_cast<char>('a' + i)), "");
  }
  if (!revision.empty()) {
    REQUIRE(dir.run({"upgrade", revision, "--yes", "--create-files"}).status == 0);
  }
}

/// What sqlite3 says to `sql`; a failure of it fails the test.
inline std::string ask_file(const ProgramDir& dir,
                            const std::string& tenant,
                            const std::string& sql) {
  dir.files().write("question.sql", sql);
  const std::string command =
      fmt::format("sqlite3 '{0}/fleet/{1}.db' <'{0}/question.sql' >'{0}/answer'",
                  dir.files().path().string(),
                  tenant);
  REQUIRE(std::system(command.c_str()) == 0);
  return dir.files().read("answer");
}

inline json document(const ProgramDir& dir, Words words, int status) {
  words.insert(words.end(), {"-o", "json"});
  const ProgramResult result = dir.run(words);
  INFO(result.err);
  REQUIRE(result.status == status);
  return json::parse(result.out);
}

inline std::map<std::string, std::string> states(const ProgramDir& dir, int status) {
  std::map<std::string, std::string> found;
  const json answer = document(dir, {"status"}, status);
  for (const json& tenant : answer["tenants"]) {
    found[tenant["id"]] = tenant["state"];
  }
  return found;
}

inline std::string error_text(const std::string& message, const std::string& hint) {
  return fmt::format("error: {}\nhint:  {}\n", message, hint);
}

inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// One database with an empty schema for each name, which are the fleet.
inline void make_schemas(const ProgramDir& dir,
                         const std::string& database,
                         const std::vector<std::string>& schemas) {
  PgCluster& cluster = shared_cluster();
  cluster.create_database(database);
  for (const std::string& schema : schemas) {
    cluster.execute(database, "CREATE SCHEMA " + drover::engine::quoted_identifier(schema));
  }
  write_steps(dir);
  write_settings(
      dir,
      fmt::format("schemas: {{database: \"{}\", match: \"t_*\"}}", cluster.conninfo(database)));
}

/// Waits until `ready`, which another process brings about, or fails the test.
template <typename Ready>
void wait_until(Ready ready, std::chrono::seconds most = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  while (!ready()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

/// The `rollout:` of an environment with `stages`, each an item of the list; `keys` stand beside
/// them.
inline std::string rollout_of(const std::vector<std::string>& stages,
                              const std::string& keys = "") {
  std::string rollout = "    rollout:\n" + keys + "      stages:\n";
  for (const std::string& stage : stages) {
    rollout += "        - {" + stage + "}\n";
  }
  return rollout;
}

/// Files a, b, ... and stages for them; `stages` are the items of the list, `keys` those of the
/// rollout beside them, `more` those of the environment.
inline void write_rollout(const ProgramDir& dir,
                          int files,
                          const std::vector<std::string>& stages,
                          const std::string& keys = "",
                          const std::string& more = "") {
  write_files(dir, files, "");
  write_settings(
      dir, "sqlite: fleet/*.db", "    auto_migrate: true\n" + more + rollout_of(stages, keys));
}

/// "a applied, b not_started", of a run.
inline std::string outcomes(const json& answer) {
  std::map<std::string, std::string> sorted;
  for (const json& tenant : answer["tenants"]) {
    sorted[tenant["id"]] = tenant["outcome"];
  }
  std::string text;
  for (const auto& [id, outcome] : sorted) {
    text += (text.empty() ? "" : ", ") + id + " " + outcome;
  }
  return text;
}

}  // namespace drover::test::fleet
