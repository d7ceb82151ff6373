#include "orchestrator/backup/vault.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/error.h"
#include "orchestrator/backup/manifest.h"
#include "tests/support/temp_dir.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using drover::Error;
using drover::test::TempDir;
namespace fs = std::filesystem;

namespace {

Backup acme() {
  Backup backup;
  backup.tenant = {"acme"};
  backup.uid = "7c9e-a1";
  backup.environment = "prod";
  backup.server = "db1:5432";
  backup.database = "acme";
  backup.server_version = "15.20";
  backup.tool_version = "15.20";
  backup.started = WallTime(std::chrono::milliseconds(1'763'849'643'125));
  backup.run = "20261122-7f3a";
  backup.heads = {{"0001"}, {"0002"}};
  backup.epoch = 7;
  backup.rows_as = "copy";
  backup.tables = {{"public.files", 3, "00112233445566778899aabbccddeeff"}};
  return backup;
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Keeps `text` as a backup of `about`.
Backup kept(const Vault& vault, const Backup& about, const std::string& text) {
  Vault::Draft draft = vault.begin(folder_of(about), "dump");
  write(draft.path(), text);
  return vault.keep(std::move(draft), about);
}

/// Every path below `root`, without it.
std::set<std::string> paths_in(const fs::path& root) {
  std::set<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    paths.insert(fs::relative(entry.path(), root).string());
  }
  return paths;
}

unsigned mode_of(const fs::path& path) {
  struct stat found = {};
  REQUIRE(lstat(path.c_str(), &found) == 0);
  return found.st_mode & 07777U;
}

template <typename Act>
std::string error_of(Act act) {
  try {
    act();
  } catch (const Error& error) {
    return fmt::format("{}: {}", error.kind_name(), error.what());
  }
  return "";
}

}  // namespace

TEST_CASE("a kept backup has its file and its line, for its owner only") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  const Backup backup = kept(vault, acme(), "content");
  CHECK(backup.bytes == 7);
  CHECK(backup.sha256 == "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
  CHECK(backup.file == backup.id.value + ".dump");
  CHECK(paths_in(temp / "vault") ==
        std::set<std::string>{"376339652d6131",
                              "376339652d6131/" + backup.id.value + ".dump",
                              "376339652d6131/" + backup.id.value + ".json"});
  CHECK(mode_of(temp / "vault") == 0700);
  CHECK(mode_of(temp / "vault/376339652d6131") == 0700);
  CHECK(mode_of(vault.path_of(backup)) == 0600);
  CHECK(mode_of(temp / ("vault/376339652d6131/" + backup.id.value + ".json")) == 0600);
  REQUIRE(vault.all().size() == 1);
  CHECK(to_line(vault.all().front()) == to_line(backup));
  CHECK(vault.of_folder(folder_of(backup)).size() == 1);
}

TEST_CASE("a folder is kept as a whole, and its digest covers every file and name") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  Vault::Draft draft = vault.begin(folder_of(acme()), "dir");
  fs::create_directory(draft.path());
  write(draft.path() / "toc.dat", "list");
  write(draft.path() / "1.dat.gz", "rows");
  const Backup backup = vault.keep(std::move(draft), acme());
  const fs::path folder = vault.path_of(backup);
  CHECK(backup.bytes == 8);
  CHECK(mode_of(folder) == 0700);
  CHECK(content_of(folder).sha256 == backup.sha256);
  fs::rename(folder / "1.dat.gz", folder / "2.dat.gz");
  CHECK(content_of(folder).sha256 != backup.sha256);
  fs::rename(folder / "2.dat.gz", folder / "1.dat.gz");
  CHECK(content_of(folder).sha256 == backup.sha256);
  write(folder / "1.dat.gz", "rowz");
  CHECK(content_of(folder).sha256 != backup.sha256);
}

TEST_CASE("tenants share a folder only when they are the same one, and no name gets into a path") {
  Backup a = acme();
  Backup b = acme();
  b.tenant = {"other"};
  b.database = "moved";
  CHECK(folder_of(a) == folder_of(b));
  b.uid = "7c9e-a2";
  CHECK(folder_of(a) != folder_of(b));
  a.uid = "../../etc";
  CHECK(folder_of(a) == "2e2e2f2e2e2f657463");
  a.uid = "";
  b.uid = "";
  a.database = "../x";
  CHECK(folder_of(a).starts_with("new-"));
  CHECK(folder_of(a).size() == 36);
  CHECK(folder_of(a) != folder_of(b));
  b = a;  // the parts of a place do not run into one another
  a.database = "ab";
  a.schema = "c";
  b.database = "a";
  b.schema = "bc";
  CHECK(folder_of(a) != folder_of(b));
}

TEST_CASE("a draft that is not kept leaves nothing") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  {
    const Vault::Draft file = vault.begin(folder_of(acme()), "dump");
    write(file.path(), "half");
    const Vault::Draft folder = vault.begin(folder_of(acme()), "dir");
    fs::create_directory(folder.path());
    write(folder.path() / "toc.dat", "half");
    CHECK(paths_in(temp / "vault").size() == 4);
  }
  CHECK(paths_in(temp / "vault") == std::set<std::string>{"376339652d6131"});
}

TEST_CASE("what dead processes left is swept away, what living ones make and what is kept is not") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  const Backup backup = kept(vault, acme(), "content");
  const fs::path folder = vault.path_of(backup).parent_path();
  write(folder / "20261122T221403-0000000a.dump.part", "half");
  write(folder / "20261122T221403-0000000b.dump", "without a line");
  fs::create_directory(folder / "20261122T221403-0000000c.dir.part");
  write(folder / "20261122T221403-0000000c.dir.part/toc.dat", "half");
  write(folder / "20261122T221403-0000000d.json.part", "{");
  {
    const Vault::Draft draft = vault.begin(folder_of(backup), "dump");
    write(draft.path(), "under way");
    CHECK(vault.sweep() == 0);
    CHECK(fs::exists(draft.path()));
  }
  CHECK(vault.sweep() == 4);
  CHECK(paths_in(folder) == std::set<std::string>{backup.file, backup.id.value + ".json"});
  CHECK(vault.sweep() == 0);
}

TEST_CASE("what is no backup is never swept away, whatever folder is named as the root") {
  const TempDir temp;
  const fs::path root = temp / "shared";
  fs::create_directories(root / "photos");
  fs::create_directories(root / "abcd");
  write(root / "photos/summer.jpg", "x");
  write(root / "photos/summer.part", "x");
  write(root / "photos/list.json", "{}");
  write(root / "abcd/notes.txt", "x");
  write(root / "abcd/notes.json", "{}");
  write(root / "letter.part", "x");
  const std::set<std::string> before = paths_in(root);
  const Vault vault(root);
  CHECK(vault.sweep() == 0);
  CHECK(paths_in(root) == before);
  CHECK(vault.all().empty());
  CHECK(vault.damaged_lines().empty());
}

TEST_CASE("a root that others may write to, or one of its parents, is refused") {
  const TempDir temp;
  const fs::path root = temp / "open/vault";
  fs::create_directories(root);
  const auto open = [&] { const Vault vault(root); };
  CHECK(error_of(open) == "");
  chmod(root.c_str(), 0770);
  CHECK(error_of(open) ==
        fmt::format("backup_root_unsafe: {} may be written by others, so backups there cannot be "
                    "trusted",
                    root.string()));
  chmod(root.c_str(), 0700);
  chmod((temp / "open").c_str(), 0777);
  CHECK(error_of(open) ==
        fmt::format("backup_root_unsafe: {} may be written by everybody, so backups there cannot "
                    "be trusted",
                    (temp / "open").string()));
  chmod((temp / "open").c_str(), 01777);
  CHECK(error_of(open) == "");
  fs::create_symlink(root, temp / "link");
  CHECK(error_of([&] { const Vault vault(temp / "link"); }) ==
        fmt::format("backup_root_unsafe: {} is no folder, so backups there cannot be trusted",
                    (temp / "link").string()));
}

TEST_CASE("a symbolic link in place of a tenant's folder or a backup's file is not followed") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  fs::create_directories(temp / "elsewhere");
  fs::create_symlink(temp / "elsewhere", temp / "vault/376339652d6131");
  CHECK(error_of([&] {
          vault.begin(folder_of(acme()), "dump");
        }).starts_with("file_not_writable: cannot be locked: "));
  fs::remove(temp / "vault/376339652d6131");
  const Backup backup = kept(vault, acme(), "content");
  write(temp / "elsewhere/copy", "content");
  fs::remove(vault.path_of(backup));
  fs::create_symlink(temp / "elsewhere/copy", vault.path_of(backup));
  CHECK(error_of([&] { content_of(vault.path_of(backup)); }) ==
        "file_not_readable: cannot be opened: Too many levels of symbolic links");
}

TEST_CASE("backups are found by the beginning of their id") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  const Backup one = kept(vault, acme(), "1");
  const Backup two = kept(vault, acme(), "2");
  CHECK(vault.find(one.id.value).sha256 == one.sha256);
  CHECK(error_of([&] { vault.find("x"); }) == "unknown_backup: there is no backup 'x'");
  CHECK(error_of([&] { vault.find(""); }) == "unknown_backup: there is no backup ''");
  const auto [first, second] = std::minmax(one.id.value, two.id.value);
  CHECK(error_of([&] { vault.find("2"); }) ==
        fmt::format("ambiguous_backup: '2' may be {} or {}", first, second));
  vault.remove(one);
  CHECK(vault.find("2").id == two.id);
  CHECK(paths_in(vault.path_of(two).parent_path()) ==
        std::set<std::string>{two.file, two.id.value + ".json"});
}

TEST_CASE(
    "every flipped byte of a backup's file is found, and it cannot become longer or shorter") {
  const TempDir temp;
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += static_cast<char>(i * i % 251);
  }
  const Vault vault(temp / "vault");
  const Backup backup = kept(vault, acme(), text);
  const fs::path file = vault.path_of(backup);
  std::size_t found = 0;
  for (std::size_t i = 0; i < 1'000; ++i) {
    std::string damaged = text;
    damaged[i * text.size() / 1'000] ^= static_cast<char>(1U << (i % 8U));
    write(file, damaged);
    found += content_of(file).sha256 != backup.sha256 ? 1U : 0U;
  }
  CHECK(found == 1'000);
  write(file, text + "\n");
  CHECK(content_of(file).bytes == backup.bytes + 1);
  write(file, text);
  CHECK(content_of(file).sha256 == backup.sha256);
}

TEST_CASE("every flipped bit of a line of the manifest is found") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  const Backup backup = kept(vault, acme(), "content");
  const fs::path line = vault.path_of(backup).replace_extension(".json");
  const std::string text = text_of(line);
  CHECK(to_line(from_line(text, "")) == text);
  std::size_t missed = 0;
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    std::string damaged = text;
    damaged[i / 8] ^= static_cast<char>(1U << (i % 8U));
    missed += error_of([&] { from_line(damaged, ""); }).empty() ? 1U : 0U;
  }
  CHECK(missed == 0);
  CHECK(error_of([&] { from_line(text.substr(0, text.size() / 2), ""); }) ==
        "manifest_damaged: the manifest of a backup cannot be read");
  write(line, text.substr(1));
  CHECK(vault.all().empty());
  CHECK(vault.damaged_lines() == std::vector<fs::path>{line});
  CHECK(vault.sweep() == 0);  // its file is still worth something
}

TEST_CASE("a line that stands where another backup's belongs is a damaged one") {
  const TempDir temp;
  const Vault vault(temp / "vault");
  const Backup backup = kept(vault, acme(), "content");
  Backup other = acme();
  other.uid = "another";
  const Backup theirs = kept(vault, other, "theirs");
  const fs::path line = vault.path_of(backup).replace_extension(".json");
  const fs::path foreign = vault.path_of(theirs).replace_extension(".json");
  fs::copy_file(line, foreign, fs::copy_options::overwrite_existing);
  CHECK(vault.damaged_lines() == std::vector<fs::path>{foreign});
  fs::remove(foreign);
  Backup escaped = backup;
  escaped.file = "../../precious";
  write(line, to_line(escaped));
  CHECK(vault.damaged_lines() == std::vector<fs::path>{line});
  CHECK(vault.all().empty());
}

TEST_CASE("a full disk keeps no backup and leaves nothing of it") {
  const TempDir temp;
  fs::create_directories(temp / "disk");
  if (mount("drover-test", (temp / "disk").c_str(), "tmpfs", 0, "size=256k,mode=0700") != 0) {
    WARN("skipped: a tmpfs cannot be mounted here");
    return;
  }
  {
    const Vault vault(temp / "disk/vault");
    const auto fill = [&] {
      Vault::Draft draft = vault.begin(folder_of(acme()), "dump");
      write(draft.path(), std::string(300'000, 'x'));
      vault.keep(std::move(draft), acme());
    };
    const std::string said = error_of(fill);
    CHECK(said == "file_not_writable: cannot be written: No space left on device");
    CHECK(paths_in(temp / "disk/vault") == std::set<std::string>{"376339652d6131"});
    CHECK(vault.all().empty());
  }
  umount((temp / "disk").c_str());
}
