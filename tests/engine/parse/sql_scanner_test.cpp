#include "engine/parse/sql_scanner.h"

#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

using namespace drover::engine;
using namespace drover::engine::parse;

using What = Unterminated::What;

namespace {

std::vector<std::string> split(std::string_view text, Dialect dialect) {
  const Scan scan = split_statements(text, dialect);
  CHECK(scan.open.empty());
  return {scan.statements.begin(), scan.statements.end()};
}

std::vector<std::string> split_postgres(std::string_view text) {
  return split(text, Dialect::postgres);
}

std::vector<std::string> split_sqlite(std::string_view text) {
  return split(text, Dialect::sqlite);
}

using Parts = std::vector<std::string>;

std::vector<std::string> tokens_of(std::string_view text, Dialect dialect) {
  std::vector<std::string> tokens;
  for_each_token(text, dialect, [&](const Token& token) {
    tokens.emplace_back(token.text);
    return true;
  });
  return tokens;
}

}  // namespace

TEST_CASE("a statement runs from its first token to its last", "[engine][parse]") {
  for (const Dialect dialect : {Dialect::postgres, Dialect::sqlite}) {
    CHECK(split("", dialect).empty());
    CHECK(split(" ;;\n; -- x\n/* y */;", dialect).empty());
    CHECK(split("SELECT 1", dialect) == Parts{"SELECT 1"});
    CHECK(split(" /* a */ SELECT /* b */ 1 -- c\n;-- d\nSELECT 2;\n", dialect) ==
          Parts{"SELECT /* b */ 1", "SELECT 2"});
  }
}

TEST_CASE("what both dialects hide a semicolon in", "[engine][parse]") {
  for (const std::string hiding : {"'a;b'",
                                   "'it''s;'",
                                   "''",
                                   "'\n;'",
                                   "'\\'",
                                   "X'3b'",
                                   "\"a;b\"",
                                   "\"a\"\";b\"",
                                   "/* ; */ 1",
                                   "/*;**/ 1",
                                   "/**/ 1",
                                   "-- ;\n 1",
                                   "(1;2)",
                                   "((';'));(1)"}) {
    const std::string statement = "SELECT " + hiding;
    for (const Dialect dialect : {Dialect::postgres, Dialect::sqlite}) {
      INFO(statement);
      const auto parts = split(statement + ";SELECT 2", dialect);
      CHECK(parts.back() == "SELECT 2");
      CHECK(parts.size() == (hiding.ends_with(";(1)") ? 3U : 2U));
    }
  }
}

TEST_CASE("what only PostgreSQL hides a semicolon in", "[engine][parse]") {
  for (const std::string hiding : {"E'a\\';b'",
                                   "e'\\\\'",
                                   "E'it''s;'",
                                   "E'a'\n  '\\';'",
                                   "E'a' -- and\n '\\';'",
                                   "'a'\n'b\\'",
                                   "E'a' || '\\'",
                                   "E'a' '\\'",
                                   "U&'d\\0061t\\'",
                                   "u&\"a;\\\"",
                                   "B'01' || N'a;'",
                                   "$$a;b$$",
                                   "$tag$ $$ ; $ta$ $tag$",
                                   "$\303\244$;$\303\244$",
                                   "$_1$;$_1$",
                                   "1$$;$$",
                                   "$1$$;$$",
                                   "a$b$c",
                                   "a$$",
                                   "$1, $2",
                                   "$ 1",
                                   "/* a /* ; */ ; */ 1",
                                   "/*/* */;*/ 1",
                                   "[1, 2]",
                                   "ARRAY['[']"}) {
    INFO(hiding);
    CHECK(split_postgres("SELECT " + hiding + ";SELECT 2") ==
          Parts{"SELECT " + hiding, "SELECT 2"});
  }
}

TEST_CASE("what only SQLite hides a semicolon in", "[engine][parse]") {
  for (const std::string hiding : {"[a;b]",
                                   "[a'b]",
                                   "`a;b`",
                                   "`a``;b`",
                                   "/* /* ; */ 1",
                                   "$a::b(;)",
                                   ":a",
                                   "@a",
                                   "?1",
                                   "E, 'a\\'"}) {
    INFO(hiding);
    CHECK(split_sqlite("SELECT " + hiding + ";SELECT 2") == Parts{"SELECT " + hiding, "SELECT 2"});
  }
  CHECK(split_sqlite("SELECT $$; SELECT $$") == Parts{"SELECT $$", "SELECT $$"});
}

TEST_CASE("a rule with several actions is one statement", "[engine][parse]") {
  CHECK(split_postgres("CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2); SELECT 3") ==
        Parts{"CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2)", "SELECT 3"});
}

TEST_CASE("a body of PostgreSQL ends with its END", "[engine][parse]") {
  const std::vector<std::string> routines = {
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
      "create or replace procedure p() begin /* x */ atomic select 1; end",
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 ELSE CASE b WHEN 1 "
      "THEN 2 END END; SELECT 2; END",
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT (CASE WHEN a THEN 1 END); END",
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT a AS case, t.end FROM t; END",
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END",
      "CREATE FUNCTION begin() RETURNS int AS $$ BEGIN; $$ LANGUAGE plpgsql",
      "CREATE FUNCTION f() RETURNS int RETURN CASE WHEN true THEN 1 END",
  };
  for (const std::string& routine : routines) {
    INFO(routine);
    CHECK(split_postgres(routine + "; SELECT 3") == Parts{routine, "SELECT 3"});
  }
  CHECK(split_postgres("CREATE TABLE begin (atomic int); END; BEGIN; atomic") ==
        Parts{"CREATE TABLE begin (atomic int)", "END", "BEGIN", "atomic"});
}

TEST_CASE("a trigger of SQLite ends with its END", "[engine][parse]") {
  const std::vector<std::string> triggers = {
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END",
      "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; /* a */ END",
      "create temporary trigger x after insert on t begin select 1; -- a\n end",
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; END",
      "CREATE TRIGGER x AFTER UPDATE ON t WHEN CASE NEW.a WHEN 1 THEN 1 END BEGIN SELECT 1; END",
      "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT end FROM t; END",
      "CREATE TRIGGER \"end\" AFTER INSERT ON t BEGIN SELECT 'a; END;'; END",
  };
  for (const std::string& trigger : triggers) {
    INFO(trigger);
    CHECK(split_sqlite(trigger + "; SELECT 3") == Parts{trigger, "SELECT 3"});
    CHECK(split_sqlite(trigger) == Parts{trigger});
  }
  CHECK(split_postgres("CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f(); SELECT 1") ==
        Parts{"CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f()", "SELECT 1"});
}

TEST_CASE("what is open at the end is told with its opening", "[engine][parse]") {
  struct Case {
    std::string text;
    Dialect dialect;
    What what;
    std::size_t opened_at;
  };
  const std::vector<Case> cases = {
      {"SELECT 'a''", Dialect::postgres, What::quote, 7},
      {"SELECT 'a'; SELECT '", Dialect::postgres, What::quote, 19},
      {"SELECT E'a\\'", Dialect::postgres, What::quote, 7},
      {"SELECT E'a\\", Dialect::postgres, What::quote, 7},
      {"SELECT \"a", Dialect::postgres, What::quoted_name, 7},
      {"SELECT U&\"a", Dialect::postgres, What::quoted_name, 7},
      {"SELECT $a$ $b$", Dialect::postgres, What::dollar_quote, 7},
      {"SELECT 1 /* /* */", Dialect::postgres, What::comment, 9},
      {"SELECT 1 /* /", Dialect::postgres, What::comment, 9},
      {"SELECT (1, (2)", Dialect::postgres, What::parenthesis, 7},
      {"SELECT (1, 'a)", Dialect::postgres, What::quote, 11},
      {"CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", Dialect::postgres, What::body, 20},
      {"CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE 1 END; END",
       Dialect::postgres,
       What::quote,
       0},
      {"SELECT `a", Dialect::sqlite, What::quoted_name, 7},
      {"SELECT [a", Dialect::sqlite, What::quoted_name, 7},
      {"SELECT 1 /*/", Dialect::sqlite, What::comment, 9},
      {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END x", Dialect::sqlite, What::body, 35},
      {"CREATE TRIGGER x", Dialect::sqlite, What::body, 0},
  };
  for (const Case& each : cases) {
    INFO(each.text);
    const Scan scan = split_statements(each.text, each.dialect);
    if (each.text.ends_with("1 END; END")) {
      CHECK(scan.open.empty());
      continue;
    }
    REQUIRE_FALSE(scan.open.empty());
    CHECK(scan.open.front().what == each.what);
    CHECK(scan.open.front().opened_at - each.text.data() ==
          static_cast<std::ptrdiff_t>(each.opened_at));
    CHECK(scan.statements.back().ends_with(each.text.back()) != (each.what == What::comment));
  }
}

TEST_CASE("a closing parenthesis too many does not hide what follows", "[engine][parse]") {
  CHECK(split_postgres("SELECT 1); SELECT (2); SELECT 3") ==
        Parts{"SELECT 1)", "SELECT (2)", "SELECT 3"});
}

TEST_CASE("tokens are told apart by each server's rules", "[engine][parse]") {
  using List = std::vector<std::string>;

  CHECK(tokens_of("a1$b \"x\" 1_0 0x1F 1.5e3 $1 a::int", Dialect::postgres) ==
        List{"a1$b", "\"x\"", "1_0", "0x1F", "1.5e3", "$1", "a", ":", ":", "int"});
  CHECK(tokens_of("E'a' x'1' date'2' U&'b' n'c'", Dialect::postgres) ==
        List{"E'a'", "x'1'", "date", "'2'", "U&'b'", "n'c'"});
  CHECK(tokens_of("a--b\nc/*d*/<--e", Dialect::postgres) ==
        List{"a", "--b", "c", "/*d*/", "<", "--e"});
  CHECK(tokens_of("a:b e'c' [d] `e` @f #g $h", Dialect::sqlite) ==
        List{"a", ":b", "e", "'c'", "[d]", "`e`", "@f", "#g", "$h"});
}

TEST_CASE("for_each_token stops where it is told to", "[engine][parse]") {
  int seen = 0;
  for_each_token("a b c", Dialect::postgres, [&](const Token& token) {
    ++seen;
    return token.text != "b";
  });

  CHECK(seen == 2);
}

TEST_CASE("the name in a token is without its quotes", "[engine][parse]") {
  const auto name = [](std::string_view text) {
    return name_in(*TokenReader(text, Dialect::sqlite).next());
  };

  CHECK(name("Files") == "files");
  CHECK(name("\"My \"\"Files\"\"\"") == "My \"Files\"");
  CHECK(name("`a``b`") == "a`b");
  CHECK(name("[a b]") == "a b");
}

TEST_CASE("hostile text costs no more than two looks at each byte", "[engine][parse]") {
  const std::vector<std::string> pieces = {"'",
                                           "''",
                                           "\"",
                                           "E'\\'",
                                           "$a",
                                           "$a$",
                                           "$",
                                           "$$ ",
                                           "(",
                                           ")",
                                           "/*",
                                           "*/",
                                           "/*/",
                                           "--",
                                           "-",
                                           "[",
                                           "`",
                                           ":a(",
                                           "$a(",
                                           "1.",
                                           "a$",
                                           ";",
                                           "{range}",
                                           "E'a'\n",
                                           "CASE ",
                                           "CREATE TRIGGER ",
                                           "BEGIN ATOMIC "};
  const auto check = [](const std::string& text) {
    for (const Dialect dialect : {Dialect::postgres, Dialect::sqlite}) {
      TokenReader tokens(text, dialect);
      StatementSplitter splitter(dialect);
      std::size_t bytes = 0;
      while (const auto token = tokens.next()) {
        splitter.take(*token);
        bytes += token->text.size();
      }
      splitter.finish();
      CHECK(bytes <= text.size());
      CHECK(tokens.bytes_read() <= 2 * text.size());
    }
  };
  const auto repeated = [](const std::string& piece, std::size_t size) {
    std::string text;
    text.reserve(size);
    while (text.size() + piece.size() <= size) {
      text += piece;
    }
    return text;
  };

  for (const std::string& piece : pieces) {
    INFO(piece);
    check(repeated(piece, 100'000));
    check("SELECT " + piece + repeated("x' \" $a$ */ ", 100'000));
  }
  check(repeated("INSERT INTO t VALUES (1, 'it''s;', $$x;$$, E'\\''); -- it's\n", 4'000'000));
}

TEST_CASE("tokens and what is between them make up any text", "[engine][parse]") {
  const unsigned seed = GENERATE(range(0U, 40U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  constexpr std::string_view kAlphabet = "aE'\"$1;-/*\\()[]`{}:@ \n\tx&U.eN\xC3\xA4";
  std::string text;
  for (int i = 0; i < 400; ++i) {
    text += kAlphabet[random() % kAlphabet.size()];
  }

  for (const Dialect dialect : {Dialect::postgres, Dialect::sqlite}) {
    const char* behind = text.data();
    for_each_token(text, dialect, [&](const Token& token) {
      const std::string_view gap(behind, static_cast<std::size_t>(token.begin() - behind));
      REQUIRE_FALSE(token.text.empty());
      REQUIRE(gap.find_first_not_of(" \n\t") == std::string_view::npos);
      behind = token.end();
      return true;
    });
    const Scan scan = split_statements(text, dialect);
    const char* end = text.data();
    for (const std::string_view statement : scan.statements) {
      REQUIRE(statement.data() >= end);
      end = statement.data() + statement.size();
    }
    REQUIRE(end <= text.data() + text.size());
  }
}
