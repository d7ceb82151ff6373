#include "orchestrator/backup/template_copy.h"

#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/orchestrator/backup/restore_bench.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::engine::TenantFault;

namespace {

std::string words_of_copy(const std::variant<TemplateCopy, TenantFault>& made) {
  const auto* const fault = std::get_if<TenantFault>(&made);
  return fault == nullptr ? "" : words_of(*fault);
}

std::variant<TemplateCopy, TenantFault> copy_of(RestoreBench& bench, const RestoreMeans& means) {
  const BackupSubject subject{bench.tenant, Extent::whole, bench.uid, {{"0001"}}, 1, "prod", ""};
  return make_template_copy(subject, "4f2a9c", means, {});
}

}  // namespace

TEST_CASE("a template copy holds every row, closed, and the tenant is open again") {
  for (const std::string role : {"", "keeper"}) {
    RestoreBench bench("tpl_a", role);
    bench.execute("COMMENT ON DATABASE tpl_a IS 'the first one'");
    const auto made = copy_of(bench, bench.means);
    REQUIRE(words_of_copy(made) == "");
    const auto& copy = std::get<TemplateCopy>(made);
    CHECK(copy.database == "tpl_a_copy_4f2a9c");
    CHECK(copy.tables.size() == 6);
    CHECK(bench.steps == std::vector<std::string>{"closing tpl_a",
                                                  "summing up the tables of tpl_a",
                                                  "copying tpl_a to tpl_a_copy_4f2a9c",
                                                  "opening tpl_a",
                                                  "summing up the tables of tpl_a_copy_4f2a9c"});
    CHECK(bench.is_open("tpl_a"));
    CHECK_FALSE(bench.is_open("tpl_a_copy_4f2a9c"));
    CHECK(bench.value("SELECT shobj_description(oid, 'pg_database') FROM pg_database "
                      "WHERE datname = 'tpl_a'") == "the first one");
    CHECK(words_of(remove_template_copy(bench.tenant, copy.database, bench.means, {})) == "");
    CHECK_FALSE(bench.exists("tpl_a_copy_4f2a9c"));
  }
}

TEST_CASE("every kind of content counts in the sums of a copy") {
  RestoreBench bench("tpl_k");
  bench.execute(R"(
    CREATE SCHEMA "we ird";
    CREATE TABLE "we ird"."odd ""name" (of_row text, t timestamptz, d double precision, b bytea);
    INSERT INTO "we ird"."odd ""name" VALUES ('x', now(), 0.1, '\x00ff'), (NULL, NULL, 'NaN', NULL);
    CREATE TABLE parts (id int) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    INSERT INTO parts VALUES (1), (1);
    CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent);
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
    CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM public.files;
    CREATE UNLOGGED TABLE quick AS SELECT 1 AS id;
    CREATE SEQUENCE numbers; SELECT nextval('numbers');
    SELECT lo_from_bytea(4711, '\x010203');)");
  const auto made = copy_of(bench, bench.means);
  REQUIRE(words_of_copy(made) == "");
  std::string tables;
  for (const auto& table : std::get<TemplateCopy>(made).tables) {
    tables += fmt::format("{} {}\n", table.table, table.rows);
  }
  CHECK(tables ==
        "public.child 1\npublic.drover_events 1\npublic.drover_revisions 1\n"
        "public.drover_steps 0\npublic.drover_tenant 1\npublic.empty 0\npublic.files 100\n"
        "public.numbers 1\npublic.parent 1\npublic.parts_1 2\npublic.quick 1\npublic.seen 1\n"
        "we ird.odd \"name 2\npg_catalog.pg_largeobject 1\n");
}

TEST_CASE("sums that the server makes are those of our own adding") {
  RestoreBench bench("tpl_s");
  bench.execute("CREATE TABLE words (word text); INSERT INTO words VALUES ('a'), ('b b'), ('')");
  CopySource source(bench.means, "");
  drover::engine::RowSum sum;
  for (const char* const row : {"(a)", "(\"b b\")", "(\"\")"}) {
    sum.add(row);
  }
  bool found = false;
  for (const auto& table : source.read(bench.tenant.target, Extent::whole, {}).tables) {
    if (table.table == "public.words") {
      found = true;
      CHECK(table == sum.digest_of("public.words"));
    }
  }
  CHECK(found);
}

TEST_CASE("a copy that was changed while it was made is found and dropped") {
  RestoreBench bench("tpl_c");
  RestoreMeans means = bench.means;
  means.on_step = [&](std::string_view step) {
    if (step == "summing up the tables of tpl_c_copy_4f2a9c") {
      bench.cluster.execute("tpl_c_copy_4f2a9c", "UPDATE public.files SET name = '' WHERE id = 3");
    }
  };
  CHECK(
      words_of_copy(copy_of(bench, means)) ==
      "backup_not_proven: database 'tpl_c_copy_4f2a9c' is not a copy of 'tpl_c': rows of table "
      "'public.files' differ. See who changed it while it was made, and back the tenant up again.");
  CHECK(bench.is_open("tpl_c"));
  CHECK_FALSE(bench.exists("tpl_c_copy_4f2a9c"));
}

TEST_CASE("users are disconnected for a copy and may come back after it") {
  RestoreBench bench("tpl_u");
  auto user = bench.sessions.open(bench.tenant.target, {}, {});
  RestoreMeans means = bench.means;
  std::vector<std::string> refused;
  means.on_step = [&](std::string_view step) {
    if (auto opened = bench.sessions.open(bench.tenant.target, {}, {}); opened.error) {
      refused.emplace_back(step);
    }
  };
  CHECK(words_of_copy(copy_of(bench, means)) == "");
  CHECK(refused == std::vector<std::string>{"summing up the tables of tpl_u",
                                            "copying tpl_u to tpl_u_copy_4f2a9c",
                                            "opening tpl_u"});
  const drover::engine::Statement ask{"SELECT 1"};
  CHECK_FALSE(user.session->exchange(std::span(&ask, 1), {}).ok());
  CHECK(bench.sessions.open(bench.tenant.target, {}, {}).session != nullptr);
}

TEST_CASE("a database that a dead process left closed is opened by whoever comes next") {
  for (int step = 0; step < 5; ++step) {
    RestoreBench bench("tpl_d");
    INFO("killed at step " << step);
    CHECK_THROWS_AS(copy_of(bench, bench.killed_at(step)), Killed);
    CHECK(bench.is_open("tpl_d") == (step == 0 || step == 4));
    CHECK(words_of(open_if_left_closed(bench.tenant, bench.means, {})) == "");
    CHECK(bench.is_open("tpl_d"));
    CHECK(words_of_copy(copy_of(bench, bench.means)) == "");
    CHECK(bench.is_open("tpl_d"));
    CHECK_FALSE(bench.is_open("tpl_d_copy_4f2a9c"));
  }
}

TEST_CASE("a copy that fails opens the database again and drops nothing of others") {
  RestoreBench bench("tpl_f");
  RestoreMeans means = bench.means;
  means.on_step = [&](std::string_view step) {
    if (step == "copying tpl_f to tpl_f_copy_4f2a9c") {
      bench.cluster.create_database("tpl_f_copy_4f2a9c");
    }
  };
  CHECK(words_of_copy(copy_of(bench, means)) ==
        "backup_failed: copying database 'tpl_f' to 'tpl_f_copy_4f2a9c' failed: database "
        "\"tpl_f_copy_4f2a9c\" already exists. Look at what the server says. Database "
        "'tpl_f_copy_4f2a9c' may be left (database 'tpl_f_copy_4f2a9c' is in the way, and its "
        "comment does not say that it is of copy 4f2a9c).");
  CHECK(bench.is_open("tpl_f"));
  CHECK(bench.exists("tpl_f_copy_4f2a9c"));
}

TEST_CASE("a copy is refused of what it cannot be made of, and nobody is disconnected") {
  RestoreBench bench("tpl_r");
  auto user = bench.sessions.open(bench.tenant.target, {}, {});
  bench.execute(
      "CREATE SUBSCRIPTION paper CONNECTION 'dbname=x' PUBLICATION y "
      "WITH (connect = false, slot_name = NONE)");
  CHECK(words_of_copy(copy_of(bench, bench.means)) ==
        "backup_refused: database 'tpl_r' cannot be moved or copied while it has subscription "
        "'paper'. Drop what is named, or let it come to its end, and try again.");
  bench.execute("DROP SUBSCRIPTION paper");
  const std::string uid = bench.uid;
  bench.uid = "another";
  CHECK(words_of_copy(copy_of(bench, bench.means)) ==
        "backup_of_another_tenant: the history in database 'tpl_r' is not that of uid 'another'. "
        "Check the tenant's target.");
  bench.uid = uid;
  const drover::engine::Statement ask{"SELECT 1"};
  CHECK(user.session->exchange(std::span(&ask, 1), {}).ok());
  bench.cluster.execute("postgres", "ALTER DATABASE tpl_r ALLOW_CONNECTIONS false");
  CHECK(words_of_copy(copy_of(bench, bench.means)) ==
        "backup_refused: database 'tpl_r' takes no connections, and was not closed by us. See who "
        "closed it; then ALTER DATABASE \"tpl_r\" ALLOW_CONNECTIONS true.");
  CHECK(words_of(remove_template_copy(bench.tenant, "postgres", bench.means, {})) ==
        "backup_refused: database 'postgres' is not a copy of 'tpl_r'. Check the manifest of the "
        "backup.");
}
