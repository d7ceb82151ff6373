/// What putting tenants back works with: sessions, a clock, the source of the content, and someone
/// who is told of each step.
///
/// Thread safety: values; what they refer to is the callers'.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/clock.h"
#include "engine/content_digest.h"
#include "engine/fault.h"
#include "engine/session.h"
#include "engine/target.h"
#include "orchestrator/backup.h"

namespace drover::orchestrator::backup {

/// All references must outlive what is done with it.
struct RestoreMeans {
  engine::SessionFactory& sessions;
  engine::Clock& clock;

  /// The same server and role in another database: engine::postgres::with_database.
  std::function<engine::Target(const engine::Target&, std::string_view)> with_database;

  /// Told before each step: "creating database acme_restore_4f2a9c". What it throws ends the work
  /// as if the process had died there.
  std::function<void(std::string_view)> on_step = nullptr;

  std::string maintenance_database = "postgres";  ///< Where databases are made and renamed from.
  std::string history_schema = {};                ///< As in engine::ApproachOptions.
  engine::Milliseconds connect_timeout{10'000};
  engine::Milliseconds lock_timeout{1'000};    ///< Of one attempt at a lock that tables need.
  engine::Milliseconds lock_wait{30'000};      ///< For the tenant's lock, or those of its tables.
  engine::Milliseconds sessions_wait{30'000};  ///< For sessions that were told to end.
};

/// What was found in a database, or why it could not be read.
struct ContentReading {
  std::vector<engine::TableDigest> tables;
  std::optional<engine::TenantFault> fault;
};

/// Where the content of a backup comes from, and how what was put back is read for the proof.
/// Implementations: archive_source.h (pg_restore) and template_copy.h. One thread at a time.
class BackupSource {
 public:
  BackupSource() = default;
  BackupSource(const BackupSource&) = delete;
  BackupSource& operator=(const BackupSource&) = delete;
  virtual ~BackupSource() = default;

  /// The database that the new one is a copy of; empty: it begins empty, and fill() fills it.
  virtual std::string template_database() const = 0;

  /// Puts the content into the database of `target`: all of it, or nothing and a fault.
  virtual std::optional<engine::TenantFault> fill(const engine::Target& target,
                                                  const engine::Patience& patience) = 0;

  /// Reads every table in the database of `target`, or in its schema, as the manifest's digests
  /// were made.
  virtual ContentReading read(const engine::Target& target,
                              Extent extent,
                              const engine::Patience& patience) = 0;
};

/// What is to be put back, and as what.
struct RestoreRequest {
  const Tenant& tenant;
  const Backup& backup;
  BackupSource& source;

  /// Tells this restore from all others of the tenant, and is part of the names that it makes:
  /// "4f2a9c". A call with the mark of a restore that was cut short goes on with it.
  std::string mark;

  /// What the tenant's history said it is when it was last read; empty: not known. Stands in where
  /// the live history cannot be read.
  std::string uid = {};
  std::string environment = {};  ///< That we work for; empty: not compared.
};

}  // namespace drover::orchestrator::backup
