#include "tests/migrations/example_history.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/support/pg_cluster.h"
#include "tests/support/schema_snapshot.h"

using drover::engine::Dialect;
using drover::engine::Migration;
using drover::test::available_homes;
using drover::test::difference;
using drover::test::example_history;
using drover::test::example_revision;
using drover::test::ExampleTenant;
using drover::test::Home;
using drover::test::kHostileSchema;
using drover::test::name_of;
using drover::test::PgCluster;
using drover::test::plain_postgres_tenant;
using drover::test::shared_cluster;

namespace {

using Lines = std::vector<std::string>;

/// Runs the rest of the test case once for each home.
Home each_home() {
  const std::vector<Home> homes = available_homes();
  return GENERATE_REF(from_range(homes));
}

/// Three tenants with files and results as of 0003. Every parent has children that a careless
/// rebuild would delete with it, and one child has none.
void insert_rows(ExampleTenant& tenant) {
  tenant->execute(R"sql(
INSERT INTO tenants (id, code, name, is_active, storage_quota_bytes, file_count_limit) VALUES
  (1, 'acme', 'Acme', true, 5000000000, 100),
  (2, 'weyland', 'Weyland''s "Sons"', true, NULL, NULL),
  (3, 'gone', 'Gone', false, 0, 0))sql");
  tenant->execute(R"sql(
INSERT INTO files (id, tenant_id, tenant_code, original_filename, file_path, file_size, file_hash,
                   status) VALUES
  (10, 1, 'acme', 'Report.PDF', '/a/10', 4000000000, 'aa', 'completed'),
  (11, 1, 'acme', 'notes.txt', '/a/11', 12, NULL, 'pending'),
  (12, 1, 'acme', 'holiday.jpeg', '/a/12', 700, 'bb', 'failed'),
  (20, 2, 'weyland', 'no ending', '/w/20', 0, 'aa', 'processing'),
  (21, 2, 'weyland', 'größe.csv', '/w/21', 33, 'cc', 'completed'))sql");
  tenant->execute(R"sql(
INSERT INTO extraction_results (id, file_id, tenant_id, extraction_type, status) VALUES
  (100, 10, 1, 'text', 'completed'), (101, 10, 1, 'preview', 'failed'),
  (102, 10, 1, 'text', 'running'), (103, 12, 1, 'preview', 'pending'),
  (200, 20, 2, 'text', 'pending'), (201, 21, 2, 'metadata', 'completed'))sql");
}

/// What 0003 knows of these rows, whatever came later.
Lines rows_of_0003(ExampleTenant& tenant) {
  constexpr const char* kQueries[] = {
      R"sql(
SELECT 'tenant ' || id || ' ' || code || ' ' || name || ' ' || created_at
       || CASE WHEN is_active THEN ' active' ELSE ' inactive' END
       || coalesce(' ' || storage_quota_bytes || ' ' || file_count_limit, '')
  FROM tenants ORDER BY id)sql",
      R"sql(
SELECT 'file ' || id || ' ' || tenant_id || ' ' || tenant_code || ' ' || original_filename
       || ' ' || file_path || ' ' || file_size || ' ' || coalesce(file_hash, '-')
       || ' ' || status || ' ' || uploaded_at
  FROM files ORDER BY id)sql",
      R"sql(
SELECT 'result ' || id || ' ' || file_id || ' ' || tenant_id || ' ' || extraction_type
       || ' ' || status || ' ' || created_at
  FROM extraction_results ORDER BY id)sql",
  };
  Lines rows;
  for (const char* const sql : kQueries) {
    const Lines some = tenant->query(sql);
    rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

/// True for a revision that moves rows only, or joins branches.
bool leaves_schema_alone(const Migration& migration, Dialect dialect) {
  static const std::set<std::string> kEverywhere = {"0005", "0011", "0016"};
  return kEverywhere.count(migration.id.value) > 0 ||
         (migration.id.value == "0019" && dialect == Dialect::sqlite);
}

}  // namespace

TEST_CASE("the example history is sound and ends in one revision", "[migrations]") {
  const auto& history = example_history();
  Lines roots;
  Lines merges;
  Lines dependents;
  Lines verified;
  Lines batched;
  for (const Migration& migration : history.in_order()) {
    const std::string& id = migration.id.value;
    INFO("revision " << id);
    CHECK(migration.source.filename().string().substr(0, 5) == id + "_");
    CHECK_FALSE(migration.message.empty());
    CHECK_FALSE(migration.irreversible.has_value());
    if (migration.parents.empty()) {
      roots.push_back(id);
    }
    if (migration.parents.size() > 1) {
      merges.push_back(id);
    }
    if (!migration.depends.empty()) {
      dependents.push_back(id);
    }
    const auto units = drover::engine::up_units(migration, Dialect::postgres);
    if (std::any_of(
            units.begin(), units.end(), [](const auto& unit) { return unit.has_verify(); })) {
      verified.push_back(id);
    }
    if (std::any_of(units.begin(), units.end(), [](const auto& unit) {
          return unit.kind == drover::engine::Unit::Kind::batch;
        })) {
      batched.push_back(id);
    }
  }
  CHECK(history.in_order().size() == 23);
  CHECK(roots == Lines{"0001"});
  CHECK(merges == Lines{"0011", "0016"});
  CHECK(dependents == Lines{"0015"});
  CHECK(verified == Lines{"0005", "0020"});
  CHECK(batched == Lines{"0021", "0022"});
  CHECK(history.graph().heads() == std::vector<drover::engine::RevisionId>{{"0023"}});
}

TEST_CASE("every down of the example history restores the schema its up found", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  ExampleTenant tenant(home);
  std::vector<Lines> schemas = {tenant->schema()};

  for (const Migration& migration : example_history().in_order()) {
    INFO("revision " << migration.id.value);
    tenant->up(migration);
    const Lines after = tenant->schema();
    const bool is_same = difference(schemas.back(), after).empty();
    CHECK(is_same == leaves_schema_alone(migration, tenant->dialect()));

    tenant->down(migration);
    CHECK(difference(schemas.back(), tenant->schema()) == Lines{});
    tenant->up(migration);
    CHECK(difference(after, tenant->schema()) == Lines{});
    schemas.push_back(after);
  }

  const auto& history = example_history().in_order();
  for (auto migration = history.rbegin(); migration != history.rend(); ++migration) {
    INFO("revision " << migration->id.value << " on the way to base");
    tenant->down(*migration);
    schemas.pop_back();
    CHECK(difference(schemas.back(), tenant->schema()) == Lines{});
  }
  CHECK(tenant->schema() == Lines{});
}

TEST_CASE("rows and their children survive every step, up and down", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  ExampleTenant tenant(home);
  tenant.up_to("0003");
  insert_rows(tenant);
  const Lines rows = rows_of_0003(tenant);
  REQUIRE(rows.size() == 3 + 5 + 6);

  const auto& history = example_history().in_order();
  for (auto migration = history.begin() + 3; migration != history.end(); ++migration) {
    INFO("revision " << migration->id.value << " up");
    tenant->up(*migration);
    CHECK(difference(rows, rows_of_0003(tenant)) == Lines{});
    const Lines all = tenant->rows();
    tenant->down(*migration);
    INFO("revision " << migration->id.value << " down and up again");
    CHECK(difference(rows, rows_of_0003(tenant)) == Lines{});
    tenant->up(*migration);
    CHECK(difference(all, tenant->rows()) == Lines{});
  }

  SECTION("all the way down to where they were inserted") {
    tenant.down_to("0003");
    CHECK(difference(rows, rows_of_0003(tenant)) == Lines{});
  }

  SECTION("and still go with the parent that they belong to") {
    tenant->execute("DELETE FROM tenants WHERE id = 1");
    CHECK(tenant->query("SELECT id FROM files ORDER BY id") == Lines{"20", "21"});
    CHECK(tenant->query("SELECT id FROM extraction_results ORDER BY id") == Lines{"200", "201"});
  }
}

TEST_CASE("branches of the example history end the same in either order", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  Lines expected;
  {
    ExampleTenant tenant(home);
    tenant.up_to("0011");
    expected = tenant->schema();
  }
  ExampleTenant tenant(home);
  tenant.up_to("0008");
  const Lines before = tenant->schema();
  for (const char* const id : {"0010", "0009", "0011"}) {
    tenant->up(example_revision(id));
  }
  CHECK(difference(expected, tenant->schema()) == Lines{});

  for (const char* const id : {"0011", "0010", "0009"}) {
    tenant->down(example_revision(id));
  }
  CHECK(difference(before, tenant->schema()) == Lines{});
}

TEST_CASE("old files get the content type that their name says", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  ExampleTenant tenant(home);
  tenant.up_to("0003");
  insert_rows(tenant);
  tenant->up(example_revision("0004"));
  CHECK(tenant->query("SELECT count(*) FROM files WHERE content_type IS NULL") == Lines{"5"});
  tenant->up(example_revision("0005"));
  tenant->execute(
      "INSERT INTO files (id, tenant_id, tenant_code, original_filename, file_path, file_size)"
      " VALUES (30, 3, 'gone', 'late.pdf', '/g/30', 1)");
  tenant->up(example_revision("0006"));

  CHECK(tenant->query("SELECT content_type FROM files ORDER BY id") ==
        Lines{"application/pdf",
              "text/plain",
              "image/jpeg",
              "application/octet-stream",
              "text/csv",
              "application/octet-stream"});
  CHECK_THROWS_WITH(tenant->execute("UPDATE files SET content_type = NULL"),
                    Catch::Contains("content_type"));
}

TEST_CASE("a quarantined file becomes a failed one when the status goes away", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  ExampleTenant tenant(home);
  tenant.up_to("0003");
  insert_rows(tenant);
  const char* const quarantine = "UPDATE files SET status = 'quarantined' WHERE id IN (10, 20)";
  CHECK_THROWS(tenant->execute(quarantine));
  for (const char* const id : {"0004", "0005", "0006", "0007", "0008"}) {
    tenant->up(example_revision(id));
  }
  tenant->execute(quarantine);
  tenant->down(example_revision("0008"));

  CHECK(tenant->query("SELECT status FROM files ORDER BY id") ==
        Lines{"failed", "pending", "failed", "failed", "completed"});
  CHECK(tenant->query("SELECT count(*) FROM extraction_results") == Lines{"6"});
}

TEST_CASE("of two unfinished extractions of a file the older one is given up", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  ExampleTenant tenant(home);
  tenant.up_to("0017");
  insert_rows(tenant);
  tenant->execute(
      "INSERT INTO extraction_results (id, file_id, tenant_id, extraction_type, status)"
      " VALUES (104, 10, 1, 'text', 'pending'), (105, 10, 1, 'metadata', 'pending')");
  tenant->up(example_revision("0018"));

  CHECK(tenant->query("SELECT id || ' ' || status || coalesce(': ' || error_message, '')"
                      "  FROM extraction_results WHERE file_id = 10 ORDER BY id") ==
        Lines{"100 completed",
              "101 failed",
              "102 failed: superseded by a newer request",
              "104 pending",
              "105 pending"});
  CHECK_THROWS(tenant->execute("UPDATE extraction_results SET status = 'running' WHERE id = 102"));
}

TEST_CASE("at the head, changes of a file are noted and its status is on record", "[migrations]") {
  const Home home = each_home();
  INFO("in " << name_of(home));
  ExampleTenant tenant(home);
  tenant.up_to("0003");
  insert_rows(tenant);
  const auto& history = example_history().in_order();
  std::for_each(
      history.begin() + 3, history.end(), [&](const Migration& revision) { tenant->up(revision); });
  tenant->execute("UPDATE files SET status = 'quarantined' WHERE id = 10");
  tenant->execute("UPDATE files SET file_path = '/a/moved' WHERE id = 11");

  CHECK(tenant->query("SELECT id FROM files WHERE updated_at IS NOT NULL ORDER BY id") ==
        Lines{"10", "11"});
  CHECK(tenant->query("SELECT file_id || ' ' || old_status || ' > ' || new_status"
                      "  FROM file_events") == Lines{"10 completed > quarantined"});
  CHECK(tenant->query("SELECT tenant_code || ' ' || file_count || ' ' || stored_bytes"
                      "  FROM tenant_usage ORDER BY tenant_code") ==
        Lines{"acme 3 4000000712", "gone 0 0", "weyland 2 33"});
  CHECK(tenant->query("SELECT DISTINCT plan_code FROM tenants") == Lines{"free"});
  CHECK(tenant->query("SELECT id || ' ' || storage_location FROM files ORDER BY id") ==
        Lines{"10 disk:/a/10", "11 disk:/a/11", "12 disk:/a/12", "20 disk:/w/20", "21 disk:/w/21"});
  CHECK(tenant->query("SELECT extraction_type || ' ' || error_code || ' ' || failures"
                      "  FROM extraction_failures") == Lines{"preview unknown 1"});
}

TEST_CASE("two schemas of one database do not mix", "[migrations]") {
  if (!PgCluster::available()) {
    WARN("no PostgreSQL server here");
    return;
  }
  PgCluster& cluster = shared_cluster();
  cluster.create_database("two_schemas");
  const std::string conninfo = cluster.conninfo("two_schemas");
  const auto one = plain_postgres_tenant(conninfo, "public");
  const auto other = plain_postgres_tenant(conninfo, kHostileSchema);
  for (const Migration& migration : example_history().in_order()) {
    one->up(migration);
    other->up(migration);
  }
  CHECK(difference(one->schema(), other->schema()) == Lines{});

  // A session that looks into `public` first changes a file of the other schema.
  const std::string table = drover::engine::quoted_identifier(kHostileSchema);
  other->execute("INSERT INTO tenants (id, code, name) VALUES (1, 'acme', 'Acme')");
  other->execute(
      "INSERT INTO files (id, tenant_id, tenant_code, original_filename, file_path, file_size,"
      "                   storage_location)"
      " VALUES (10, 1, 'acme', 'a.pdf', '/a/10', 1, 'disk:/a/10')");
  one->execute("UPDATE " + table + ".files SET status = 'completed'");
  CHECK(other->query("SELECT file_id FROM file_events") == Lines{"10"});
  CHECK(one->query("SELECT file_id FROM file_events") == Lines{});

  const Lines untouched = one->schema();
  const auto& history = example_history().in_order();
  std::for_each(
      history.rbegin(), history.rend(), [&](const Migration& revision) { other->down(revision); });
  CHECK(other->schema() == Lines{});
  CHECK(difference(untouched, one->schema()) == Lines{});
}
