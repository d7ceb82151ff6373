/// The content of an archive of pg_dump, put back by pg_restore.
///
/// A file goes in one transaction, so that it is there as a whole or not at all; a folder goes by
/// several connections into a database of its own, which is dropped when one of them fails, and in
/// one transaction where it is a schema among others.
///
/// How the tools are found and told about connections and passwords, and how tables are read, comes
/// from outside.
///
/// Thread safety: one thread at a time. Errors: a TenantFault, kinds restore_failed,
/// restore_timed_out and interrupted; drover::Error from base::run_child() when pg_restore cannot
/// be started at all.

#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/child_process.h"
#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

struct ArchiveTools {
  /// What runs `program` ("pg_restore") with `arguments` on the database of `target`.
  std::function<engine::base::ChildRequest(std::string_view program,
                                           const engine::Target& target,
                                           const std::vector<std::string>& arguments)>
      request;

  /// Reads tables as the digests of the archive were made.
  std::function<ContentReading(const engine::Target&, Extent, const engine::Patience&)> read;

  std::size_t jobs = 4;  ///< Connections for a folder.
};

class ArchiveSource final : public BackupSource {
 public:
  ArchiveSource(ArchiveTools tools, std::filesystem::path archive, Extent extent)
      : tools_(std::move(tools)), archive_(std::move(archive)), extent_(extent) {}

  std::string template_database() const override { return ""; }
  std::optional<engine::TenantFault> fill(const engine::Target& target,
                                          const engine::Patience& patience) override;
  ContentReading read(const engine::Target& target,
                      Extent extent,
                      const engine::Patience& patience) override {
    return tools_.read(target, extent, patience);
  }

 private:
  std::vector<std::string> arguments() const;

  ArchiveTools tools_;
  std::filesystem::path archive_;
  Extent extent_;
};

}  // namespace drover::orchestrator::backup
