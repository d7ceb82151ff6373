#include "orchestrator/backup/database_restore.h"

#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/tenant_lock.h"
#include "tests/orchestrator/backup/restore_bench.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::engine::TenantFault;

namespace {

constexpr const char* kFiles = "SELECT count(*) FROM public.files";

void damage(RestoreBench& bench) {
  bench.execute("DELETE FROM public.files WHERE id > 40; DROP TABLE public.empty");
}

/// Databases of the tenant, with a star where they are closed.
std::string databases(const RestoreBench& bench) {
  std::string names;
  for (const auto& row : bench.cluster.execute(
           "postgres",
           fmt::format("SELECT datname || CASE WHEN datallowconn THEN '' ELSE '*' END "
                       "FROM pg_database WHERE datname LIKE '{}%' ORDER BY 1",
                       bench.name))) {
    names += (names.empty() ? "" : " ") + row.at(0).value_or("");
  }
  return names;
}

}  // namespace

TEST_CASE("a restored database takes the place of the live one, which is kept closed") {
  for (const std::string role : {"", "keeper"}) {
    RestoreBench bench("rst_a", role);
    const Backup saved = bench.save();
    damage(bench);
    CopySource source(bench.means, saved.handle);
    CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
    CHECK(bench.value(kFiles) == "100");
    CHECK(databases(bench) == "rst_a rst_a_before_4f2a9c* rst_a_copy_saved*");
    CHECK(bench.steps == std::vector<std::string>{
                             "creating database rst_a_restore_4f2a9c",
                             "restoring backup 20261122T221403-saved into rst_a_restore_4f2a9c",
                             "checking 6 tables",
                             "carrying over the properties of rst_a",
                             "naming it rst_a_restored_4f2a9c, for all holds",
                             "swap: closing rst_a",
                             "swap: closing rst_a_restored_4f2a9c",
                             "swap: ending the sessions of rst_a",
                             "swap: renaming rst_a_restored_4f2a9c to rst_a"});
    bench.steps.clear();
    CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
    CHECK(bench.steps.empty());
  }
}

TEST_CASE("everything about a database that is not in it is carried over") {
  RestoreBench bench("rst_p");
  bench.cluster.execute("postgres", R"(DO $$ BEGIN
    CREATE ROLE rst_app; CREATE ROLE rst_boss; CREATE ROLE rst_clerk;
    EXCEPTION WHEN duplicate_object THEN NULL; END $$)");
  bench.cluster.execute("postgres", "ALTER DATABASE rst_p OWNER TO rst_boss");
  bench.cluster.execute("postgres", "REVOKE ALL ON DATABASE rst_p FROM PUBLIC");
  bench.cluster.execute("postgres", "GRANT CONNECT ON DATABASE rst_p TO rst_app WITH GRANT OPTION");
  bench.cluster.execute(
      "postgres", "SET ROLE rst_app; GRANT CONNECT ON DATABASE rst_p TO rst_clerk; RESET ROLE");
  bench.cluster.execute("postgres",
                        R"(ALTER DATABASE rst_p SET search_path TO "$user", "we ird", public)");
  bench.cluster.execute("postgres", "ALTER DATABASE rst_p SET app.tenant TO 'it''s \\ mine'");
  bench.cluster.execute("postgres", "ALTER ROLE rst_app IN DATABASE rst_p SET work_mem TO '8192'");
  bench.cluster.execute("postgres", "ALTER DATABASE rst_p CONNECTION LIMIT 7");
  bench.cluster.execute("postgres", "COMMENT ON DATABASE rst_p IS 'the ''first'' one'");
  bench.cluster.execute("postgres", "ALTER DATABASE rst_p IS_TEMPLATE true");
  const std::string question = R"(SELECT ROW(pg_get_userbyid(datdba),
      (SELECT array_agg(a ORDER BY a::text) FROM unnest(datacl) a)::text, datconnlimit,
      datistemplate, datcollate, encoding, dattablespace, shobj_description(oid, 'pg_database'),
      (SELECT array_agg(ROW(setrole, c)::text ORDER BY setrole, c)
         FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = d.oid))::text
      FROM pg_database d WHERE datname = 'rst_p')";
  const std::string before = bench.cluster.value("postgres", question);
  const std::string id = "SELECT oid FROM pg_database WHERE datname = 'rst_p'";
  const std::string oid = bench.cluster.value("postgres", id);
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
  CHECK(bench.cluster.value("postgres", id) != oid);
  CHECK(bench.cluster.value("postgres", question) == before);
}

TEST_CASE("a restore that is killed before any step is finished by the next call") {
  for (int step = 0; step < 9; ++step) {
    RestoreBench bench("rst_k");
    const Backup saved = bench.save();
    damage(bench);
    CopySource source(bench.means, saved.handle);
    const RestoreMeans killed = bench.killed_at(step);
    INFO("killed at step " << step);
    CHECK_THROWS_AS(restore_database(bench.request(saved, source), killed, {}), Killed);
    CHECK(unfinished_restores(bench.tenant, bench.means, {}).marks ==
          (step == 0 ? std::vector<std::string>() : std::vector<std::string>{"4f2a9c"}));
    CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
    CHECK(bench.value(kFiles) == "100");
    CHECK(databases(bench) == "rst_k rst_k_before_4f2a9c* rst_k_copy_saved*");
    CHECK(unfinished_restores(bench.tenant, bench.means, {}).marks.empty());
  }
}

TEST_CASE("content that is not what was saved never becomes live") {
  RestoreBench bench("rst_d");
  const Backup saved = bench.save();
  const std::string nothing =
      " Verify the backup, and take another one of this tenant. Nothing live was touched, and "
      "database 'rst_d_restore_4f2a9c' is dropped.";
  const std::string start =
      "restore_not_proven: what was restored from backup '20261122T221403-saved' is not what was "
      "saved: ";
  const std::map<std::string, std::string> cases = {
      {"DELETE FROM public.files WHERE id = 7", "table 'public.files' has 99 rows, and had 100."},
      {"UPDATE public.files SET name = 'x' WHERE id = 7", "rows of table 'public.files' differ."},
      {"DROP TABLE public.empty", "table 'public.empty' is missing."},
      {"CREATE TABLE public.more ()", "table 'public.more' was not there."},
      {"DROP TABLE public.drover_tenant CASCADE", "it has no history."},
      {"DELETE FROM public.drover_revisions", "its history lacks revision '0001'."}};
  for (const auto& [sql, words] : cases) {
    DamagedSource source(bench, saved.handle, sql);
    CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
          start + words + nothing);
    CHECK(databases(bench) == "rst_d rst_d_copy_saved*");
  }
  DamagedSource source(bench, saved.handle, "UPDATE public.drover_tenant SET uid = 'another'");
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
        start + "its history is that of uid 'another', not of '" + bench.uid + "'." + nothing);
  Backup forged = saved;
  forged.tables.front().rows += 1;
  CopySource sound(bench.means, saved.handle);
  CHECK(
      words_of(restore_database(bench.request(forged, sound), bench.means, {})).starts_with(start));
}

TEST_CASE("a backup of somebody or something else is refused before anything is made") {
  RestoreBench bench("rst_w");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  const auto refusal = [&](const Backup& backup) {
    const std::string words =
        words_of(restore_database(bench.request(backup, source), bench.means, {}));
    CHECK(databases(bench) == "rst_w rst_w_copy_saved*");
    return words;
  };
  const std::string start = "restore_refused: backup '20261122T221403-saved' is of ";
  const std::string end = ". Choose a backup of this tenant.";
  Backup other = saved;
  other.tenant = {"rst_v"};
  CHECK(refusal(other) == start + "tenant 'rst_v', not of 'rst_w'" + end);
  other = saved;
  other.environment = "staging";
  CHECK(refusal(other) == start + "environment 'staging', not of 'prod'" + end);
  other = saved;
  other.uid = "another";
  CHECK(refusal(other) == start + "the tenant with uid 'another', and tenant 'rst_w' has uid '" +
                              bench.uid + "'" + end);
  bench.uid.clear();  // the caller does not know it; the live history does
  CHECK(
      refusal(other).starts_with(start + "the tenant with uid 'another', and tenant 'rst_w' has"));
  other = saved;
  other.schema = "t_7";
  CHECK(refusal(other) == start + "schema 't_7', not of all of a database" + end);
  other = saved;
  other.uid.clear();
  other.server = "db9:5432";
  CHECK(refusal(other) == start +
                              "database 'rst_w' on db9:5432, without a history that tells "
                              "whose it is" +
                              end);
  CHECK(words_of(restore_database(bench.request(saved, source, "no good"), bench.means, {})) ==
        "restore_refused: 'no good' cannot be the mark of a restore. Use 1 to 12 of a-z, 0-9 and "
        "'-'.");
}

TEST_CASE("what holds a database by more than its name refuses the swap") {
  RestoreBench bench("rst_s");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  const auto refusal = [&] {
    return words_of(restore_database(bench.request(saved, source), bench.means, {}));
  };
  const std::string start =
      "restore_refused: database 'rst_s' cannot be moved or copied while it has ";
  const std::string end = ". Drop what is named, or let it come to its end, and try again.";
  bench.execute("CREATE PUBLICATION news FOR TABLE public.files");
  CHECK(refusal() == start + "publication 'news'" + end);
  bench.execute("DROP PUBLICATION news");
  bench.execute(
      "CREATE SUBSCRIPTION paper CONNECTION 'dbname=x' PUBLICATION y "
      "WITH (connect = false, slot_name = NONE)");
  CHECK(refusal() == start + "subscription 'paper'" + end);
  bench.execute("DROP SUBSCRIPTION paper");
  CHECK(databases(bench) == "rst_s rst_s_copy_saved*");
  CHECK(refusal() == "");
}

TEST_CASE("replication slots and prepared transactions refuse the swap") {
  drover::test::PgClusterOptions options;
  options.settings = {"wal_level=logical", "max_prepared_transactions=5"};
  drover::test::PgCluster cluster(options);
  RestoreBench bench("rst_r", "", cluster);
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  bench.execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')");
  bench.execute("BEGIN; DELETE FROM files; PREPARE TRANSACTION 'half done'");
  CHECK(
      words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
      "restore_refused: database 'rst_r' cannot be moved or copied while it has prepared "
      "transaction 'half done', replication slot 'feed'. Drop what is named, or let it come to its "
      "end, and try again.");
  CHECK(databases(bench) == "rst_r rst_r_copy_saved*");
  bench.execute("ROLLBACK PREPARED 'half done'");
  bench.execute("SELECT pg_drop_replication_slot('feed')");
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
}

TEST_CASE("sessions are ended for the swap, and one that may not be ended refuses it") {
  RestoreBench bench("rst_e", "keeper");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  const drover::engine::Target super = bench.cluster.target("rst_e");
  auto user = bench.sessions.open(bench.tenant.target, {}, {});
  {
    auto root = bench.sessions.open(super, {}, {});
    CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
          fmt::format("restore_refused: our role may not end a session of database 'rst_e': pid {} "
                      "(application drover, user postgres). End them, or grant our role "
                      "pg_signal_backend (only a superuser ends a superuser's session), and try "
                      "again.",
                      root.session->info().backend_pid));
    CHECK(databases(bench) == "rst_e rst_e_copy_saved*");
  }
  while (bench.cluster.value("postgres",
                             "SELECT count(*) FROM pg_stat_activity WHERE datname = 'rst_e' AND "
                             "usename = 'postgres'") != "0") {
  }
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
  const drover::engine::Statement ask{"SELECT 1"};
  CHECK_FALSE(user.session->exchange(std::span(&ask, 1), {}).ok());
}

TEST_CASE("a swap that fails puts the live database back, open and under its name") {
  RestoreBench bench("rst_f");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  RestoreMeans means = bench.means;
  means.sessions_wait = drover::engine::Milliseconds(200);
  means.on_step = [&](std::string_view step) {
    if (step == "swap: renaming rst_f_restored_4f2a9c to rst_f") {
      bench.cluster.create_database("rst_f_before_4f2a9c");
    }
  };
  CHECK(words_of(restore_database(bench.request(saved, source), means, {})) ==
        "restore_failed: renaming database 'rst_f_restored_4f2a9c' to 'rst_f' failed: database "
        "\"rst_f_before_4f2a9c\" already exists. Look at what the server says. Database 'rst_f' is "
        "as it was. The restored one is 'rst_f_restored_4f2a9c'.");
  CHECK(databases(bench) == "rst_f rst_f_before_4f2a9c rst_f_copy_saved* rst_f_restored_4f2a9c*");
}

TEST_CASE("what only hands can have made is put right where that is safe, else refused") {
  RestoreBench bench("rst_m");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  const RestoreMeans killed = bench.killed_at(8);
  CHECK_THROWS_AS(restore_database(bench.request(saved, source), killed, {}), Killed);
  CHECK(databases(bench) == "rst_m* rst_m_copy_saved* rst_m_restored_4f2a9c*");
  bench.cluster.execute("postgres", "ALTER DATABASE rst_m RENAME TO rst_m_before_4f2a9c");
  bench.cluster.create_database("rst_m");
  CHECK(
      words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
      "restore_refused: database 'rst_m' was made by somebody while its old one is called "
      "'rst_m_before_4f2a9c'. Take it away, or rename it; then call again. Database 'rst_m' is as "
      "it was. The restored one is 'rst_m_restored_4f2a9c'.");
  bench.cluster.execute("postgres", "DROP DATABASE rst_m");
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
  CHECK(bench.value(kFiles) == "100");
  CHECK(databases(bench) == "rst_m rst_m_before_4f2a9c* rst_m_copy_saved*");
  bench.cluster.execute("postgres", "ALTER DATABASE rst_m RENAME TO rst_m_elsewhere");
  CHECK(
      words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
      "restore_refused: there is no database 'rst_m' and none to put in its place. The old one is "
      "'rst_m_before_4f2a9c'; rename it back.");
}

TEST_CASE("databases that only look like ours are neither dropped nor put in place") {
  for (const std::string infix : {"restore", "restored", "before"}) {
    RestoreBench bench("rst_x");
    const Backup saved = bench.save();
    CopySource source(bench.means, saved.handle);
    const std::string name = fmt::format("rst_x_{}_4f2a9c", infix);
    bench.cluster.create_database(name);
    const std::string words =
        words_of(restore_database(bench.request(saved, source), bench.means, {}));
    CHECK(words.starts_with(fmt::format(
        "restore_refused: database '{}' is in the way, and its comment does not say that it is of "
        "restore 4f2a9c. See whose it is; rename or drop it, or use another mark.",
        name)));
    CHECK(bench.exists(name));
    CHECK(bench.is_open("rst_x"));
  }
}

TEST_CASE("a restore that was cut short can be taken back") {
  for (const int step : {0, 1, 5, 8}) {
    RestoreBench bench("rst_q");
    const Backup saved = bench.save();
    CopySource source(bench.means, saved.handle);
    INFO("killed at step " << step);
    CHECK_THROWS_AS(restore_database(bench.request(saved, source), bench.killed_at(step), {}),
                    Killed);
    CHECK(words_of(abandon_restore(bench.tenant, "4f2a9c", bench.means, {})) == "");
    CHECK(databases(bench) == "rst_q rst_q_copy_saved*");
  }
}

TEST_CASE("a session that is lost while others restore is made again, with its lock") {
  RestoreBench bench("rst_h");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  RestoreMeans means = bench.means;
  means.on_step = [&](std::string_view step) {
    if (step.starts_with("naming it")) {
      bench.cluster.execute("postgres",
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE datname = 'rst_h'");
    }
  };
  CHECK(words_of(restore_database(bench.request(saved, source), means, {})) == "");
  CHECK(databases(bench) == "rst_h rst_h_before_4f2a9c* rst_h_copy_saved*");
}

TEST_CASE("a database that is gone altogether is made anew") {
  RestoreBench bench("rst_l");
  const Backup saved = bench.save();
  bench.cluster.execute("postgres", "DROP DATABASE rst_l");
  CopySource source(bench.means, saved.handle);
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
  CHECK(bench.value(kFiles) == "100");
  CHECK(databases(bench) == "rst_l rst_l_copy_saved*");
}

TEST_CASE("a server session that is ended within the swap leaves the live database open") {
  for (const std::string at :
       {"closing rst_z", "closing rst_z_restored_4f2a9c", "ending", "renaming"}) {
    RestoreBench bench("rst_z");
    const Backup saved = bench.save();
    CopySource source(bench.means, saved.handle);
    RestoreMeans means = bench.means;
    bool ended = false;
    means.on_step = [&](std::string_view step) {
      if (step.starts_with("swap: " + at) && !ended) {
        ended = true;
        bench.cluster.execute("postgres",
                              "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                              "WHERE datname = 'postgres' AND application_name = 'drover'");
      }
    };
    INFO("ended before " << at);
    const auto fault = restore_database(bench.request(saved, source), means, {});
    REQUIRE(fault);
    CHECK(fault->kind == "session_terminated");
    CHECK(fault->hint ==
          "Find out who ended the session. Database 'rst_z' is as it was. The restored one is "
          "'rst_z_restored_4f2a9c'.");
    CHECK(bench.is_open("rst_z"));
    CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) == "");
    CHECK(databases(bench) == "rst_z rst_z_before_4f2a9c* rst_z_copy_saved*");
  }
}

TEST_CASE("a tenant whose lock is held is not restored") {
  RestoreBench bench("rst_o");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  auto other = bench.sessions.open(bench.tenant.target, {}, {});
  const std::string sql = fmt::format("SELECT pg_advisory_lock({})",
                                      drover::engine::tenant_lock_key("rst_o", "public"));
  const drover::engine::Statement lock{sql};
  REQUIRE(other.session->exchange(std::span(&lock, 1), {}).ok());
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
        fmt::format("lock_held: the lock of tenant 'rst_o' is held by pid {}. Wait until whoever "
                    "works on it is done, and try again.",
                    other.session->info().backend_pid));
}

TEST_CASE("a database that somebody closed stays closed") {
  RestoreBench bench("rst_c");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  bench.cluster.execute("postgres", "ALTER DATABASE rst_c ALLOW_CONNECTIONS false");
  CHECK(words_of(restore_database(bench.request(saved, source), bench.means, {})) ==
        "restore_refused: database 'rst_c' takes no connections, and was not closed by a restore. "
        "See who closed it; then ALTER DATABASE \"rst_c\" ALLOW_CONNECTIONS true.");
  CHECK(databases(bench) == "rst_c* rst_c_copy_saved*");
}

TEST_CASE("names that would be cut by the server stay two names") {
  const std::string one(60, 'a');
  const std::string kept = old_database_name(one, "4f2a9c");
  CHECK(kept.size() <= 63);
  CHECK(kept.starts_with(std::string(32, 'a') + "_"));
  CHECK(kept.ends_with("_before_4f2a9c"));
  CHECK(kept != old_database_name(one + "b", "4f2a9c"));
  CHECK(old_database_name("acme", "4f2a9c") == "acme_before_4f2a9c");
  CHECK(old_database_name(std::string(31, 'a') + std::string(10, '\xC3') + "x", "1")
            .starts_with(std::string(31, 'a')));
}

TEST_CASE("a drill proves a backup in a database that it throws away") {
  RestoreBench bench("rst_t");
  const Backup saved = bench.save();
  CopySource source(bench.means, saved.handle);
  const DrillResult good = restore_into_throw_away(bench.request(saved, source), bench.means, {});
  CHECK(words_of(good.fault) == "");
  CHECK(good.tables == 6);
  CHECK(good.rows >= 102);
  CHECK(databases(bench) == "rst_t rst_t_copy_saved*");
  DamagedSource bad(bench, saved.handle, "DELETE FROM public.files WHERE id = 7");
  CHECK(words_of(restore_into_throw_away(bench.request(saved, bad), bench.means, {}).fault) ==
        "restore_not_proven: what was restored from backup '20261122T221403-saved' is not what was "
        "saved: table 'public.files' has 99 rows, and had 100. Verify the backup, and take another "
        "one of this tenant. Nothing was put back, and database 'rst_t_drill_4f2a9c' is dropped.");
  CHECK(databases(bench) == "rst_t rst_t_copy_saved*");
}
