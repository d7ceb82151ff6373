#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/parse/migration_files.h"

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace drover::engine::parse {

TEST_CASE("a batch that could not run is refused", "[engine][parse]") {
  check_refused("missing_batch_key",
                "Add table=NAME to its directive.",
                {
                    {"no table", batch("target=1s"), "3:18", "the batch does not name its table"},
                    {"no keys at all",
                     kHeader + "-- drover: batch\nUPDATE t SET a = 1 WHERE {range};\n" + kDown,
                     "3:17",
                     "the batch does not name its table"},
                });
  check_refused("unknown_batch_key",
                "Did you mean 'workers'?",
                {
                    {"a mistyped key",
                     batch("table=t worker=2"),
                     "3:26",
                     "'worker=2' is not a key of a batch"},
                });
  check_refused("unknown_batch_key",
                "Use table, key, scan, target, rows, wal, workers, order, vacuum, sync_commit, "
                "on_poison, check, mode or trigger.",
                {
                    {"a key far from any",
                     batch("table=t throughput=2"),
                     "3:26",
                     "'throughput=2' is not a key of a batch"},
                    {"a dialect behind a key",
                     batch("table=t postgres"),
                     "3:26",
                     "'postgres' is not a key of a batch"},
                });
  check_refused("unknown_batch_key",
                "Write it as 'workers=VALUE'.",
                {
                    {"a word that is no key",
                     batch("table=t workers"),
                     "3:26",
                     "'workers' is not a key of a batch"},
                });
  check_refused("duplicate_batch_key",
                "Keep one of the two.",
                {
                    {"a key twice",
                     batch("table=t rows=1..2 rows=1..3"),
                     "3:36",
                     "the batch says 'rows' twice"},
                });
  check_refused(
      "bad_batch_value",
      "Give it the name of one table, as in table=app.files.",
      {
          {"table=1t", batch("table=1t"), "3:24", "table is '1t', which it cannot be"},
          {"table=a.b.c", batch("table=a.b.c"), "3:24", "table is 'a.b.c', which it cannot be"},
          {"table=", batch("table="), "3:24", "table is '', which it cannot be"},
          {"table=\"a", batch("table=\"a"), "3:24", "table is '\"a', which it cannot be"},
      });
  check_refused(
      "bad_batch_value",
      "Give it columns with commas between them, as in key=a,b.",
      {
          {"table=t key=a,", batch("table=t key=a,"), "3:30", "key is 'a,', which it cannot be"},
      });
  check_refused("bad_batch_value",
                "Give it heap.",
                {
                    {"table=t scan=index",
                     batch("table=t scan=index"),
                     "3:31",
                     "scan is 'index', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it a duration from 1ms to 5min, as in target=500ms.",
                {
                    {"table=t target=500",
                     batch("table=t target=500"),
                     "3:33",
                     "target is '500', which it cannot be"},
                    {"table=t target=0ms",
                     batch("table=t target=0ms"),
                     "3:33",
                     "target is '0ms', which it cannot be"},
                    {"table=t target=6min",
                     batch("table=t target=6min"),
                     "3:33",
                     "target is '6min', which it cannot be"},
                });
  check_refused(
      "bad_batch_value",
      "Give it two numbers from 1 to 1000000, as in rows=50..50000.",
      {
          {"table=t rows=50", batch("table=t rows=50"), "3:31", "rows is '50', which it cannot be"},
          {"table=t rows=0..5",
           batch("table=t rows=0..5"),
           "3:31",
           "rows is '0..5', which it cannot be"},
          {"table=t rows=9..5",
           batch("table=t rows=9..5"),
           "3:31",
           "rows is '9..5', which it cannot be"},
          {"table=t rows=1..1000001",
           batch("table=t rows=1..1000001"),
           "3:31",
           "rows is '1..1000001', which it cannot be"},
      });
  check_refused(
      "bad_batch_value",
      "Give it a size from 64kB to 16GB, as in wal=16MB.",
      {
          {"table=t wal=16", batch("table=t wal=16"), "3:30", "wal is '16', which it cannot be"},
          {"table=t wal=16mb",
           batch("table=t wal=16mb"),
           "3:30",
           "wal is '16mb', which it cannot be"},
          {"table=t wal=1kB", batch("table=t wal=1kB"), "3:30", "wal is '1kB', which it cannot be"},
          {"table=t wal=99GB",
           batch("table=t wal=99GB"),
           "3:30",
           "wal is '99GB', which it cannot be"},
      });
  check_refused("bad_batch_value",
                "Give it a number from 1 to 64.",
                {
                    {"table=t workers=0",
                     batch("table=t workers=0"),
                     "3:34",
                     "workers is '0', which it cannot be"},
                    {"table=t workers=65",
                     batch("table=t workers=65"),
                     "3:34",
                     "workers is '65', which it cannot be"},
                    {"table=t workers=-1",
                     batch("table=t workers=-1"),
                     "3:34",
                     "workers is '-1', which it cannot be"},
                    {"table=t workers=auto",
                     batch("table=t workers=auto"),
                     "3:34",
                     "workers is 'auto', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it asc or desc.",
                {
                    {"table=t order=up",
                     batch("table=t order=up"),
                     "3:32",
                     "order is 'up', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it a share from 1% to 100%, as in vacuum=20%.",
                {
                    {"table=t vacuum=20",
                     batch("table=t vacuum=20"),
                     "3:33",
                     "vacuum is '20', which it cannot be"},
                    {"table=t vacuum=0%",
                     batch("table=t vacuum=0%"),
                     "3:33",
                     "vacuum is '0%', which it cannot be"},
                    {"table=t vacuum=101%",
                     batch("table=t vacuum=101%"),
                     "3:33",
                     "vacuum is '101%', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it on or off.",
                {
                    {"table=t sync_commit=true",
                     batch("table=t sync_commit=true"),
                     "3:38",
                     "sync_commit is 'true', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it stop or park.",
                {
                    {"table=t on_poison=skip",
                     batch("table=t on_poison=skip"),
                     "3:36",
                     "on_poison is 'skip', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it count, checksum or none.",
                {
                    {"table=t check=md5",
                     batch("table=t check=md5"),
                     "3:32",
                     "check is 'md5', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it wait or background.",
                {
                    {"table=t mode=now",
                     batch("table=t mode=now"),
                     "3:31",
                     "mode is 'now', which it cannot be"},
                });
  check_refused("bad_batch_value",
                "Give it none or sync.",
                {
                    {"table=t trigger=async",
                     batch("table=t trigger=async"),
                     "3:34",
                     "trigger is 'async', which it cannot be"},
                });
  check_refused(
      "bad_batch_value",
      "Keep one of the two.",
      {
          {"a heap scan with a key",
           batch("table=t scan=heap key=a", "UPDATE t SET b = 1 WHERE {range};", " postgres"),
           "3:1",
           "scan=heap goes without a key, and key is given"},
      });
  check_refused("bad_batch_value",
                "Add a line '-- drover: done EXPR'.",
                {
                    {"a heap scan without done",
                     batch("table=t scan=heap", "UPDATE t SET a = 1 WHERE {range};", " postgres"),
                     "3:1",
                     "scan=heap needs to know which rows are done"},
                    {"a trigger without done",
                     batch("table=t trigger=sync"),
                     "3:1",
                     "trigger=sync needs to know which rows are done"},
                });
  check_refused("bad_batch_value",
                "Leave out the statement's RETURNING.",
                {
                    {"a trigger whose statement returns something",
                     batch("table=t trigger=sync",
                           "-- drover: done a = 1\nUPDATE t SET a = 1 WHERE {range} RETURNING a;"),
                     "3:1",
                     "trigger=sync makes a trigger of the statement, in which nothing can be "
                     "returned"},
                });
  check_refused(
      "bad_batch_value",
      "Call the table by its own name, or write 'batch postgres'.",
      {
          {"a trigger whose statement has an alias, on SQLite",
           batch("table=t trigger=sync",
                 "-- drover: done a = 1\nUPDATE t AS x SET a = 1 WHERE {range};"),
           "3:1",
           "trigger=sync makes a trigger of the statement, in which SQLite knows no alias "
           "of a table that is changed"},
      });
  check_refused("bad_batch_value",
                "Leave out order=desc.",
                {
                    {"a heap scan downwards",
                     batch("table=t scan=heap order=desc",
                           "-- drover: done a IS NOT NULL\nUPDATE t SET a = 1 WHERE {range};",
                           " postgres"),
                     "3:1",
                     "scan=heap has no order of its own"},
                });
  check_refused("bad_batch_value",
                "Write 'batch postgres', or name a key instead.",
                {
                    {"a heap scan for SQLite",
                     batch("table=t scan=heap"),
                     "3:1",
                     "scan=heap is for PostgreSQL only"},
                });
  check_refused(
      "bad_batch",
      "Write one statement with {range} where the condition on the key belongs, outside of quotes "
      "and comments.",
      {
          {"no statement", batch("table=t", "-- nothing"), "4:1", "the batch holds no statement"},
          {"two statements",
           batch("table=t", "UPDATE t SET a = 1 WHERE {range}; SELECT 1;"),
           "4:35",
           "the batch holds 2 statements"},
          {"no {range}",
           batch("table=t", "UPDATE t SET a = '{range}' /* {range} */;"),
           "4:27",
           "the statement of the batch holds no {range}"},
          {"{ range } with blanks",
           batch("table=t", "UPDATE t SET a = 1 WHERE { range };"),
           "4:35",
           "the statement of the batch holds no {range}"},
          {"{range} twice",
           batch("table=t", "UPDATE t SET a = 1 WHERE {range} OR {range};"),
           "4:37",
           "the statement of the batch holds {range} twice"},
      });
  check_refused("needs_no_transaction",
                "Move it to a section '-- drover: up postgres no-transaction'.",
                {
                    {"VACUUM",
                     batch("table=t", "VACUUM t {range};", " postgres"),
                     "4:1",
                     "VACUUM cannot run inside a transaction"},
                });
  check_refused("misplaced_batch_line",
                "Move it to right below the line '-- drover: batch ...'.",
                {
                    {"done outside of a batch",
                     up("-- drover: done a"),
                     "4:1",
                     "the directive 'done' stands outside of a batch"},
                });
  check_refused("text_outside_section",
                "Put '-- drover: done' above the statement.",
                {
                    {"done behind the statement",
                     batch("table=t", "UPDATE t SET a = 1 WHERE {range};\n-- drover: done a"),
                     "4:1",
                     "a statement stands between the lines of the batch"},
                });
  check_refused(
      "duplicate_batch_line",
      "Keep one of the lines.",
      {
          {"done twice",
           batch("table=t",
                 "-- drover: done a\n-- drover: done b\nUPDATE t SET a = 1 WHERE {range};"),
           "5:1",
           "the batch says 'done' twice"},
      });
  check_refused("missing_value",
                "Write '-- drover: done ...', or remove the line.",
                {
                    {"done without a value",
                     batch("table=t", "-- drover: done\nUPDATE t SET a = 1 WHERE {range};"),
                     "4:1",
                     "the directive 'done' has no value"},
                });
  check_refused(
      "bad_batch_line",
      "Write one whole SQL expression on the line, without a semicolon.",
      {
          {"done with two statements",
           batch("table=t", "-- drover: done a; DROP TABLE t\nUPDATE t SET a = 1 WHERE {range};"),
           "4:17",
           "'done' is not one expression"},
          {"done that is only a comment",
           batch("table=t", "-- drover: done /* a */\nUPDATE t SET a = 1 WHERE {range};"),
           "4:17",
           "'done' is not one expression"},
          {"where that is open",
           batch("table=t", "-- drover: where (a\nUPDATE t SET a = 1 WHERE {range};"),
           "4:18",
           "'where' is not closed on its line"},
          {"where that closes too much",
           batch("table=t", "-- drover: where a) OR true\nUPDATE t SET a = 1 WHERE {range};"),
           "4:18",
           "'where' closes a parenthesis that it did not open"},
          {"where with {range}",
           batch("table=t", "-- drover: where {range}\nUPDATE t SET a = 1 WHERE {range};"),
           "4:18",
           "'where' holds {range}, which belongs into the statement"},
      });
  check_refused(
      "bad_batch_line",
      "Write one whole SELECT on the line, without a semicolon.",
      {
          {"throttle that is no query",
           batch("table=t", "-- drover: throttle now()\nUPDATE t SET a = 1 WHERE {range};"),
           "4:21",
           "'throttle' is no SELECT"},
      });
}

TEST_CASE("nothing may stand behind a batch in the background", "[engine][parse]") {
  const std::string batches = kHeader +
                              "-- drover: up\nSELECT 1;\n-- drover: batch postgres table=t "
                              "mode=background\nUPDATE t SET a = 1 WHERE {range};\n";
  CHECK(parsed(batches + "-- drover: up sqlite\nSELECT 1;\n" + kDown).sections.size() == 4);
  CHECK_THROWS_WITH(parsed(batches + "-- drover: verify\nSELECT true;\n" + kDown),
                    Catch::Contains("behind a batch with mode=background"));
}

TEST_CASE("keys of a batch that are not given have their defaults", "[engine][parse]") {
  const std::map<std::string, std::string> wanted = {
      {"table", "t"},
      {"target", "500ms"},
      {"rows", "50..50000"},
      {"wal", "16MB"},
      {"workers", "1"},
      {"order", "asc"},
      {"vacuum", "20%"},
      {"sync_commit", "off"},
      {"on_poison", "stop"},
      {"check", "count"},
      {"mode", "wait"},
      {"trigger", "none"},
  };
  const BatchOptions batch_options = parsed(batch("table=t")).sections[0].batch;

  CHECK(batch_options.keys == wanted);
  CHECK(batch_options.done.empty());
  CHECK(batch_options.where.empty());
  CHECK(batch_options.throttle.empty());
}

TEST_CASE("every key of a batch can be given", "[engine][parse]") {
  const std::map<std::string, std::string> wanted = {
      {"table", "app.\"my files\""},
      {"key", "a,\"b, c\""},
      {"target", "2s"},
      {"rows", "1..1000000"},
      {"wal", "64kB"},
      {"workers", "64"},
      {"order", "desc"},
      {"vacuum", "100%"},
      {"sync_commit", "on"},
      {"on_poison", "park"},
      {"check", "checksum"},
      {"mode", "background"},
      {"trigger", "sync"},
  };
  const Section section =
      parsed(
          batch(
              "table=app.\"my files\" key=a,\"b, c\" target=2s rows=1..1000000 wal=64kB workers=64 "
              "order=desc  vacuum=100% sync_commit=on on_poison=park check=checksum "
              "mode=background trigger=sync",
              "-- drover: done a IS NOT NULL -- until then\n"
              "-- drover: where b > ';'\n"
              "-- drover: throttle SELECT count(*) > 5 FROM pg_stat_activity\n"
              "UPDATE app.\"my files\" SET d = 1 WHERE {range} /* {range} */;",
              " postgres"))
          .sections[0];

  CHECK(section.batch.keys == wanted);
  CHECK(section.batch.done == "a IS NOT NULL");
  CHECK(section.batch.table == "app.\"my files\"");
  CHECK(section.batch.key == std::vector<std::string>{"a", "\"b, c\""});
  CHECK(section.batch.target == 2s);
  CHECK(section.batch.least_rows == 1);
  CHECK(section.batch.most_rows == 1'000'000);
  CHECK(section.batch.wal_bytes == 65'536);
  CHECK(section.batch.workers == 64);
  CHECK(section.batch.descending);
  CHECK(section.batch.vacuum == 1.0);
  CHECK(section.batch.sync_commit);
  CHECK(section.batch.on_poison == BatchOptions::OnPoison::park);
  CHECK(section.batch.check == BatchOptions::Check::checksum);
  CHECK(section.batch.background);
  CHECK(section.batch.sync_trigger);
  CHECK(section.batch.where == "b > ';'");
  CHECK(section.batch.throttle == "SELECT count(*) > 5 FROM pg_stat_activity");
  CHECK(parsed(batch("table=t key=c,\"b c\"")).sections[0].batch.keys.at("key") == "c,\"b c\"");
}

}  // namespace drover::engine::parse
