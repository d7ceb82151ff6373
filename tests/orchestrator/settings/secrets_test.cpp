#include "orchestrator/settings/secrets.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/support/temp_dir.h"

using drover::Error;
using drover::orchestrator::settings::EnvironmentVariables;
using drover::orchestrator::settings::Given;
using drover::orchestrator::settings::Secrets;
using drover::test::TempDir;

namespace {

namespace fs = std::filesystem;

const EnvironmentVariables kVariables = {
    {"TOKEN", "open sesame"}, {"TRICK", "${env:TOKEN}"}, {"EMPTY", ""}};

struct World {
  TempDir folder;
  Secrets secrets{folder.path(), kVariables};

  std::string expand(const std::string& text) {
    return secrets.expand({"store", text, {"drover.yaml", 2, 8}, Given::Style::plain});
  }

  std::string error_of(const std::string& text) {
    try {
      return "expanded to " + expand(text);
    } catch (const Error& error) {
      return to_string(error.place()) + ": " + error.what() + " | " + error.hint();
    }
  }

  fs::path write_private(const std::string& name, const std::string& text) {
    const fs::path file = folder.write(name, text);
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    return file;
  }
};

}  // namespace

TEST_CASE("a reference to a variable is replaced, wherever it stands") {
  World world;
  CHECK(world.expand("${env:TOKEN}") == "open sesame");
  CHECK(world.expand("postgres://u:${env:TOKEN}@db/${env:EMPTY}x") ==
        "postgres://u:open sesame@db/x");
}

TEST_CASE("what an expansion brings in is not expanded again") {
  World world;
  CHECK(world.expand("${env:TRICK}") == "${env:TOKEN}");
}

TEST_CASE("a dollar that starts no reference is itself") {
  World world;
  CHECK(world.expand("$1 $TOKEN $$ {env:TOKEN} $") == "$1 $TOKEN $$ {env:TOKEN} $");
  CHECK(world.expand("$${env:TOKEN} and ${env:TOKEN}") == "${env:TOKEN} and open sesame");
  CHECK_FALSE(Secrets::refers("$1 $${env:TOKEN}"));
  CHECK(Secrets::refers("$${x} ${env:TOKEN}"));
}

TEST_CASE("a file's last line break, and only that, is not part of the secret") {
  World world;
  world.write_private("lf", "open sesame\n");
  world.write_private("crlf", "open sesame\r\n");
  world.write_private("two", " open sesame \n\n");
  CHECK(world.expand("${file:lf}") == "open sesame");
  CHECK(world.expand("${file:crlf}") == "open sesame");
  CHECK(world.expand("${file:two}") == " open sesame \n");
  CHECK(world.expand("${file:" + (world.folder / "lf").string() + "}") == "open sesame");
}

TEST_CASE("a file that others may read is no secret") {
  World world;
  const fs::path file = world.write_private("token", "open sesame\n");
  for (const auto& [mode, shown] : std::map<unsigned, std::string>{
           {0644, "0644"}, {0640, "0640"}, {0604, "0604"}, {0620, "0620"}}) {
    fs::permissions(file, fs::perms(mode));
    CHECK(world.error_of("${file:token}") == "drover.yaml:2:8: store needs the file " +
                                                 file.string() + ", which others may read (mode " +
                                                 shown + ") | Run: chmod 600 " + file.string());
  }
  fs::permissions(file, fs::perms::owner_read);
  CHECK(world.expand("${file:token}") == "open sesame");
}

TEST_CASE("a file that cannot be a secret is refused") {
  World world;
  const std::string folder = world.folder.path().string();
  world.write_private("huge", std::string(64 * 1024 + 1, 'x'));
  CHECK(
      world.error_of("${file:missing}") ==
      "drover.yaml:2:8: store needs the file " + folder +
          "/missing, which cannot be read: No such file or directory | Create the file, or correct "
          "the path.");
  CHECK(world.error_of("${file:.}") ==
        "drover.yaml:2:8: store needs " + folder + "/., which is not a file | Name a plain file.");
  CHECK(world.error_of("${file:/dev/null}") ==
        "drover.yaml:2:8: store needs /dev/null, which is not a file | Name a plain file.");
  CHECK(world.error_of("${file:huge}") ==
        "drover.yaml:2:8: store needs the file " + folder +
            "/huge, which is longer than 64 KiB | A secret is short: check the path.");
}

TEST_CASE("a command's output is the secret, and it runs once") {
  World world;
  world.secrets.set_commands({{"vault", {"/bin/sh", "-c", "echo run >> runs; echo open sesame"}}});
  CHECK(world.expand("${cmd:vault} ${cmd:vault}") == "open sesame open sesame");
  CHECK(world.expand("${cmd:vault}") == "open sesame");
  CHECK(world.folder.read("runs") == "run\n");
}

TEST_CASE("a command that fails shows nothing of what it said") {
  World world;
  world.secrets.set_commands(
      {{"vault", {"/bin/sh", "-c", "echo open sesame; echo sesame >&2; exit 7"}},
       {"chatty", {"yes"}},
       {"gone", {"/nonexistent/vault"}}});
  const std::string hint =
      " | Run the command by hand to see what it says; nothing of its output is shown here.";
  CHECK(world.error_of("${cmd:vault}") ==
        "drover.yaml:2:8: store needs the command 'vault', which exited with status 7" + hint);
  CHECK(world.error_of("${cmd:chatty}") ==
        "drover.yaml:2:8: store needs the command 'chatty', which wrote more than 65536 bytes" +
            hint);
  CHECK(world.error_of("${cmd:gone}") ==
        "drover.yaml:2:8: command '/nonexistent/vault' cannot be started: No such file or "
        "directory | "
        "Check that the program exists, may be executed and is in PATH.");
}

TEST_CASE("a command does not see the secrets of our own environment") {
  World world;
  ::setenv("DROVER_TEST_TOKEN", "open sesame", 1);
  world.secrets.set_commands({{"env", {"/usr/bin/env"}}});
  const std::string seen = world.expand("${cmd:env}");
  ::unsetenv("DROVER_TEST_TOKEN");
  CHECK(seen.find("sesame") == std::string::npos);
}

TEST_CASE("a check looks at the words and reads nothing") {
  World world;
  world.secrets.set_commands({{"vault", {"/bin/sh", "-c", "echo run >> runs"}}});
  const Given good{"store", "${env:NOWHERE} ${file:nowhere} ${cmd:vault}", {}, {}};
  world.secrets.check(good);
  CHECK_FALSE(fs::exists(world.folder / "runs"));
  const Given bad{"store", "${cmd:valut}", {}, {}};
  CHECK_THROWS_WITH(world.secrets.check(bad),
                    "store needs the command 'valut', which is not under commands");
}
