/// The backups of an environment: where they are kept, and how its tenants are backed up, checked
/// and put back, whatever kind each of them is.
///
/// Brings backup/ together with engine/sqlite and the environment's settings. Whether and when a
/// tenant needs a backup says run_backups.h.
///
/// Thread safety: any thread may call anything, for one tenant from one thread at a time.
/// Errors: what goes wrong with one tenant is a TenantFault; Error usage: no_backups, those of
/// vault.h and pg_tools.h.

#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/clock.h"
#include "engine/fault.h"
#include "orchestrator/api/backup_line.h"
#include "orchestrator/api/workspace.h"
#include "orchestrator/backup.h"

namespace drover::orchestrator {

/// Told of each step: "creating database acme_restore_4f2a9c".
using OnStep = std::function<void(std::string_view)>;

/// What became of a tenant that was to be put back.
struct PutBack {
  std::optional<engine::TenantFault> fault;  ///< Nullopt: it holds what the backup holds.
  std::string kept;  ///< What it held before: "database acme_before_4f2a9c"; empty: nothing.
};

/// What became of a backup that was restored into a throw-away database or file.
struct BackupDrill {
  std::optional<engine::TenantFault> fault;  ///< Nullopt: it can be put back.
  std::size_t tables = 0;
  std::uint64_t rows = 0;
  std::chrono::milliseconds took{0};
};

class BackupDesk {
 public:
  /// `workspace` must outlive the desk. Throws Error usage: no_backups where the environment does
  /// not say how they are made.
  explicit BackupDesk(Workspace& workspace);
  ~BackupDesk();

  const BackupOptions& options() const noexcept;

  /// What a run makes its backups with.
  BackupMeans means();

  std::variant<Backup, engine::TenantFault> make(const BackupSubject& subject,
                                                 const engine::Patience& patience);

  /// The newest that serves().
  std::optional<Backup> find(const BackupSubject& subject, const BackupWanted& wanted);

  /// The backups of the environment, the oldest first.
  std::vector<Backup> all() const;

  /// The one called `id`, or whose id begins so. Throws Error usage: unknown_backup,
  /// ambiguous_backup.
  Backup find(const std::string& id) const;

  /// Lines of the manifest that cannot be read or were touched; their backups are in no list.
  std::vector<std::filesystem::path> damaged_lines() const;

  /// Where it is, for people: a path, or what keeps it.
  std::string place_of(const Backup& backup) const;

  /// What is wrong with what is kept; empty: nothing. `deep` reads its content back too.
  enum class Depth { bytes, content };
  std::vector<std::string> damage(const Backup& backup,
                                  Depth depth,
                                  const engine::Patience& patience) const;

  /// Puts `backup`, once its bytes are proven, in the place of what `tenant` holds now, which is
  /// kept beside it. A call after one that was cut short goes on with it. `heads` are those of its
  /// history now, as far as they are known.
  PutBack put_back(const Backup& backup,
                   const Tenant& tenant,
                   const std::vector<engine::RevisionId>& heads,
                   const OnStep& on_step,
                   const engine::Patience& patience);

  BackupDrill drill(const Backup& backup, const Tenant& tenant, const engine::Patience& patience);

  /// Those that options().keep_count and keep_age give up: never the last sound one of a tenant,
  /// nor one of a run that may be resumed.
  std::vector<Backup> dispensable() const;

  /// Removes what is kept, and then what is known of it.
  std::optional<engine::TenantFault> remove(const Backup& backup, const engine::Patience& patience);

 private:
  PutBack put_database_back(const Backup& backup,
                            const Tenant& tenant,
                            const OnStep& on_step,
                            const engine::Patience& patience);
  std::optional<engine::TenantFault> drill_file(const Backup& backup,
                                                const engine::Patience& patience);
  std::optional<engine::TenantFault> drill_database(const Backup& backup,
                                                    const Tenant& tenant,
                                                    const engine::Patience& patience);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace drover::orchestrator
