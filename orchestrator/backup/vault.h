/// Where backups are kept: a folder for each tenant under one root, and in it each backup with its
/// line of the manifest beside it.
///
///     ROOT/HEX/ID.dump    the backup: a file, or a folder
///     ROOT/HEX/ID.json    its line of the manifest, written last: without it ID.dump is nothing
///     ROOT/HEX/ID.dump.part   one that is being made
///
/// HEX is the tenant's uid in hexadecimal, so no name that people choose is part of a path, and no
/// two tenants share one. A tenant without a history has no uid yet; its folder is "new-" and a
/// digest of where the tenant is. Each backup has a line of its own because lines that are appended
/// to one file tear when a disk fills up, and pruning would have to write that file anew.
///
/// A backup counts from the moment when its line is there, which is when its bytes, and the folder
/// that names them, are on disk. What a dead process left as .part is swept away by the next one;
/// the folder's lock tells whether its maker lives.
///
/// Folders are 0700 and files 0600. A root that others may write to is refused.
///
/// Thread safety: any thread, any function; a Draft belongs to one thread.
/// Errors: Error storage: backup_root_unsafe, file_not_writable, file_not_readable; Error usage:
/// unknown_backup, ambiguous_backup.

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/backup.h"

namespace drover::orchestrator::backup {

/// A new id; `random` tells it from others of the same second.
BackupId make_backup_id(WallTime now, std::uint32_t random);

/// The folder of a tenant: see above.
std::string folder_of(const BackupSubject& subject);
std::string folder_of(const Backup& backup);

/// How many bytes a file, or the files of a folder, have, and their SHA-256: of a folder, of the
/// listing of its files by name with their sizes and digests.
struct Content {
  std::uint64_t bytes = 0;
  std::string sha256;
};
Content content_of(const std::filesystem::path& path);

class Vault {
 public:
  /// A place for a backup that is being made. What was not kept goes with the object.
  class Draft {
   public:
    Draft(Draft&& other) noexcept;
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft();

    /// ".../ID.dump.part". Nothing is there yet.
    const std::filesystem::path& path() const noexcept { return path_; }
    const BackupId& id() const noexcept { return id_; }

   private:
    friend class Vault;
    Draft(int folder, std::filesystem::path path, BackupId id, std::string extension);

    int folder_;  ///< Open and locked, as long as the draft lives.
    std::filesystem::path path_;
    BackupId id_;
    std::string extension_;
  };

  /// Makes the root where it is missing. Nothing else happens yet.
  explicit Vault(const std::filesystem::path& root);

  /// `extension` is "dump", "dir" or "db".
  Draft begin(const std::string& folder, const std::string& extension) const;

  /// Keeps what was written at draft.path(), or, when there is nothing, only the line. Fills in id,
  /// file, bytes and sha256.
  Backup keep(Draft draft, Backup backup) const;

  /// Removes what dead processes have left half-made. Returns how many.
  std::size_t sweep() const;

  /// The oldest first. Lines that cannot be read are left out, and told by damaged_lines().
  std::vector<Backup> all() const;
  std::vector<Backup> of_folder(const std::string& folder) const;
  std::vector<std::filesystem::path> damaged_lines() const;

  /// The one called `id`, or whose id begins so.
  Backup find(const std::string& id) const;

  /// Where the backup's file is; empty when it is kept elsewhere.
  std::filesystem::path path_of(const Backup& backup) const;

  /// The line first, then the file: what is left of one that was cut short is nothing.
  void remove(const Backup& backup) const;

 private:
  std::filesystem::path root_;
};

}  // namespace drover::orchestrator::backup
