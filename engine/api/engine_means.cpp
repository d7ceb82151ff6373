#include "engine/api/engine_means.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/files/migration_dir.h"
#include "engine/parse/migration_text.h"
#include "engine/postgres/conninfo.h"
#include "engine/sqlite/sqlite_target.h"

namespace drover::engine::api {
namespace {

constexpr std::string_view kSqlitePrefix = "sqlite:";

Error invalid_target(const std::string& message, std::string hint) {
  return {ErrorCode::usage, "invalid_target", message, std::move(hint)};
}

/// A file without a `parents` line is told which revisions it could follow.
Error with_heads(const Error& error, const std::vector<Migration>& others) {
  if (error.kind_name() != "missing_parents") {
    return error;
  }
  std::vector<std::string> heads;
  try {
    for (const RevisionId& id : MigrationSet::build(others).graph().heads()) {
      heads.push_back(id.value);
    }
  } catch (const Error&) {
    return error;  // the others are not sound either, and will be reported
  }
  const std::string hint =
      heads.empty() ? "Add the line '-- drover: parents none'."
                    : fmt::format("Add the line '-- drover: parents {}' (the heads are {}).",
                                  heads.front(),
                                  fmt::join(heads, ", "));
  return {error.code(), error.kind_name(), error.what(), hint, error.place()};
}

/// Whether `path`, with every link followed, stays below `root`.
bool stays_below(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto real_root = std::filesystem::weakly_canonical(root);
  const auto real = std::filesystem::weakly_canonical(path);
  const auto ends = std::mismatch(real_root.begin(), real_root.end(), real.begin(), real.end());
  return ends.first == real_root.end();
}

}  // namespace

OpenResult EngineSessions::open(const Target& target,
                                const OpenOptions& options,
                                const Patience& patience) {
  return target.dialect == Dialect::postgres ? postgres_.open(target, options, patience)
                                             : sqlite_.open(target, options, patience);
}

Target parse_target(std::string_view text) {
  if (text.starts_with(kSqlitePrefix)) {
    return sqlite::sqlite_target(std::string(text.substr(kSqlitePrefix.size())));
  }
  return postgres::parse_pg_target(text);
}

Target parse_source_target(std::string_view text, const std::filesystem::path& sqlite_root) {
  if (!text.starts_with(kSqlitePrefix)) {
    return postgres::parse_source_pg_target(text, {});
  }
  if (sqlite_root.empty()) {
    throw invalid_target("the source names an SQLite file and has no root",
                         "Add `root:` to the source: the folder that its files stay in.");
  }
  const std::filesystem::path given{std::string(text.substr(kSqlitePrefix.size()))};
  const std::filesystem::path path = given.is_absolute() ? given : sqlite_root / given;
  const bool climbs = std::find(given.begin(), given.end(), "..") != given.end();
  if (climbs || !stays_below(path, sqlite_root)) {
    throw invalid_target("the SQLite file leaves the source's root",
                         "Give a path below the root, without `..` and without a link out of it.");
  }
  return sqlite::sqlite_target(path);
}

MigrationSet load_migrations(const std::filesystem::path& directory) {
  files::LoadedMigrations loaded = files::load_all(directory, parse::parse_migration);
  if (!loaded.errors.empty()) {
    throw with_heads(loaded.errors.front(), loaded.migrations);
  }
  return MigrationSet::build(std::move(loaded.migrations));
}

MigrationSet load_migrations(const std::map<std::string, std::string>& texts) {
  std::vector<Migration> migrations;
  migrations.reserve(texts.size());
  for (const auto& [name, bytes] : texts) {
    migrations.push_back(parse::parse_migration(bytes, name));
  }
  return MigrationSet::build(std::move(migrations));
}

std::vector<Error> check_migrations(const std::filesystem::path& directory) {
  files::LoadedMigrations loaded = files::load_all(directory, parse::parse_migration);
  std::vector<Error> errors;
  for (const Error& error : loaded.errors) {
    errors.push_back(with_heads(error, loaded.migrations));
  }
  if (errors.empty()) {
    try {
      MigrationSet::build(std::move(loaded.migrations));
    } catch (const Error& error) {
      errors.push_back(error);
    }
  }
  return errors;
}

std::string who_we_are() {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) {
    host[0] = '?';
  }
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
  const std::string user =
      found != nullptr ? std::string(entry.pw_name) : fmt::format("uid {}", geteuid());
  return fmt::format("{}@{}", user, host.data());
}

}  // namespace drover::engine::api
