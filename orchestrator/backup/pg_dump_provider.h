/// Backups by pg_dump: a file in custom format, or a folder made by several connections for tenants
/// that are large. Of a tenant that is a schema, just that schema.
///
/// Proof: pg_restore prints the data of the whole archive, and it is counted and summed up; the
/// history in it must be the tenant's. An archive that pg_dump called a success and that cannot be
/// read, or is of something else, fails there.
///
/// Thread safety and errors: see provider.h and pg_tools.h.

#pragma once

#include <chrono>
#include <cstdint>

#include "orchestrator/backup/dump_reader.h"
#include "orchestrator/backup/pg_tools.h"
#include "orchestrator/backup/provider.h"

namespace drover::orchestrator::backup {

/// How a dump is made.
struct DumpOptions {
  std::string compress;                    ///< See BackupOptions.
  std::size_t jobs = 4;                    ///< Connections for a large tenant.
  std::string history_schema;              ///< Of drover_ tables; empty: the tenant's own.
  std::chrono::milliseconds lock_timeout;  ///< For pg_dump's locks on the tables.
  std::uint64_t large = 0;                 ///< Bytes from which a database is.
};

/// The content of an archive, or why it cannot be read.
std::variant<DumpContent, engine::TenantFault> read_archive(const PgTools& tools,
                                                            const std::filesystem::path& archive,
                                                            const std::string& history_schema,
                                                            const engine::Patience& patience);

/// The same of what a live database holds, or a schema in it, by pg_dump.
std::variant<DumpContent, engine::TenantFault> read_live(const PgTools& tools,
                                                         const engine::Target& target,
                                                         Extent extent,
                                                         const std::string& history_schema,
                                                         const engine::Patience& patience);

class PgDumpProvider final : public Provider {
 public:
  /// `tools` must outlive the provider.
  PgDumpProvider(const PgTools& tools, DumpOptions options)
      : tools_(tools), options_(std::move(options)) {}

  std::string extension_for(const BackupSubject& subject) const override;
  MadeOrFault make(const BackupSubject& subject,
                   const BackupId& id,
                   const std::filesystem::path& part,
                   const engine::Patience& patience) override;

 private:
  std::vector<std::string> arguments(const BackupSubject& subject,
                                     const std::filesystem::path& part) const;

  const PgTools& tools_;
  const DumpOptions options_;
};

}  // namespace drover::orchestrator::backup
