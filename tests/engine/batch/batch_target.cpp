/// The child that batch_kill_test.cpp kills, and that batch_owner_test.cpp freezes: upgrades one
/// tenant to its heads, batches and all, and says how that went.
///
///   batch_target postgres CONNINFO SCHEMA DIRECTORY
///   batch_target sqlite FILE "" DIRECTORY
///
/// Exit status 0 when the tenant is where it should be, 3 when its batch was taken over, 4 when
/// somebody else works on it, 1 for any other fault.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "engine/base/system_clock.h"
#include "engine/batch/batch_runner.h"
#include "engine/batch_governor.h"
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

int status_of(const ApplyOutcome& outcome) {
  if (!outcome.fault) {
    return 0;
  }
  std::printf("%s: %s\n", outcome.fault->kind.c_str(), outcome.fault->message.c_str());
  if (outcome.fault->kind == "batch_taken_over") {
    return 3;
  }
  return outcome.fault->kind == "batch_held" ? 4 : 1;
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
  SessionFactory& sessions =
      postgres ? static_cast<SessionFactory&>(pg) : static_cast<SessionFactory&>(lite);
  drover::engine::base::SystemClock clock;
  NoBlockerWatch watch;
  OpenDdlGate gate;
  OpenBatchGovernor governor;
  drover::engine::batch::BatchRunner runner(sessions, clock, governor);
  ExecutorOptions options;
  options.approach.create_files = true;
  options.approach.lock_wait = Milliseconds(20'000);
  options.approach.lock_timeout = Milliseconds(10'000);
  options.by = {"killed@host", "run"};
  options.batches = &runner;
  const MigrationSet set = read_all(arguments[4]);
  const Executor executor(sessions, clock, set, options, watch, gate);
  return status_of(executor.apply(target, {}, {Direction::up, "heads"}, {}));
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
