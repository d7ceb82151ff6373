// What check=checksum computes again, and what it refuses because computing it again says nothing.

#include "tests/engine/parse/migration_files.h"

namespace drover::engine::parse {
namespace {

std::string checked(const std::string& statement) {
  return batch("table=t check=checksum", statement);
}

std::string assigned(const std::string& statement) {
  const BatchOptions options = parsed(checked(statement)).sections[0].batch;
  std::string text;
  for (const BatchOptions::Assignment& one : options.assigns) {
    text += one.column + " <- " + one.value + "; ";
  }
  return text + statement.substr(options.condition_at);
}

}  // namespace

TEST_CASE("an UPDATE is taken apart into columns and what they are given", "[engine][parse]") {
  CHECK(assigned("UPDATE t SET a = lower(b) WHERE {range}") == "a <- lower(b);  {range}");
  CHECK(assigned("UPDATE t AS x SET \"A b\" = f(x.c, ',') , d=(SELECT o.d FROM o WHERE o.id = x.id)"
                 "\nWHERE {range} AND x.c > 0") ==
        "\"A b\" <- f(x.c, ','); d <- (SELECT o.d FROM o WHERE o.id = x.id);  {range} AND x.c > 0");
  CHECK(assigned("UPDATE t SET a = b IS DISTINCT FROM c, d = CASE WHEN b THEN 1 ELSE 2 END -- WHERE"
                 "\n WHERE {range}") ==
        "a <- b IS DISTINCT FROM c; d <- CASE WHEN b THEN 1 ELSE 2 END;  {range}");
  CHECK(assigned("UPDATE t SET lower = lower(b) WHERE {range}") == "lower <- lower(b);  {range}");
}

TEST_CASE("what cannot be computed again is refused for check=checksum", "[engine][parse]") {
  const std::string cannot = "check=checksum cannot compute this batch again: ";
  check_refused(
      "bad_batch",
      "Write it as UPDATE TABLE SET COLUMN = EXPRESSION, ... WHERE {range}, with values from "
      "columns that it leaves alone; or use check=count with a line '-- drover: done EXPR'.",
      {
          {"no UPDATE",
           checked("DELETE FROM t WHERE {range};"),
           "4:1",
           cannot + "the statement is no UPDATE"},
          {"a count",
           checked("UPDATE t SET a = a + 1 WHERE {range};"),
           "4:1",
           cannot + "it reads 'a', which it assigns to"},
          {"one from the other",
           checked("UPDATE t x SET a = c, b = upper(x.A) WHERE {range};"),
           "4:1",
           cannot + "it reads 'A', which it assigns to"},
          {"a condition that what is done no longer meets",
           checked("UPDATE t SET a = b WHERE {range} AND a IS NULL;"),
           "4:1",
           cannot + "it reads 'a', which it assigns to"},
          {"the same, in a line of the batch",
           batch("table=t check=checksum",
                 "-- drover: where \"a\" IS NULL\nUPDATE t SET a = b WHERE {range};"),
           "5:1",
           cannot + "it reads '\"a\"', which it assigns to"},
          {"columns at once",
           checked("UPDATE t SET (a, b) = (1, 2) WHERE {range};"),
           "4:14",
           cannot + "it does not assign to one column at a time"},
          {"a place of an array",
           checked("UPDATE t SET a[1] = 2 WHERE {range};"),
           "4:14",
           cannot + "it does not assign to one column at a time"},
          {"the column's default",
           checked("UPDATE t SET a = DEFAULT WHERE {range};"),
           "4:18",
           cannot + "it assigns what only the server knows"},
          {"another table",
           checked("UPDATE t SET a = o.b FROM o WHERE o.id = t.id AND {range};"),
           "4:22",
           cannot + "the statement has a FROM, or no WHERE, behind what it assigns"},
          {"an answer",
           checked("UPDATE t SET a = b WHERE {range} RETURNING a;"),
           "4:34",
           cannot + "it has a RETURNING"},
      });
}

}  // namespace drover::engine::parse
