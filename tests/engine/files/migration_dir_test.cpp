#include "engine/files/migration_dir.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/files/temporary_dir.h"

using drover::Error;
using drover::ErrorCode;
using drover::engine::Migration;
using drover::engine::RevisionId;
using drover::engine::files::load;
using drover::engine::files::load_all;
using drover::engine::files::LoadedMigrations;
using drover::engine::files::read_migration_dir;
using drover::engine::files::SourceFile;
using drover::engine::files::test::TemporaryDir;
using drover::engine::files::test::thrown_by;

namespace {

namespace fs = std::filesystem;

/// A revision called as the file is; refuses the content "bad".
Migration parsed(std::string bytes, const fs::path& path) {
  if (bytes == "bad") {
    throw Error(ErrorCode::usage, "bad_text", "bad text", "Write better.", {path.string(), 1, 1});
  }
  Migration migration;
  migration.id = RevisionId{path.stem().string()};
  migration.message = std::move(bytes);
  migration.source = path;
  return migration;
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const SourceFile& file : read_migration_dir(directory)) {
    names.push_back(file.path.filename().string());
  }
  return names;
}

Error refusal_of(const fs::path& directory) {
  return thrown_by<Error>([&] { read_migration_dir(directory); });
}

}  // namespace

TEST_CASE("a directory gives its migration files by name", "[engine][files]") {
  const TemporaryDir dir;
  dir.write("0002_b.sql", "two\r\n");
  dir.write("0001_a.sql", std::string("one\0!", 5));
  dir.write("0003_größe.sql", "");

  const auto files = read_migration_dir(dir.path());

  REQUIRE(files.size() == 3);
  CHECK(files[0].path == dir.path() / "0001_a.sql");
  CHECK(files[0].bytes == std::string("one\0!", 5));
  CHECK(files[1].bytes == "two\r\n");
  CHECK(files[2].bytes.empty());
}

TEST_CASE("what is not a migration is left alone", "[engine][files]") {
  const TemporaryDir dir;
  dir.write("0001_a.sql", "");
  dir.write(".0002_b.sql", "");
  dir.write("0003_c.sql~", "");
  dir.write("README.md", "");
  dir.write("sql", "");
  fs::create_directory(dir.path() / "old");
  dir.write("old/0004_d.sql", "");

  CHECK(names_in(dir.path()) == std::vector<std::string>{"0001_a.sql"});
}

TEST_CASE("messages name files as the directory was given", "[engine][files]") {
  const TemporaryDir dir;
  dir.write("0001_a.sql", "");
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());

  const auto files = read_migration_dir(".");
  fs::current_path(before);

  CHECK(files.front().path.generic_string() == "./0001_a.sql");
}

TEST_CASE("a file is read to its end, whatever its size", "[engine][files]") {
  const TemporaryDir dir;
  const std::string large(3'000'000, 'x');
  dir.write("0001_a.sql", large);

  CHECK(read_migration_dir(dir.path()).front().bytes == large);
}

TEST_CASE("a directory that cannot be read is refused", "[engine][files]") {
  const TemporaryDir dir;

  SECTION("because it is not there") {
    const auto error = refusal_of(dir.path() / "nope");
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.kind_name() == "migrations_dir_missing");
    CHECK(std::string(error.what()) ==
          "there is no migrations directory '" + (dir.path() / "nope").string() + "'");
  }

  SECTION("because it is a file") {
    const auto error = refusal_of(dir.write("file", ""));
    CHECK(error.kind_name() == "migrations_dir_not_readable");
    CHECK(std::string(error.what()) == "cannot read the migrations directory '" +
                                           (dir.path() / "file").string() + "': Not a directory");
  }
}

TEST_CASE("a link is followed only inside the directory", "[engine][files]") {
  const TemporaryDir outside;
  outside.write("secret.sql", "secret");
  const TemporaryDir dir;
  fs::create_directory(dir.path() / "..data");
  dir.write("..data/0001_a.sql", "inside");

  SECTION("to a file below it, as Kubernetes mounts them") {
    fs::create_symlink("..data/0001_a.sql", dir.path() / "0001_a.sql");
    CHECK(read_migration_dir(dir.path()).front().bytes == "inside");
  }

  SECTION("and the directory itself may be a link") {
    dir.write("0001_a.sql", "direct");
    fs::create_symlink("..data/0001_a.sql", dir.path() / "0002_b.sql");
    fs::create_directory_symlink(dir.path(), outside.path() / "link");
    CHECK(read_migration_dir(outside.path() / "link").back().bytes == "inside");
  }

  SECTION("not to a file elsewhere") {
    fs::create_symlink(outside.path() / "secret.sql", dir.path() / "0001_a.sql");
    const auto error = refusal_of(dir.path());
    CHECK(error.kind_name() == "link_out_of_directory");
    CHECK(std::string(error.what()) == "the link leads out of the migrations directory, to '" +
                                           fs::canonical(outside.path() / "secret.sql").string() +
                                           "'");
    CHECK(error.place().file == (dir.path() / "0001_a.sql").string());
  }

  SECTION("not to nothing") {
    fs::create_symlink("gone.sql", dir.path() / "0001_a.sql");
    const auto error = refusal_of(dir.path());
    CHECK(error.kind_name() == "file_not_readable");
    CHECK(error.code() == ErrorCode::storage);
    CHECK(std::string(error.what()) == "cannot read the file: No such file or directory");
  }
}

TEST_CASE("what is called a migration and is no regular file is refused", "[engine][files]") {
  const TemporaryDir dir;
  const fs::path path = dir.path() / "0001_a.sql";

  SECTION("a directory") {
    fs::create_directory(path);
  }
  SECTION("a pipe, without waiting for its writer") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  SECTION("a socket") {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(socket);
  }

  const auto error = refusal_of(dir.path());
  CHECK(error.kind_name() == "file_not_regular");
  CHECK(error.place().file == path.string());
}

TEST_CASE("a file name that is not UTF-8 is refused", "[engine][files]") {
  const TemporaryDir dir;
  dir.write("0001_\xFF.sql", "");

  const auto error = refusal_of(dir.path());
  CHECK(error.kind_name() == "file_name_not_utf8");
  CHECK(error.place().file == (dir.path() / "0001_\\xff.sql").string());
}

TEST_CASE("all files are parsed, and all errors kept", "[engine][files]") {
  const TemporaryDir dir;
  // More than are read one after the other, so that several threads are at work.
  for (int i = 1000; i < 1500; ++i) {
    dir.write(std::to_string(i) + ".sql", i % 100 == 7 ? "bad" : "good " + std::to_string(i));
  }
  fs::create_directory(dir.path() / "1000_a.sql");

  const LoadedMigrations loaded = load_all(dir.path(), parsed);

  CHECK(loaded.migrations.size() == 495);
  CHECK(loaded.migrations.front().id == RevisionId{"1000"});
  CHECK(loaded.migrations.back().message == "good 1499");
  REQUIRE(loaded.errors.size() == 6);
  CHECK(loaded.errors[0].kind_name() == "file_not_regular");
  CHECK(loaded.errors[1].place().file == (dir.path() / "1007.sql").string());
  CHECK(loaded.errors[5].place().file == (dir.path() / "1407.sql").string());
}

TEST_CASE("who needs all files gets the first error and the number of others", "[engine][files]") {
  const TemporaryDir dir;
  dir.write("0001_a.sql", "good");
  CHECK(load(dir.path(), parsed).size() == 1);

  dir.write("0002_b.sql", "bad");
  auto error = thrown_by<Error>([&] { load(dir.path(), parsed); });
  CHECK(std::string(error.what()) == "bad text");

  dir.write("0003_c.sql", "bad");
  error = thrown_by<Error>([&] { load(dir.path(), parsed); });
  CHECK(std::string(error.what()) == "bad text; 1 more file cannot be used");
  CHECK(error.kind_name() == "bad_text");
  CHECK(error.hint() == "Write better.");
  CHECK(error.place() == drover::Place{(dir.path() / "0002_b.sql").string(), 1, 1});
}

TEST_CASE("a bug in a parser is not taken for a bad file", "[engine][files]") {
  const TemporaryDir dir;
  dir.write("0001_a.sql", "");
  const auto broken = [](std::string, const fs::path&) -> Migration {
    throw std::logic_error("bug");
  };

  CHECK_THROWS_AS(load_all(dir.path(), broken), std::logic_error);
}
