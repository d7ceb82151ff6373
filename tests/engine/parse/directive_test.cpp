#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/parse/text_error.h"
#include "tests/engine/parse/migration_files.h"

using namespace std::string_literals;

namespace drover::engine::parse {

TEST_CASE("what only looks like a directive is refused with its place", "[engine][parse]") {
  check_refused(
      "mistyped_directive",
      "Write it from column 1 as '-- drover: WORD', or begin the comment with another word.",
      {
          {"no space before the colon's word",
           up("-- drover:down"),
           "4:1",
           "'-- drover:down' looks like a directive and is not one"},
          {"no space after the dashes",
           up("--drover: down"),
           "4:1",
           "'--drover: down' looks like a directive and is not one"},
          {"two spaces after the dashes",
           up("--  drover: down"),
           "4:1",
           "'--  drover: down' looks like a directive and is not one"},
          {"a capital",
           up("-- Drover: down"),
           "4:1",
           "'-- Drover: down' looks like a directive and is not one"},
          {"no colon",
           up("-- drover down"),
           "4:1",
           "'-- drover down' looks like a directive and is not one"},
          {"not in column 1",
           up("SELECT 1; -- drover: down"),
           "4:11",
           "'-- drover: down' looks like a directive and is not one"},
          {"indented",
           up("  -- drover: down"),
           "4:3",
           "'-- drover: down' looks like a directive and is not one"},
          {"a tab for the space",
           up("--\tdrover: down"),
           "4:1",
           "'--?drover: down' looks like a directive and is not one"},
          {"a no-break space",
           up("--\302\240drover: down"),
           "4:1",
           "'--\302\240drover: down' looks like a directive and is not one"},
          {"three dashes",
           up("--- drover: down"),
           "4:1",
           "'--- drover: down' looks like a directive and is not one"},
          {"a comment about drover",
           up("-- drover likes this table"),
           "4:1",
           "'-- drover likes this table' looks like a directive and is not one"},
          {"our word mistyped",
           up("-- dorver: down"),
           "4:1",
           "'-- dorver: down' looks like a directive and is not one"},
          {"inside of a statement",
           up("CREATE TABLE t (a int,\n -- drover: down\n b int);"),
           "5:2",
           "'-- drover: down' looks like a directive and is not one"},
          {"in the header",
           header("--drover: labels x"),
           "3:1",
           "'--drover: labels x' looks like a directive and is not one"},
      });
  check_refused(
      "foreign_directive",
      "Write '-- drover: up' or '-- drover: down' instead, or reword the comment.",
      {
          {"goose",
           up("-- +goose Down"),
           "4:1",
           "'-- +goose Down' is a section marker of another tool"},
          {"dbmate",
           up("-- migrate:down"),
           "4:1",
           "'-- migrate:down' is a section marker of another tool"},
          {"Liquibase",
           up("--changeset ann:1"),
           "4:1",
           "'--changeset ann:1' is a section marker of another tool"},
          {"Liquibase's rollback",
           up("--rollback DROP TABLE t;"),
           "4:1",
           "'--rollback DROP TABLE t;' is a section marker of another tool"},
          {"MyBatis", up("-- @UNDO"), "4:1", "'-- @UNDO' is a section marker of another tool"},
          {"MyBatis with slashes",
           up("-- //@UNDO"),
           "4:1",
           "'-- //@UNDO' is a section marker of another tool"},
          {"node-pg-migrate",
           up("-- Down Migration"),
           "4:1",
           "'-- Down Migration' is a section marker of another tool"},
      });
  check_refused("unknown_directive",
                "Did you mean 'down'?",
                {
                    {"a mistyped word", up("-- drover: dwon"), "4:1", "'dwon' is not a directive"},
                    {"a capital word", up("-- drover: Down"), "4:1", "'Down' is not a directive"},
                });
  check_refused(
      "unknown_directive",
      "Use revision, parents, message, labels, depends, irreversible, requires-fleet, set, up, "
      "down, batch, verify, done, where or throttle.",
      {
          {"a word far from any", up("-- drover: rewind"), "4:1", "'rewind' is not a directive"},
          {"no word at all", up("-- drover: "), "4:1", "the directive has no word"},
      });
}

TEST_CASE("comments that merely speak of something are left alone", "[engine][parse]") {
  const std::vector<std::string> comments = {
      "-- drover_tenant is ours",
      "-- the drover is happy",
      "-- driver: new column",
      "-- rollbacks are rare",
      "-- migrate the rows",
      "-- set up migration of rows",
      "-- changesets",
      "--",
      "-- 3 drover",
      "/* -- drover: down */",
      "/*\n-- drover: down\n*/",
      "/*\n-- +goose Down\n*/",
  };
  for (const std::string& comment : comments) {
    INFO(comment);
    CHECK_NOTHROW(parsed(up(comment)));
  }
}

TEST_CASE("a directive inside of quotes is text", "[engine][parse]") {
  const Migration file = parsed(
      up_postgres("SELECT '\n-- drover: down\n', \"\n-- drover: up\n\", E'\\'\n-- drover: up\n';\n"
                  "DO $x$\n-- drover: down\n-- Drover: x\n-- +goose Down\n$x$;"));

  REQUIRE(file.sections.size() == 2);
  CHECK(file.sections[0].statements.size() == 2);
}

TEST_CASE("a directive inside of parentheses is seen, and the parenthesis reported",
          "[engine][parse]") {
  const MigrationTextError error = error_of(up("CREATE TABLE t (\n-- drover: down\na int);"));

  CHECK(error.kind_name() == "unterminated");
  CHECK(to_string(error.place()) == "migrations/0004_add_hash.sql:4:16");
}

TEST_CASE("the word nearest to a mistyped one is found", "[engine][parse]") {
  const std::vector<std::string_view> words = {"down", "done", "up"};

  CHECK(edit_distance("dwon", "down") == 1);
  CHECK(edit_distance("", "down") == 4);
  CHECK(edit_distance("verify", "verfiy") == 1);
  CHECK(edit_distance("abc", "cab") == 2);
  CHECK(nearest("dwon", words) == "down");
  CHECK(nearest("dome", words) == "done");
  CHECK(nearest("u", words).empty());
  CHECK(nearest("elsewhere", words).empty());
  CHECK(nearest(std::string(1'000'000, 'd'), words).empty());
}

TEST_CASE("what a message shows of a text is short and printable", "[engine][parse]") {
  CHECK(shown("a\tb") == "'a?b'");
  CHECK(shown(std::string(61, 'x')) == "'" + std::string(60, 'x') + "...'");
  CHECK(shown("\303\244") == "'\303\244'");
}

TEST_CASE("blanks in a directive are folded where it is hashed", "[engine][parse]") {
  const Migration file =
      parsed(kHeader + "-- drover:   up \t postgres   no-transaction  \n" + kDown);

  CHECK(file.sections.front().directive == "-- drover: up postgres no-transaction");
  CHECK(file.sections.front().dialect == Dialect::postgres);
  CHECK(file.sections.front().transactional == Transactional::no);
}

}  // namespace drover::engine::parse
