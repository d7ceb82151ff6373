#include "engine/files/migration_writer.h"

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/files/migration_dir.h"
#include "engine/migration_set.h"
#include "engine/parse/migration_text.h"
#include "tests/engine/files/temporary_dir.h"

using drover::Error;
using drover::engine::GraphError;
using drover::engine::Migration;
using drover::engine::MigrationSet;
using drover::engine::RevisionId;
using drover::engine::files::create_migration;
using drover::engine::files::file_name_of;
using drover::engine::files::IdStyle;
using drover::engine::files::load;
using drover::engine::files::NewMigration;
using drover::engine::files::next_id;
using drover::engine::files::renumber;
using drover::engine::files::slug_of;
using drover::engine::files::Template;
using drover::engine::files::text_of;
using drover::engine::files::test::content_of;
using drover::engine::files::test::TemporaryDir;
using drover::engine::files::test::thrown_by;

namespace {

namespace fs = std::filesystem;

std::vector<RevisionId> ids(std::initializer_list<std::string> names) {
  std::vector<RevisionId> result;
  for (const std::string& name : names) {
    result.push_back(RevisionId{name});
  }
  return result;
}

std::vector<Migration> loaded(const TemporaryDir& dir) {
  return load(dir.path(), drover::engine::parse::parse_migration);
}

std::vector<std::string> names_in(const TemporaryDir& dir) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A file as `create` makes it, following `parents`.
fs::path created(const TemporaryDir& dir,
                 const std::string& id,
                 std::initializer_list<std::string> parents,
                 const std::string& message = "step") {
  return create_migration(dir.path(), {RevisionId{id}, ids(parents), message, Template::empty});
}

}  // namespace

TEST_CASE("the next number follows the largest, as wide as the widest", "[engine][files]") {
  CHECK(next_id({}, IdStyle::number) == RevisionId{"0001"});
  CHECK(next_id(ids({"0001", "0009"}), IdStyle::number) == RevisionId{"0010"});
  CHECK(next_id(ids({"9999"}), IdStyle::number) == RevisionId{"10000"});
  CHECK(next_id(ids({"000007", "0003"}), IdStyle::number) == RevisionId{"000008"});
  CHECK(next_id(ids({"20240131120000"}), IdStyle::number) == RevisionId{"20240131120001"});
  CHECK(next_id(ids({"0002", "ae1027a6acf3"}), IdStyle::number) == RevisionId{"0003"});

  const auto error =
      thrown_by<Error>([] { next_id(ids({"18446744073709551615"}), IdStyle::number); });
  CHECK(std::string(error.what()) == "no number comes after '18446744073709551615'");
}

TEST_CASE("a random id is twelve hex digits that are no number", "[engine][files]") {
  for (int i = 0; i < 1000; ++i) {
    const std::string id = next_id({}, IdStyle::random).value;
    REQUIRE(id.size() == 12);
    REQUIRE(id.find_first_not_of("0123456789abcdef") == std::string::npos);
    REQUIRE(id.find_first_of("abcdef") != std::string::npos);
  }
}

TEST_CASE("a slug is short, and cut between words", "[engine][files]") {
  CHECK(slug_of("Store a SHA-256 of every file") == "store_a_sha_256_of_every_file");
  CHECK(slug_of("  --  Add!  ") == "add");
  CHECK(slug_of("?!") == "");
  CHECK(slug_of("Größe in Bytes") == "größe_in_bytes");
  CHECK(slug_of("exactly forty characters of this and that") ==
        "exactly_forty_characters_of_this_and");
  CHECK(slug_of("twenty characters ab plus nineteen more") ==
        "twenty_characters_ab_plus_nineteen_more");
  CHECK(slug_of(std::string(50, 'x')) == std::string(40, 'x'));
  CHECK(slug_of(std::string(39, 'x') + " yy") == std::string(39, 'x'));
  CHECK(slug_of(std::string(40, 'x') + " yy") == std::string(40, 'x'));

  CHECK(file_name_of(RevisionId{"0004"}, "Add hash") == "0004_add_hash.sql");
  CHECK(file_name_of(RevisionId{"0004"}, "") == "0004.sql");
}

TEST_CASE("a new file holds its header and what to fill in", "[engine][files]") {
  const NewMigration migration = {RevisionId{"0004"},
                                  ids({"0003", "0002"}),
                                  " Store a hash ",
                                  Template::normal,
                                  {"files", "hashes"},
                                  ids({"0001"})};

  CHECK(text_of(migration) ==
        "-- drover: revision 0004\n"
        "-- drover: parents 0003, 0002\n"
        "-- drover: message Store a hash\n"
        "-- drover: labels files, hashes\n"
        "-- drover: depends 0001\n"
        "\n"
        "-- drover: up\n"
        "-- Write here what makes the change.\n"
        "\n"
        "-- drover: down\n"
        "-- Write here what takes it back.\n");

  CHECK(text_of({RevisionId{"0001"}, {}, "", Template::empty}) ==
        "-- drover: revision 0001\n"
        "-- drover: parents none\n"
        "\n"
        "-- drover: up\n"
        "\n"
        "-- drover: down\n");
}

TEST_CASE("every template is a migration that parses", "[engine][files]") {
  const auto kind = GENERATE(Template::normal, Template::empty, Template::data, Template::merge);
  const TemporaryDir dir;
  const fs::path path = create_migration(
      dir.path(), {RevisionId{"0004"}, ids({"0002", "0003"}), "Do it", kind, {"x"}, ids({"0001"})});

  const Migration migration = drover::engine::parse::parse_migration(content_of(path), path);

  CHECK(migration.id == RevisionId{"0004"});
  CHECK(migration.parents == ids({"0002", "0003"}));
  CHECK(migration.depends == ids({"0001"}));
  CHECK(migration.labels == std::vector<std::string>{"x"});
  CHECK(migration.message == "Do it");
  CHECK_FALSE(migration.irreversible);
}

TEST_CASE("a new file is refused that could not be read again", "[engine][files]") {
  const auto refusal_of = [](const NewMigration& migration) {
    const auto error = thrown_by<Error>([&] { text_of(migration); });
    return error.kind_name() + ": " + error.what();
  };

  CHECK(refusal_of({RevisionId{"a_b"}, {}, "m"}) == "invalid_id: the id 'a_b' holds '_'");
  CHECK(refusal_of({RevisionId{"head"}, {}, "m"}) ==
        "invalid_id: the id 'head' is a reserved word");
  CHECK(refusal_of({RevisionId{"1"}, {}, "m", Template::normal, {"a b"}}) ==
        "invalid_label: the label 'a b' holds a blank");
  CHECK(refusal_of({RevisionId{"1"}, {}, "m\n-- drover: down"}) ==
        "invalid_message: the message holds a line break or another control character");
  CHECK(refusal_of({RevisionId{"1"}, {}, "\xC0\x80"}) ==
        "invalid_message: the message is not UTF-8");
  CHECK(refusal_of({RevisionId{"1"}, ids({"0001"}), "m", Template::merge}) ==
        "merge_needs_parents: a merge needs several parents, and one was given");
}

TEST_CASE("a file is written whole, and never over another", "[engine][files]") {
  const TemporaryDir dir;
  const fs::path path = created(dir, "0001", {});
  const std::string text = content_of(path);

  const auto error = thrown_by<Error>([&] {
    create_migration(dir.path(), {RevisionId{"0001"}, ids({"0000"}), "step"});
  });

  CHECK(error.kind_name() == "file_exists");
  CHECK(error.place().file == path.string());
  CHECK(content_of(path) == text);
  CHECK(names_in(dir) == std::vector<std::string>{"0001_step.sql"});
  CHECK(thrown_by<Error>([&] {
          create_migration(dir.path() / "nope", {RevisionId{"0002"}, {}, "step"});
        }).kind_name() == "file_not_writable");
}

TEST_CASE("a number taken twice is refused, and put right", "[engine][files]") {
  const TemporaryDir dir;
  created(dir, "0001", {});
  created(dir, "0002", {"0001"}, "theirs");
  const fs::path ours = created(dir, "0002", {"0001"}, "ours");

  const auto error = thrown_by<GraphError>([&] { MigrationSet::build(loaded(dir)); });
  CHECK(std::string(error.what()) ==
        "revision '0002' is already defined by " + ours.generic_string());
  CHECK(error.place().file == (dir.path() / "0002_theirs.sql").generic_string());

  const auto renumbered = renumber(ours, loaded(dir));

  CHECK(renumbered.id == RevisionId{"0003"});
  CHECK(renumbered.file == dir.path() / "0003_ours.sql");
  CHECK(names_in(dir) ==
        std::vector<std::string>{"0001_step.sql", "0002_theirs.sql", "0003_ours.sql"});
  CHECK(MigrationSet::build(loaded(dir)).find(RevisionId{"0003"})->message == "ours");
}

TEST_CASE("renumbering changes the revision line and nothing else", "[engine][files]") {
  const TemporaryDir dir;

  SECTION("of a file with a byte order mark and CRLF") {
    const auto file =
        dir.write("0002_x.sql",
                  "\xEF\xBB\xBF-- drover: revision 0002\r\n-- drover: parents 0001\r\n"
                  "-- drover: up\r\nSELECT '0002';\r\n-- drover: down\r\n");
    CHECK(content_of(renumber(file, loaded(dir)).file) ==
          "\xEF\xBB\xBF-- drover: revision 0003\r\n-- drover: parents 0001\r\n"
          "-- drover: up\r\nSELECT '0002';\r\n-- drover: down\r\n");
  }

  SECTION("of a file whose name alone gives the id") {
    const std::string text =
        "-- drover: parents 0001\n-- drover: message The 0002\n"
        "-- drover: up\n-- drover: down\n";
    const auto file = dir.write("0002_x.sql", text);
    CHECK(content_of(renumber(file, loaded(dir)).file) == text);
  }
}

TEST_CASE("a file that others name keeps its number", "[engine][files]") {
  const TemporaryDir dir;
  const fs::path first = created(dir, "0001", {});
  created(dir, "0002", {"0001"});
  created(dir, "0003", {"0002"});
  create_migration(dir.path(),
                   {RevisionId{"0004"}, ids({"0003"}), "dep", Template::empty, {}, ids({"0001"})});

  const auto error = thrown_by<Error>([&] { renumber(first, loaded(dir)); });

  CHECK(error.kind_name() == "still_referenced");
  CHECK(std::string(error.what()) == "revision '0001' is named by " +
                                         (dir.path() / "0002_step.sql").generic_string() + ", " +
                                         (dir.path() / "0004_dep.sql").generic_string());
  CHECK(error.place().file == first.generic_string());
  CHECK(fs::exists(first));
}

TEST_CASE("only a migration can be renumbered", "[engine][files]") {
  const TemporaryDir dir;
  const TemporaryDir elsewhere;
  created(dir, "0001", {});
  const fs::path other = created(elsewhere, "0001", {});

  CHECK(thrown_by<Error>([&] { renumber(other, loaded(dir)); }).kind_name() == "not_a_migration");
  CHECK(thrown_by<Error>([&] { renumber(dir.path() / "0009_x.sql", loaded(dir)); }).kind_name() ==
        "not_a_migration");
}
