#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/parse/value_rules.h"
#include "tests/engine/parse/migration_files.h"

using namespace std::string_literals;

namespace drover::engine::parse {

TEST_CASE("a header that makes no sense is refused", "[engine][parse]") {
  check_refused("header_after_section",
                "Move it to the top of the file.",
                {
                    {"after a section",
                     up("-- drover: message x"),
                     "4:1",
                     "the header directive 'message' stands behind the first section"},
                    {"set after a section",
                     up("-- drover: set role=x"),
                     "4:1",
                     "the header directive 'set' stands behind the first section"},
                });
  check_refused("duplicate_header",
                "Keep one of the lines.",
                {
                    {"said twice",
                     header("-- drover: parents 0002"),
                     "3:1",
                     "the header says 'parents' twice"},
                    {"a setting twice",
                     header("-- drover: set role=a\n-- drover: set role = b"),
                     "4:1",
                     "the header sets 'role' twice"},
                });
  check_refused("missing_value",
                "Write '-- drover: message ...', or remove the line.",
                {
                    {"without a value",
                     header("-- drover: message"),
                     "3:1",
                     "the directive 'message' has no value"},
                });
  check_refused(
      "missing_parents",
      "Add the line '-- drover: parents ID', or '-- drover: parents none' for a first revision.",
      {
          {"parents missing",
           "-- drover: up\n-- drover: down\n",
           "1:1",
           "revision '0004' does not say which revision it follows"},
          {"an empty file", "", "1:1", "revision '0004' does not say which revision it follows"},
      });
  check_refused("id_mismatch",
                "Rename the file or correct the line, so that both give one id.",
                {
                    {"the id of another file",
                     "-- drover: revision 0005\n-- drover: parents none\n",
                     "1:21",
                     "the file says revision '0005', but its name says '0004'"},
                });
  check_refused("bad_id",
                "Ids hold letters, digits and '_'; head, heads, base, current and none have a "
                "meaning of their own.",
                {
                    {"a reserved word as id",
                     "-- drover: revision head\n-- drover: parents none\n",
                     "1:21",
                     "revision 'head' is a reserved word"},
                    {"an id with a plus",
                     "-- drover: revision 00+4\n-- drover: parents none\n",
                     "1:21",
                     "revision '00+4' holds '+'"},
                    {"requires-fleet with two ids",
                     header("-- drover: requires-fleet 0001, 0002"),
                     "3:27",
                     "requires-fleet '0001, 0002' holds ','"},
                });
  check_refused("bad_id",
                "Divide them by commas; none may hold a blank, '@', '-', '+' or ':', or be head, "
                "heads, base, current or none.",
                {
                    {"a parent with a blank",
                     "-- drover: revision 0004\n-- drover: parents 0002 0003\n",
                     "2:20",
                     "parent '0002 0003' holds a blank"},
                    {"a parent none beside another",
                     "-- drover: revision 0004\n-- drover: parents 0002, none\n",
                     "2:26",
                     "parent 'none' is a reserved word"},
                    {"an empty parent",
                     "-- drover: revision 0004\n-- drover: parents 0002,,0003\n",
                     "2:25",
                     "parent '' is empty"},
                    {"a parent called BASE",
                     "-- drover: revision 0004\n-- drover: parents BASE\n",
                     "2:20",
                     "parent 'BASE' is a reserved word"},
                    {"a dependency with an at sign",
                     header("-- drover: depends a@b"),
                     "3:20",
                     "dependency 'a@b' holds '@'"},
                    {"a label with a colon",
                     header("-- drover: labels a:b"),
                     "3:19",
                     "label 'a:b' holds ':'"},
                });
  check_refused("duplicate_id",
                "Name it once.",
                {
                    {"a parent twice",
                     "-- drover: revision 0004\n-- drover: parents 0002, 0002\n",
                     "2:26",
                     "parent '0002' is listed twice"},
                });
  check_refused("unknown_setting",
                "Use lock_timeout, statement_timeout, role, search_path or foreign_keys, as in '-- "
                "drover: set lock_timeout=5s'.",
                {
                    {"an unknown setting",
                     header("-- drover: set work_mem=1GB"),
                     "3:16",
                     "'work_mem' is not a setting that a header may change"},
                });
  check_refused("bad_setting",
                "Give it a number with a unit (ms, s, min or h), as in 5s.",
                {
                    {"a timeout without a unit",
                     header("-- drover: set lock_timeout=500"),
                     "3:16",
                     "lock_timeout is '500', which it cannot be"},
                });
  check_refused("bad_setting",
                "Give it a number with a unit (ms, s, min or h), as in 5min.",
                {
                    {"a timeout with an unknown unit",
                     header("-- drover: set statement_timeout=5m"),
                     "3:16",
                     "statement_timeout is '5m', which it cannot be"},
                    {"a timeout too long for the server",
                     header("-- drover: set statement_timeout=25000h"),
                     "3:16",
                     "statement_timeout is '25000h', which it cannot be"},
                });
  check_refused("bad_setting",
                "Give it the name of one role.",
                {
                    {"a role that is no name",
                     header("-- drover: set role=x; DROP TABLE t"),
                     "3:16",
                     "role is 'x; DROP TABLE t', which it cannot be"},
                    {"a setting without a value",
                     header("-- drover: set role"),
                     "3:16",
                     "role is '', which it cannot be"},
                });
  check_refused("bad_setting",
                "Give it names of schemas with commas between them.",
                {
                    {"a search_path that is no list",
                     header("-- drover: set search_path=app, 'x'"),
                     "3:16",
                     "search_path is 'app, 'x'', which it cannot be"},
                });
  check_refused("bad_setting",
                "Give it on or off.",
                {
                    {"foreign_keys neither on nor off",
                     header("-- drover: set foreign_keys=1"),
                     "3:16",
                     "foreign_keys is '1', which it cannot be"},
                });
  check_refused("text_outside_section",
                "Write '-- drover: up' above it.",
                {
                    {"a statement before the first section",
                     kHeader + "SELECT 1;\n-- drover: up\n" + kDown,
                     "3:1",
                     "a statement stands before the first section"},
                });
  check_refused("unterminated",
                "Close it; no directive is seen inside of quotes and comments.",
                {
                    {"an open comment",
                     kHeader + "/* \n-- drover: up\n" + kDown,
                     "3:1",
                     "the comment opened here is not closed before the section ends"},
                });
}

TEST_CASE("the header says who the revision is and whom it follows", "[engine][parse]") {
  const Migration file = parsed(
      "-- drover: revision 0004\n"
      "-- drover: parents 0002,0003\n"
      "-- drover: message Store a SHA-256 of every file\n"
      "-- drover: labels billing, slow\n"
      "-- drover: depends b7, c_8\n"
      "-- drover: irreversible the rows are gone\n"
      "-- drover: requires-fleet 0001\n"
      "-- drover: set lock_timeout=5s\n"
      "-- drover: set statement_timeout = 10min\n"
      "-- drover: set role=\"app owner\"\n"
      "-- drover: set search_path=app, \"$user\",public\n"
      "-- drover: set foreign_keys=on\n");

  CHECK(file.id == RevisionId{"0004"});
  CHECK(file.parents == std::vector<RevisionId>{{"0002"}, {"0003"}});
  CHECK(file.message == "Store a SHA-256 of every file");
  CHECK(file.labels == std::vector<std::string>{"billing", "slow"});
  CHECK(file.depends == std::vector<RevisionId>{{"b7"}, {"c_8"}});
  CHECK(file.irreversible == std::string("the rows are gone"));
  CHECK(file.requires_fleet == RevisionId{"0001"});
  CHECK(file.settings == std::vector<HeaderSetting>{{"lock_timeout", "5s"},
                                                    {"statement_timeout", "10min"},
                                                    {"role", "\"app owner\""},
                                                    {"search_path", "app, \"$user\",public"},
                                                    {"foreign_keys", "on"}});
  CHECK(file.sections.empty());
}

TEST_CASE("the file's name gives what the header leaves out", "[engine][parse]") {
  const auto read = [](const std::string& lines, const std::string& name) {
    return parse_migration(lines + "-- drover: parents none\n" + kDown, name);
  };

  SECTION("id and message") {
    const Migration file = read("", "m/0004_Add_content_hash.SQL");
    CHECK(file.id.value == "0004");
    CHECK(file.message == "Add content hash");
    CHECK(file.parents.empty());
  }
  SECTION("the message only, behind an id that holds '_' itself") {
    const Migration file = read("-- drover: revision ab_cd\n", "ab_cd_add_hash.sql");
    CHECK(file.id.value == "ab_cd");
    CHECK(file.message == "add hash");
  }
  SECTION("no message when it has none") {
    CHECK(read("", "0004.sql").message.empty());
    CHECK(read("-- drover: revision ab_cd\n", "ab_cd.sql").message.empty());
  }
  SECTION("a message line wins over it") {
    CHECK(read("-- drover: message Other\n", "0004_add.sql").message == "Other");
  }
  SECTION("a name of 300 characters is fine") {
    const std::string words(300, 'w');
    CHECK(read("", "0004_" + words + ".sql").message == words);
  }
  SECTION("a name that gives no good id is refused") {
    for (const std::string name :
         {"none_of_it.sql", "_x.sql", "0004-add.sql", "a b_x.sql", "Heads.sql"}) {
      INFO(name);
      try {
        read("", name);
        FAIL("it was accepted");
      } catch (const MigrationTextError& error) {
        CHECK(error.kind_name() == "bad_id");
        CHECK(error.hint() ==
              "Name the file ID_what_it_does.sql, as in 0004_add_content_hash.sql.");
      }
    }
  }
}

TEST_CASE("the parts of a file's name", "[engine][parse]") {
  CHECK(parts_of_file_name("x/0004_add_content_hash.sql").id == "0004");
  CHECK(parts_of_file_name("x/0004_add_content_hash.sql").message == "add content hash");
  CHECK(parts_of_file_name("0004.sql").id == "0004");
  CHECK(parts_of_file_name("0004.sql").message.empty());
  CHECK(parts_of_file_name("0004_v1.2.sql").message == "v1.2");
  CHECK(parts_of_file_name("0004_a.txt").message == "a.txt");
}

TEST_CASE("durations, sizes and shares need their units", "[engine][parse]") {
  using std::chrono::milliseconds;

  CHECK(duration_in("500ms") == milliseconds(500));
  CHECK(duration_in("5s") == milliseconds(5000));
  CHECK(duration_in("2min") == milliseconds(120000));
  CHECK(duration_in("1h") == milliseconds(3600000));
  CHECK(duration_in("0s") == milliseconds(0));
  CHECK(duration_in("2147483647ms") == milliseconds(2147483647));
  for (const std::string bad : {"",
                                "5",
                                "s",
                                "-5s",
                                "+5s",
                                "5 s",
                                "5m",
                                "5S",
                                "1.5s",
                                "1e3s",
                                "2147483648ms",
                                "9999999999999999999s",
                                "5s "}) {
    INFO(bad);
    CHECK_FALSE(duration_in(bad));
  }
  CHECK(bytes_in("16MB") == 16777216U);
  CHECK(bytes_in("1GB") == 1073741824U);
  CHECK(bytes_in("64kB") == 65536U);
  CHECK_FALSE(bytes_in("16mb"));
  CHECK_FALSE(bytes_in("999999999999999GB"));
  CHECK(percent_in("100%") == 100U);
  CHECK_FALSE(percent_in("101%"));
  CHECK_FALSE(percent_in("20"));
  CHECK_FALSE(number_in("0x10"));
  CHECK_FALSE(range_in("5..4"));
  CHECK(range_in("4..4")->most == 4);
}

TEST_CASE("what passes for a name can be put into SQL", "[engine][parse]") {
  for (const std::string good :
       {"files", "_f1$", "Gr\303\266\303\237e", "\"my files\"", "\"a\"\"b\"", "\"a;b\""}) {
    INFO(good);
    CHECK(is_name(good));
  }
  for (const std::string bad : {"",
                                "1a",
                                "a b",
                                "a-b",
                                "a;b",
                                "\"\"",
                                "\"a",
                                "a\"",
                                "\"a\"b\"",
                                "\"a\"\"",
                                "$a",
                                "a.b",
                                "'a'"}) {
    INFO(bad);
    CHECK_FALSE(is_name(bad));
  }
  CHECK(is_name(std::string(63, 'a')));
  CHECK_FALSE(is_name(std::string(64, 'a')));
  CHECK(is_qualified_name("a.\"b.c\""));
  CHECK_FALSE(is_qualified_name("a.b.c"));
  CHECK_FALSE(is_qualified_name("a."));
  CHECK(is_list_of_names("a , \"b,c\",d"));
  CHECK_FALSE(is_list_of_names("a,,b"));
  CHECK_FALSE(is_list_of_names("a,"));
  CHECK_FALSE(is_list_of_names("a b"));
}

}  // namespace drover::engine::parse
