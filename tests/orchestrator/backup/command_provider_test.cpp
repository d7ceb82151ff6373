#include "orchestrator/backup/command_provider.h"

#include <chrono>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/support/temp_dir.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::engine::Patience;
using drover::engine::TenantFault;
using drover::test::TempDir;

namespace {

/// A tenant, and a shell in the part of the user's program.
struct Bench {
  Bench() {
    tenant.id = {"acme"};
    tenant.target.dialect = drover::engine::Dialect::postgres;
    tenant.target.connection = "host=db1 dbname=acme";
    tenant.target.password = drover::engine::Secret("open sesame");
    tenant.target.schema = "tenant_acme";
    tenant.target.server = "db1:5432";
    tenant.target.database = "acme";
  }

  MadeOrFault run(const std::string& script, const Patience& patience = {}) {
    CommandProvider provider({"/bin/sh", "-c", script}, temp.path());
    const BackupSubject subject{tenant, Extent::schema, "7c9e", {}, 0, "prod", "r-1"};
    return provider.make(subject, {"20261122T221403-4f2a9c01"}, temp / "x.part", patience);
  }

  std::string words(const std::string& script, const Patience& patience = {}) {
    const MadeOrFault result = run(script, patience);
    const auto* const fault = std::get_if<TenantFault>(&result);
    return fault ? fmt::format("{}: {}", fault->kind, fault->message) : "made";
  }

  TempDir temp;
  Tenant tenant;
};

}  // namespace

TEST_CASE("a backup by a command is told by its handle, its size and its digest") {
  Bench bench;
  const MadeOrFault result =
      bench.run(R"(echo '{"handle": "s3://b/acme", "bytes": 12, "sha256": "ab"}')");
  REQUIRE(std::holds_alternative<Made>(result));
  CHECK(std::get<Made>(result).handle == "s3://b/acme");
  CHECK(std::get<Made>(result).bytes == 12);
  CHECK(std::get<Made>(result).sha256 == "ab");
}

TEST_CASE("the command gets the tenant's facts, and its password only by a passfile") {
  Bench bench;
  CHECK(bench.words(R"(env | grep ^DROVER_ | sort > seen; cat "$PGPASSFILE" > pass
                       tr '\0' ' ' < /proc/$$/environ > environment
                       echo '{"handle": "x"}')") == "made");
  CHECK(bench.temp.read("seen") == fmt::format(R"(DROVER_BACKUP=20261122T221403-4f2a9c01
DROVER_CONNECTION=host=db1 dbname=acme
DROVER_DATABASE=acme
DROVER_ENVIRONMENT=prod
DROVER_FILE={}
DROVER_RUN=r-1
DROVER_SCHEMA=tenant_acme
DROVER_SERVER=db1:5432
DROVER_TENANT=acme
DROVER_UID=7c9e
)",
                                               (bench.temp / "x.part").string()));
  CHECK(bench.temp.read("pass") == "*:*:*:*:open sesame\n");
  CHECK(bench.temp.read("environment").find("sesame") == std::string::npos);
}

TEST_CASE("a command that writes its file needs no handle") {
  Bench bench;
  CHECK(bench.words(R"(echo data > "$DROVER_FILE"; echo '{}')") == "made");
}

TEST_CASE("every answer that cannot be used says what is wrong with it") {
  Bench bench;
  CHECK(bench.words("true") == "backup_failed: command '/bin/sh' did not print an object of JSON");
  CHECK(bench.words("echo '[1]'") ==
        "backup_failed: command '/bin/sh' did not print an object of JSON");
  CHECK(bench.words("echo '{\"handle\": \"x\"'") ==
        "backup_failed: command '/bin/sh' did not print an object of JSON");
  CHECK(bench.words("echo '{}'") ==
        "backup_failed: command '/bin/sh' wrote no DROVER_FILE and printed no handle");
  CHECK(bench.words(R"(echo '{"handle": ""}')") ==
        "backup_failed: command '/bin/sh' wrote no DROVER_FILE and printed no handle");
  CHECK(bench.words(R"(echo '{"handle": 7}')") ==
        "backup_failed: command '/bin/sh' printed 'handle', which is not known or no such value");
  CHECK(bench.words(R"(echo '{"handle": "x", "bytes": -1}')") ==
        "backup_failed: command '/bin/sh' printed 'bytes', which is not known or no such value");
  CHECK(bench.words(R"(echo '{"handle": "x", "size": 1}')") ==
        "backup_failed: command '/bin/sh' printed 'size', which is not known or no such value");
}

TEST_CASE("a command that fails says how it ended and what it said first") {
  Bench bench;
  CHECK(bench.words("echo 'bucket is gone' >&2; echo more >&2; exit 4") ==
        "backup_failed: command '/bin/sh' exited with status 4: bucket is gone");
  CHECK(bench.words(R"(echo '{"handle": "x"}'; exit 1)") ==
        "backup_failed: command '/bin/sh' exited with status 1: {\"handle\": \"x\"}");
  CHECK(bench.words("kill -9 $$") == "backup_failed: command '/bin/sh' was killed by signal 9");
  Patience patience;
  patience.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  CHECK(bench.words("sleep 600", patience)
            .starts_with("backup_timed_out: command '/bin/sh' did not end within "));
  std::stop_source stop;
  stop.request_stop();
  CHECK(bench.words("sleep 600", {drover::engine::SteadyTime::max(), stop.get_token()}) ==
        "interrupted: command '/bin/sh' was stopped");
}

TEST_CASE("the command that restores gets the handle, and its failure is told") {
  Bench bench;
  Backup backup;
  backup.id = {"20261122T221403-4f2a9c01"};
  backup.handle = "s3://b/acme";
  const auto restore = [&](const std::vector<std::string>& argv) {
    const auto fault =
        restore_by_command(argv, bench.temp.path(), backup, bench.tenant, bench.temp / "file", {});
    return fault ? fmt::format("{}: {}", fault->kind, fault->message) : "";
  };
  CHECK(restore({"/bin/sh", "-c", "echo \"$DROVER_HANDLE $DROVER_TENANT\" > seen"}) == "");
  CHECK(bench.temp.read("seen") == "s3://b/acme acme\n");
  CHECK(restore({"/bin/sh", "-c", "echo no >&2; exit 1"}) ==
        "restore_failed: command '/bin/sh' exited with status 1: no");
  CHECK(restore({}) ==
        "restore_refused: the backup was made by a command, and none is named that puts it back");
}
