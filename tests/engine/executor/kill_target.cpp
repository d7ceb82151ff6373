/// The child that kill_test.cpp kills: upgrades one tenant to its heads, and says how that went.
///
///   kill_target postgres CONNINFO SCHEMA DIRECTORY
///   kill_target sqlite FILE "" DIRECTORY
///
/// Exit status 0 when the tenant is where it should be, 1 otherwise.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/base/system_clock.h"
#include "engine/executor.h"
#include "engine/parse/migration_text.h"
#include "engine/postgres/pg_session.h"
#include "engine/sqlite/sqlite_session.h"

namespace {

using namespace drover::engine;  // NOLINT(google-build-using-namespace): a program of one file

MigrationSet read_all(const std::filesystem::path& directory) {
  std::vector<Migration> migrations;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    std::ifstream in(file.path(), std::ios::binary);
    migrations.push_back(parse::parse_migration(std::string(std::istreambuf_iterator<char>(in), {}),
                                                file.path().filename()));
  }
  return MigrationSet::build(std::move(migrations));
}

int run(const std::vector<std::string>& arguments) {
  const bool postgres = arguments[1] == "postgres";
  Target target;
  target.dialect = postgres ? Dialect::postgres : Dialect::sqlite;
  target.connection = arguments[2];
  target.schema = arguments[3];
  target.database = "killed";
  target.server = "killed";
  postgres::PgSessionFactory pg;
  sqlite::SqliteSessionFactory lite;
  drover::engine::base::SystemClock clock;
  NoBlockerWatch watch;
  OpenDdlGate gate;
  ExecutorOptions options;
  options.approach.create_files = true;
  options.approach.lock_wait = Milliseconds(20'000);
  options.by = {"killed@host", "run"};
  const MigrationSet set = read_all(arguments[4]);
  SessionFactory& sessions =
      postgres ? static_cast<SessionFactory&>(pg) : static_cast<SessionFactory&>(lite);
  const Executor executor(sessions, clock, set, options, watch, gate);
  const ApplyOutcome outcome = executor.apply(target, {}, {Direction::up, "heads"}, {});
  if (outcome.fault) {
    std::printf("%s\n", outcome.fault->message.c_str());
  }
  return outcome.fault ? 1 : 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return count == 5 ? run({arguments, arguments + count}) : 2;
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 2;
  }
}
