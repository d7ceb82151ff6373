/// Which tenants are to be put back from which backups, frozen, so that people can agree to it.
///
/// plan/restore_file.h writes it, reads it and takes its digest; api/fleet_restore.h carries it
/// out.
///
/// Thread safety: plain values.

#pragma once

#include <string>
#include <vector>

#include "orchestrator/backup.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct OrderedRestore {
  TenantId tenant;
  BackupId backup;
  std::string uid;     ///< Of the backup: what the tenant must be.
  std::string sha256;  ///< Of the backup; empty where it has none.

  bool operator==(const OrderedRestore&) const = default;
};

struct RestoreOrder {
  std::string environment;
  std::string author;   ///< "alice@host"
  std::string created;  ///< RFC 3339, UTC, whole seconds.
  std::vector<OrderedRestore> restores;

  bool operator==(const RestoreOrder&) const = default;
};

}  // namespace drover::orchestrator
