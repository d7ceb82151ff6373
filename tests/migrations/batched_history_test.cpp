// The batches of the example history, worked off by the engine on tables of more than one batch.

#include <algorithm>

#include <catch2/catch.hpp>

#include "engine/background_batches.h"
#include "tests/engine/batch/staged_governor.h"
#include "tests/migrations/example_history.h"
#include "tests/support/schema_snapshot.h"

namespace drover::engine::test {
namespace {

using Lines = std::vector<std::string>;

/// More than two batches, whose first has a thousand rows and whose second half as many again.
constexpr int kFiles = 4'000;

Lines schema_of(const PgTenant& tenant) {
  return schema_of_postgres(cluster().conninfo(kDatabase), tenant.schema());
}
Lines schema_of(const FileTenant& tenant) {
  return schema_of_sqlite(tenant.path());
}
Lines rows_of(const PgTenant& tenant) {
  return rows_of_postgres(cluster().conninfo(kDatabase), tenant.schema());
}
Lines rows_of(const FileTenant& tenant) {
  return rows_of_sqlite(tenant.path());
}

/// The first line that differs; empty when none does. All of thousands would take minutes to print.
std::string first_difference(const Lines& before, const Lines& after) {
  const Lines lines = difference(before, after);
  return lines.empty() ? "" : lines.front();
}

/// One tenant with kFiles files as of 0020, each with a result; every second one failed, in turn
/// with and without a message.
template <typename Tenant>
void insert_rows(const Tenant& tenant) {
  tenant.sql("INSERT INTO tenants (id, code, name) VALUES (1, 'acme', 'Acme')");
  tenant.sql(fmt::format(
      "INSERT INTO files (id, tenant_id, tenant_code, original_filename, file_path, file_size) "
      "WITH RECURSIVE i (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < {}) "
      "SELECT i, 1, 'acme', 'f.pdf', '/a/' || i, i FROM i",
      kFiles));
  tenant.sql(
      "INSERT INTO extraction_results (id, file_id, tenant_id, extraction_type, status, "
      "error_message) SELECT id, id, 1, 'text', CASE id % 2 WHEN 0 THEN 'failed' ELSE 'completed' "
      "END, CASE id % 4 WHEN 0 THEN 'Page 3 TIMED OUT' END FROM files");
}

/// Adds a file as a program does that does not know of locations.
template <typename Tenant>
void insert_unlocated(const Tenant& tenant, int id) {
  tenant.sql(
      fmt::format("INSERT INTO files (id, tenant_id, tenant_code, original_filename, "
                  "file_path, file_size) VALUES ({0}, 1, 'acme', 'late.pdf', '/a/{0}', 1)",
                  id));
}

template <typename Tenant>
std::string files_where(const Tenant& tenant, const std::string& condition) {
  return tenant.value("SELECT count(*) FROM files WHERE " + condition);
}

/// "1000 timeout, ...": how many results have which code.
template <typename Tenant>
std::string codes_of(const Tenant& tenant) {
  std::string text;
  for (const auto& row : tenant.sql("SELECT count(*) || ' ' || coalesce(error_code, 'none') FROM "
                                    "extraction_results GROUP BY error_code ORDER BY error_code "
                                    "NULLS FIRST")) {
    text += (text.empty() ? "" : ", ") + *row[0];
  }
  return text;
}

/// "done 4000 of 4000": the batches of `revision`, with rows changed and seen.
template <typename Tenant>
Lines batches_of(const Tenant& tenant, const std::string& revision) {
  Lines lines;
  for (const auto& row : tenant.sql(fmt::format(
           "SELECT b.state || ' ' || r.rows_changed || ' of ' || r.rows_seen || "
           "CASE WHEN r.batches > 2 THEN ' in batches' ELSE '' END FROM drover_batches b "
           "JOIN drover_batch_ranges r ON r.revision = b.revision AND r.unit = b.unit "
           "WHERE b.revision = '{}' ORDER BY b.unit",
           revision))) {
    lines.push_back(*row[0]);
  }
  return lines;
}

std::optional<TenantFault> work_background(BatchRig& rig, const Target& target) {
  return work_background_batches(rig.sessions,
                                 rig.real_clock,
                                 target,
                                 rig.facts,
                                 example_history(),
                                 rig.options,
                                 rig.patience,
                                 {});
}

/// From 0020 to the head, with what the batches have to have done on the way.
template <typename Tenant>
void go_to_head(BatchRig& rig, const Tenant& tenant) {
  const auto up = [&](const char* to) {
    return told(rig.up(tenant.target(), example_history(), to));
  };
  REQUIRE(up("0021") == "applied");
  CHECK(files_where(tenant, "storage_location = 'disk:' || file_path") == std::to_string(kFiles));
  CHECK(files_where(tenant, "updated_at IS NOT NULL") == "0");
  CHECK(batches_of(tenant, "0021") ==
        Lines{"done 4000 of 4000 in batches", "done 0 of 4000 in batches"});

  REQUIRE(up("0022") == "applied");
  CHECK(codes_of(tenant) == "4000 none");
  const ApplyOutcome early = rig.up(tenant.target(), example_history(), "0023");
  REQUIRE(early.fault);
  CHECK(early.fault->message == "revision '0023' rests on '0022', whose batch is not done");
  CHECK_FALSE(work_background(rig, tenant.target()));
  CHECK(codes_of(tenant) == "2000 none, 1000 timeout, 1000 unknown");
  CHECK(batches_of(tenant, "0022") == Lines{"done 2000 of 4000 in batches"});

  REQUIRE(up("0023") == "applied");
  CHECK(tenant.value("SELECT failures FROM extraction_failures WHERE error_code = 'timeout'") ==
        "1000");
}

TEMPLATE_TEST_CASE("batches of the example history rewrite what is there, up, down and up again",
                   "[migrations]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0020")) == "applied");
  insert_rows(tenant);
  const Lines schema = schema_of(tenant);
  const Lines rows = rows_of(tenant);

  go_to_head(rig, tenant);
  const Lines schema_at_head = schema_of(tenant);
  const Lines rows_at_head = rows_of(tenant);

  CHECK(told(rig.down(tenant.target(), example_history(), "0020")) == "applied");
  CHECK(difference(schema, schema_of(tenant)) == Lines{});
  CHECK(first_difference(rows, rows_of(tenant)).empty());

  go_to_head(rig, tenant);
  CHECK(difference(schema_at_head, schema_of(tenant)) == Lines{});
  CHECK(first_difference(rows_at_head, rows_of(tenant)).empty());
}

TEMPLATE_TEST_CASE("the engine's batches leave what plain statements leave",
                   "[migrations]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0022")) == "applied");
  REQUIRE_FALSE(work_background(rig, tenant.target()));
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0023")) == "applied");

  const bool postgres = tenant.target().dialect == Dialect::postgres;
  const ExampleTenant plain(postgres ? Home::postgres_schema : Home::sqlite_file);
  plain.up_to("0023");
  CHECK(difference(plain->schema(), schema_of(tenant)) == Lines{});
}

TEMPLATE_TEST_CASE("files that others add while their locations are filled in get one as well",
                   "[migrations]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  StagedRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0020")) == "applied");
  insert_rows(tenant);
  rig.governor.on_ask = [&](int time) {
    if (time == 2) {  // rows 1 to 1000 are behind us
      insert_unlocated(tenant, -1);
      insert_unlocated(tenant, kFiles + 1);
      tenant.sql("UPDATE files SET storage_location = NULL WHERE id = 7");
      tenant.sql("UPDATE files SET storage_location = 's3:new/8' WHERE id IN (8, 3000)");
    }
    return BatchLeave{};
  };
  CHECK(told(rig.up(tenant.target(), example_history(), "0021")) == "applied");
  CHECK(files_where(tenant, "storage_location = 'disk:' || file_path") ==
        std::to_string(kFiles + 2 - 2));
  CHECK(files_where(tenant, "storage_location = 's3:new/8'") == "2");
  CHECK(tenant.value("SELECT max(redone) FROM drover_batches") == "0");
  CHECK_THROWS_WITH(insert_unlocated(tenant, -2), Catch::Contains("storage_location"));
  CHECK_THROWS_WITH(tenant.sql("UPDATE files SET storage_location = NULL WHERE id = 1"),
                    Catch::Contains("storage_location"));
}

TEST_CASE("a file that is added between the trigger and the check is found by the second batch",
          "[migrations]") {
  const PgTenant tenant;
  BatchRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0020")) == "applied");
  insert_rows(tenant);
  bool met = false;
  ToldSessions sessions([&](std::span<const Statement> statements) {
    for (const Statement& statement : statements) {
      if (!met && statement.sql.find("ADD CONSTRAINT files_storage_location_present") !=
                      std::string_view::npos) {
        met = true;
        insert_unlocated(tenant, -1);
        CHECK(files_where(tenant, "storage_location IS NULL") == "1");
      }
    }
  });
  batch::BatchRunner runner{sessions, rig.real_clock, rig.governor};
  rig.options.batches = &runner;
  const Executor executor(
      sessions, *rig.clock, example_history(), rig.options, *rig.watch, rig.gate);
  CHECK(told(executor.apply(tenant.target(), rig.facts, {Direction::up, "0021"}, rig.patience)) ==
        "applied");
  CHECK(met);
  CHECK(tenant.value("SELECT storage_location FROM files WHERE id = -1") == "disk:/a/-1");
  CHECK(batches_of(tenant, "0021").back() == "done 1 of 4001 in batches");
}

TEMPLATE_TEST_CASE("locations stay as long as a file lies elsewhere than on disk",
                   "[migrations]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0020")) == "applied");
  insert_rows(tenant);
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0021")) == "applied");
  const Lines schema = schema_of(tenant);
  tenant.sql("UPDATE files SET storage_location = 's3:bucket/a/5' WHERE id = 5");

  const ApplyOutcome refused = rig.down(tenant.target(), example_history(), "0020");
  REQUIRE(refused.fault);
  CHECK(refused.fault->message.find("some_files_lie_elsewhere") != std::string::npos);
  CHECK(difference(schema, schema_of(tenant)) == Lines{});

  tenant.sql("UPDATE files SET storage_location = 'disk:/a/5' WHERE id = 5");
  CHECK(told(rig.down(tenant.target(), example_history(), "0020")) == "applied");
}

TEMPLATE_TEST_CASE("results are classified only while few wait for a worker",
                   "[migrations]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0020")) == "applied");
  insert_rows(tenant);
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0022")) == "applied");
  const auto& sections = example_revision("0022").sections;
  const auto batch = std::find_if(sections.begin(), sections.end(), [](const Section& section) {
    return section.kind == Section::Kind::batch;
  });
  REQUIRE(batch != sections.end());
  const std::string waits = "SELECT CASE WHEN (" + batch->batch.throttle + ") THEN 'waits' END";
  tenant.sql("UPDATE extraction_results SET status = 'pending' WHERE id <= 500");
  CHECK(tenant.value(waits).empty());
  tenant.sql("UPDATE extraction_results SET status = 'pending' WHERE id = 501");
  CHECK(tenant.value(waits) == "waits");
}

TEMPLATE_TEST_CASE("a run that goes on beyond a background batch works it off first",
                   "[migrations]",
                   PgTenant,
                   FileTenant) {
  const TestType tenant;
  BatchRig rig;
  REQUIRE(told(rig.up(tenant.target(), example_history(), "0020")) == "applied");
  insert_rows(tenant);
  CHECK(told(rig.up(tenant.target(), example_history())) == "applied");
  CHECK(tenant.value("SELECT state FROM drover_batches WHERE revision = '0022'") == "done");
  CHECK(tenant.value("SELECT count(*) FROM extraction_results WHERE error_code IS NULL AND "
                     "status = 'failed'") == "0");
  CHECK(tenant.value("SELECT max(revision) FROM drover_revisions") == "0023");
}

}  // namespace
}  // namespace drover::engine::test
