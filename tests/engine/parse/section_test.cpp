#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/parse/migration_files.h"

using namespace std::string_literals;

namespace drover::engine::parse {

TEST_CASE("sections that are not whole or not clear are refused", "[engine][parse]") {
  check_refused("missing_down",
                "Add '-- drover: down', or say '-- drover: irreversible REASON' in the header.",
                {
                    {"no way back",
                     kHeader + "-- drover: up\nSELECT 1;\n",
                     "5:1",
                     "revision '0004' has no down section"},
                    {"no way back for one dialect",
                     kHeader + "-- drover: up\n-- drover: down postgres\n",
                     "5:1",
                     "revision '0004' has no down section for sqlite"},
                    {"no section at all", kHeader, "3:1", "revision '0004' has no down section"},
                });
  check_refused("unknown_section_option",
                "Did you mean 'postgres'?",
                {
                    {"an option mistyped",
                     kHeader + "-- drover: up postgre\n" + kDown,
                     "3:15",
                     "'postgre' is no option of a section 'up'"},
                });
  check_refused("unknown_section_option",
                "Use postgres, sqlite or no-transaction.",
                {
                    {"an option far from any",
                     kHeader + "-- drover: up mysql8\n" + kDown,
                     "3:15",
                     "'mysql8' is no option of a section 'up'"},
                });
  check_refused("duplicate_section_option",
                "Keep one of the two; a section without a dialect is for both.",
                {
                    {"two dialects",
                     kHeader + "-- drover: up postgres sqlite\n" + kDown,
                     "3:24",
                     "the section names two dialects"},
                    {"no-transaction twice",
                     kHeader + "-- drover: up no-transaction no-transaction\n" + kDown,
                     "3:30",
                     "the section says 'no-transaction' twice"},
                });
  check_refused("unknown_section_option",
                "Remove the word; only up and down sections can.",
                {
                    {"a verify without transaction",
                     kHeader + "-- drover: verify no-transaction\n" + kDown,
                     "3:19",
                     "a section 'verify' cannot be no-transaction"},
                });
  check_refused("dialects_differ",
                "Name the dialect of the section, as in '-- drover: up postgres'; a header is best "
                "without block comments.",
                {
                    {"a backslash that PostgreSQL hides",
                     up("SELECT 1, $$\\$$;"),
                     "4:13",
                     "PostgreSQL and SQLite do not split the text from here on alike"},
                    {"a {range} that PostgreSQL hides",
                     up("SELECT 1, $${range}$$;"),
                     "4:13",
                     "PostgreSQL and SQLite do not split the text from here on alike"},
                    {"an E-string for both",
                     up("INSERT INTO t VALUES (E'it\\'s'); SELECT 1;"),
                     "4:1",
                     "PostgreSQL and SQLite do not split the text from here on alike"},
                    {"a dollar quote for both",
                     up("DO $$ BEGIN PERFORM 1; END $$;"),
                     "4:1",
                     "PostgreSQL and SQLite do not split the text from here on alike"},
                    {"a nested comment for both",
                     up("/* /* */ SELECT 1; */"),
                     "4:10",
                     "PostgreSQL and SQLite do not split the text from here on alike"},
                    {"a trigger of SQLite for both",
                     up("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END;"),
                     "4:1",
                     "PostgreSQL and SQLite do not split the text from here on alike"},
                });
  check_refused("unterminated",
                "Close it; no directive is seen inside of quotes and comments.",
                {
                    {"an open quote",
                     up("SELECT 1;\nINSERT INTO t VALUES ('it's');"),
                     "5:28",
                     "the quote opened here is not closed before the section ends"},
                    {"an open name",
                     up("SELECT \"a FROM t;"),
                     "4:8",
                     "the quoted name opened here is not closed before the section ends"},
                    {"an open dollar quote",
                     up_postgres("DO $body$ BEGIN END $bdy$;"),
                     "4:4",
                     "the dollar quote opened here is not closed before the section ends"},
                    {"an open comment in a section",
                     up("SELECT 1; /* and"),
                     "4:11",
                     "the comment opened here is not closed before the section ends"},
                    {"a quote closed in the next section only",
                     kHeader + "-- drover: up\nSELECT 'a\n-- drover: down\nSELECT 'b';\n",
                     "6:9",
                     "the quote opened here is not closed before the section ends"},
                });
  check_refused("unterminated",
                "Close it; a directive ends the section even inside of parentheses and bodies.",
                {
                    {"an open parenthesis",
                     up("CREATE TABLE t (a int, b numeric(1,2;\nSELECT 1;"),
                     "4:16",
                     "the parenthesis opened here is not closed before the section ends"},
                    {"an open BEGIN ATOMIC",
                     up_postgres("CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC SELECT 1; SELECT "
                                 "CASE WHEN true THEN 1 END;"),
                     "5:1",
                     "the body opened here is not closed before the section ends"},
                    {"an open trigger",
                     up_sqlite("CREATE TRIGGER x AFTER INSERT ON t\nBEGIN SELECT 1;"),
                     "5:1",
                     "the body opened here is not closed before the section ends"},
                });
}

TEST_CASE("the example of the contract is read as it is meant", "[engine][parse]") {
  const Migration file = parse_migration(
      "-- drover: revision 0004\n"
      "-- drover: parents 0003\n"
      "-- drover: message Store a SHA-256 of every file\n"
      "\n"
      "-- drover: up\n"
      "ALTER TABLE files ADD COLUMN content_sha256 text;\n"
      "\n"
      "-- drover: batch postgres table=files key=id target=500ms\n"
      "-- drover: done content_sha256 IS NOT NULL\n"
      "UPDATE files SET content_sha256 = encode(sha256(convert_to(file_path, 'UTF8')), 'hex')\n"
      " WHERE {range} AND content_sha256 IS NULL;\n"
      "\n"
      "-- drover: verify postgres\n"
      "SELECT count(*) = 0 FROM files WHERE content_sha256 IS NULL;\n"
      "\n"
      "-- drover: up postgres no-transaction\n"
      "CREATE INDEX CONCURRENTLY files_content_sha256 ON files (content_sha256);\n"
      "\n"
      "-- drover: up sqlite\n"
      "CREATE INDEX files_content_sha256 ON files (content_sha256);\n"
      "\n"
      "-- drover: down\n"
      "ALTER TABLE files DROP COLUMN content_sha256;\n",
      "migrations/0004_add_content_hash.sql");

  REQUIRE(file.sections.size() == 6);
  const Section& first = file.sections[0];
  CHECK(first.kind == Section::Kind::up);
  CHECK_FALSE(first.dialect);
  CHECK(first.text == "ALTER TABLE files ADD COLUMN content_sha256 text;\n\n");
  REQUIRE(first.statements.size() == 1);
  CHECK(first.statements[0].text == "ALTER TABLE files ADD COLUMN content_sha256 text");
  CHECK(first.statements[0].kind == StatementKind::other);

  const Section& batch = file.sections[1];
  CHECK(batch.kind == Section::Kind::batch);
  CHECK(batch.dialect == Dialect::postgres);
  CHECK(batch.batch.keys.at("table") == "files");
  CHECK(batch.batch.keys.at("key") == "id");
  CHECK(batch.batch.done == "content_sha256 IS NOT NULL");
  CHECK(batch.text.starts_with("-- drover: done content_sha256 IS NOT NULL\nUPDATE files"));
  CHECK(batch.statements[0].text.starts_with("UPDATE files"));

  CHECK(file.sections[2].statements[0].kind == StatementKind::select);
  CHECK(file.sections[3].statements[0].kind == StatementKind::create_index_concurrently);
  CHECK(file.sections[4].dialect == Dialect::sqlite);
  CHECK(file.sections[5].kind == Section::Kind::down);
  CHECK(up_units(file, Dialect::postgres).size() == 4);
  CHECK(up_units(file, Dialect::sqlite).size() == 1);
}

TEST_CASE("sections may be empty, and the last line needs no end", "[engine][parse]") {
  for (const std::string& text : {kHeader + "-- drover: up\n-- drover: down",
                                  up("-- only a comment\n/* and another */"),
                                  up(";;;"),
                                  kHeader + "-- drover: down",
                                  header("-- drover: irreversible lost\n-- a comment\n\n"),
                                  kHeader + "-- drover: up sqlite\n-- drover: down sqlite\n"}) {
    INFO(text);
    for (const Section& section : parsed(text).sections) {
      CHECK(section.statements.empty());
    }
  }
}

TEST_CASE("a dialect that a file does not change needs no way back", "[engine][parse]") {
  CHECK_NOTHROW(parsed(kHeader + "-- drover: up postgres\n"
                                 "-- drover: verify sqlite\nSELECT 1;\n"
                                 "-- drover: down postgres\n"));
}

TEST_CASE("the end of a section ends its last statement", "[engine][parse]") {
  const Migration file = parsed(up("SELECT 1; SELECT 2"));

  REQUIRE(file.sections[0].statements.size() == 2);
  CHECK(file.sections[0].statements[1].text == "SELECT 2");
}

TEST_CASE("copies of a migration share the text that their views point into", "[engine][parse]") {
  Migration copy;
  {
    const Migration file = parsed(up("SELECT 1;"));
    copy = file;
  }

  CHECK(copy.sections[0].statements[0].text == "SELECT 1");
  CHECK(to_string(copy.place_of(copy.sections[0].statements[0].text.data())) ==
        "migrations/0004_add_hash.sql:4:1");
}

TEST_CASE("hostile string data is only data", "[engine][parse]") {
  const Migration file =
      parsed(up("INSERT INTO t VALUES ('-- drover: down', ';', '/*', '$$', '{range}', '\\copy', "
                "'it''s; COMMIT;', \"a;b\");\n"
                "-- it's a \"comment; $$ with /* openings\n"
                "INSERT INTO t VALUES ('\360\237\220\221\342\200\256');"));

  CHECK(file.sections[0].statements.size() == 2);
}

TEST_CASE("statements for both dialects keep the kind that either has for them",
          "[engine][parse]") {
  const Migration file = parsed(
      kHeader + "-- drover: up no-transaction\nVACUUM; PRAGMA optimize; SELECT 1;\n" + kDown);

  const auto& statements = file.sections[0].statements;
  REQUIRE(statements.size() == 3);
  CHECK(statements[0].kind == StatementKind::vacuum);
  CHECK(statements[1].kind == StatementKind::pragma);
  CHECK(statements[2].kind == StatementKind::select);
}

TEST_CASE("any text is read whole or refused with its place, and nothing else", "[engine][parse]") {
  const unsigned seed = GENERATE(range(0U, 300U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {
      "-- drover: ", "up",       "down",        " postgres", " sqlite",    " no-transaction",
      "\n",          "\n",       "\n",          "verify",    "batch",      " table=t",
      "{range}",     "SELECT 1", ";",           "'",         "\"",         "$$",
      "/*",          "*/",       "(",           ")",         "-- drover:", "done a",
      "set role=x",  "COMMIT",   "PRAGMA x=1",  "\\",        "BEGIN",      "CREATE TRIGGER a",
      " END",        "COPY t",   "\303\244",    "\r\n",      "\r",         "\xff",
      "message x",   "labels ,", "parents 1,2", "E'\\'",     "[",          "-- +goose Up"};
  std::string text = random() % 2 == 0 ? kHeader + "-- drover: up\n" : kHeader;
  for (auto left = random() % 30; left > 0; --left) {
    text += pieces[random() % pieces.size()];
  }
  text += random() % 2 == 0 ? "\n-- drover: down\n" : "";

  try {
    const Migration file = parsed(text);
    for (const Section& section : file.sections) {
      for (const SqlStatement& statement : section.statements) {
        REQUIRE(statement.text.data() >= section.text.data());
        REQUIRE(statement.text.data() + statement.text.size() <=
                section.text.data() + section.text.size());
      }
    }
  } catch (const MigrationTextError& error) {
    CHECK(error.place().line >= 1);
    CHECK(error.place().column >= 1);
    CHECK_FALSE(error.hint().empty());
    CHECK_FALSE(std::string(error.what()).ends_with('.'));
  }
}

}  // namespace drover::engine::parse
