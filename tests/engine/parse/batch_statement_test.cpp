// What the batch engine learns from a statement before a server sees it.

#include "engine/parse/batch_statement.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/parse/migration_files.h"

namespace drover::engine::parse {
namespace {

BatchOptions read(const std::string& table, const std::string& statement) {
  BatchOptions batch;
  batch.table = table;
  read_batch_statement(
      statement, statement.data() + statement.find("{range}"), Dialect::postgres, batch);
  return batch;
}

}  // namespace

TEST_CASE("a batch's table is known by the name that the statement calls it", "[engine][parse]") {
  struct Case {
    std::string table;
    std::string statement;
    std::string called;
  };
  const std::vector<Case> cases{
      {"files", "UPDATE files SET a = 1 WHERE {range}", "files"},
      {"files", "UPDATE files AS f SET a = 1 WHERE {range}", "f"},
      {"files", "UPDATE ONLY files f SET a = 1 FROM tenants t WHERE {range}", "f"},
      {"files", "UPDATE files * \"f g\" SET a = 1 WHERE {range}", "\"f g\""},
      {"app.files", "DELETE FROM app.files WHERE {range}", "files"},
      {"app.files", "DELETE FROM app.files x USING y WHERE {range}", "x"},
      {"files",
       "INSERT INTO other SELECT id FROM files JOIN files2 f ON true WHERE {range}",
       "files"},
      {"files", "INSERT INTO files_new SELECT id FROM other o, files f WHERE {range}", "f"},
      {"files", "UPDATE x SET a = (SELECT files.a FROM other) WHERE {range}", ""},
      {"files", "UPDATE app.files SET a = 1 WHERE {range}", ""},
      {"files", "/* UPDATE files f */ UPDATE files -- g\n SET a = 1 WHERE {range}", "files"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.statement);
    CHECK(read(one.table, one.statement).called == one.called);
  }
}

TEST_CASE("the columns that a batch writes are those before each sign of equality",
          "[engine][parse]") {
  using Names = std::vector<std::string>;
  CHECK(read("t", "UPDATE t SET a = b, c = (SELECT d = 1 FROM e), f = g WHERE {range}").writes ==
        Names{"a", "c", "f"});
  CHECK(
      read("t", "UPDATE t SET (a, \"b c\") = (SELECT 1, x) , d = 2 FROM y WHERE {range}").writes ==
      Names{"a", "\"b c\"", "d"});
  CHECK(
      read("t", "WITH x AS (SELECT 1) UPDATE t SET a = lower(a) WHERE z = 1 AND {range}").writes ==
      Names{"a"});
  CHECK(read("t", "DELETE FROM t WHERE {range} AND a = 1").writes.empty());
}

TEST_CASE("{range} is found where it stands outside of comments", "[engine][parse]") {
  const BatchOptions options =
      parsed(batch("table=t", "UPDATE t SET a = '{range}' /* {range} */ WHERE {range} AND b;"))
          .sections[0]
          .batch;
  const std::string text = "UPDATE t SET a = '{range}' /* {range} */ WHERE {range} AND b";
  CHECK(options.range_at == text.rfind("{range}"));
  CHECK(options.called == "t");
}

TEST_CASE("a batch that changes its own key is refused", "[engine][parse]") {
  CHECK_THROWS_WITH(
      parsed(batch("table=t key=a,b", "UPDATE t SET c = 1, b = b + 1 WHERE {range};")),
      Catch::Contains("changes 'b', by which rows are gone through"));
}

}  // namespace drover::engine::parse
