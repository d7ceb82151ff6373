/// A proven copy of one tenant's data, and what is known of it: a line of the manifest.
///
/// backup/ makes, keeps, checks and removes them, and puts PostgreSQL tenants back; api/ does so
/// for a whole fleet. Nothing here reads or writes anything.
///
/// Thread safety: values and pure functions.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/content_digest.h"
#include "engine/revision_id.h"
#include "orchestrator/journal.h"
#include "orchestrator/options.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// "20261122T221403-4f2a9c31": when it was begun, and what tells it from others of that second.
struct BackupId {
  std::string value;

  auto operator<=>(const BackupId&) const = default;
};

/// What belongs to a tenant alone, and so is saved and put back.
enum class Extent {
  whole,   ///< The database, or the SQLite file.
  schema,  ///< Its schema: others have theirs in the same database.
};

/// The tenant a backup is made of, as its history was read just before.
struct BackupSubject {
  Tenant tenant;
  Extent extent = Extent::whole;
  std::string uid;  ///< Empty: the tenant has no history yet.
  std::vector<engine::RevisionId> heads;
  std::int64_t epoch = 0;
  std::string environment;
  std::string run;          ///< Empty: made by hand.
  std::uint64_t bytes = 0;  ///< Of its data; 0: not known.
};

struct Backup {
  BackupId id;
  TenantId tenant;
  std::string uid;  ///< Empty: the tenant had no history yet.
  std::string environment;
  std::string server;
  std::string database;
  std::string schema;  ///< Empty: the whole database, or file.
  BackupOptions::Provider provider = BackupOptions::Provider::pg_dump;
  std::string file;    ///< Its name in the tenant's folder; empty: it is kept elsewhere.
  std::string handle;  ///< Of what is kept elsewhere: a database, or what a command printed.
  std::uint64_t bytes = 0;
  std::string sha256;  ///< Of the file, or of a folder's listing; empty without a file.
  std::string server_version;
  std::string tool_version;
  WallTime started;
  WallTime finished;
  std::string run;     ///< Empty: made by hand.
  bool aside = false;  ///< What a restore replaced; restored itself only by its id.
  std::vector<engine::RevisionId> heads;  ///< Of the history when it was made, sorted.
  std::int64_t epoch = 0;
  std::string rows_as;  ///< How the rows of `tables` were written down: "copy", "sqlite", "record".
  std::vector<engine::TableDigest> tables;  ///< By table.

  bool operator==(const Backup&) const = default;
};

/// What a backup that is there must be to stand for one of now.
struct BackupWanted {
  std::optional<std::chrono::milliseconds> max_age;  ///< Nullopt: of this run.
  bool changed_by_run = false;  ///< The run has changed the tenant already: what counts is before.
};

/// Whether `backup` saves what a change of `subject` at `now` could harm: one of the same run, from
/// before its first change; or one young enough, with the history where it is now.
bool serves(const Backup& backup,
            const BackupSubject& subject,
            const BackupWanted& wanted,
            WallTime now);

/// Points to static storage: "pg_dump", "template_copy" ...
std::string_view name_of(BackupOptions::Provider provider) noexcept;
std::optional<BackupOptions::Provider> provider_named(std::string_view name) noexcept;

/// What backs `tenant` up under `options`.
BackupOptions::Provider provider_for(const BackupOptions& options, const Tenant& tenant) noexcept;

/// What belongs to each tenant of `fleet`, which is all of it: a schema, where that is not "public"
/// or another tenant is in the same database.
std::map<TenantId, Extent> extents_of(const std::vector<Tenant>& fleet);

}  // namespace drover::orchestrator
