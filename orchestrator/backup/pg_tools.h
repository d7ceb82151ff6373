/// The client programs of PostgreSQL that backups are made of: where they are, how old they are,
/// and how they are told where to connect to.
///
/// A connection string travels in argv, which never holds a password (engine/target.h); a password
/// travels in a passfile. Beside the clean environment a child gets our own PG* variables
/// (certificates, service file), which libpq has used for our own sessions too.
///
/// Thread safety: immutable once made, but for the versions, which are asked for once.
/// Errors: Error usage: tool_missing, tool_too_old, tool_unsafe.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/child_process.h"
#include "engine/base/pass_file.h"
#include "engine/target.h"

namespace drover::orchestrator::backup {

struct ToolVersion {
  int major = 0;
  int minor = 0;
  std::string text;  ///< "15.20 (Debian 15.20-0+deb12u1)"
};

class PgTools {
 public:
  /// `directory` holds pg_dump and pg_restore; empty: PATH does.
  explicit PgTools(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// Asks the program itself. Throws tool_missing.
  ToolVersion version_of(std::string_view program) const;

  /// Refuses a pg_dump, or a pg_restore, that is older than `server` of version `server_version`
  /// (150020), and one with a hole that a hostile tenant can use: a dump as a superuser runs code
  /// of the tenant's (CVE-2024-7348, mended in 12.20, 13.16, 14.13, 15.8, 16.4).
  void check(const std::string& server, int server_version) const;

  /// `program` with `arguments` before its operands, connected to `target`. `passfile` (may be
  /// null) must outlive the child.
  engine::base::ChildRequest request(std::string_view program,
                                     const engine::Target& target,
                                     const engine::base::PassFile* passfile,
                                     const std::vector<std::string>& arguments) const;

  /// The same without a connection.
  engine::base::ChildRequest request(std::string_view program,
                                     const std::vector<std::string>& arguments) const;

 private:
  std::string path_of(std::string_view program) const;

  std::filesystem::path directory_;
};

/// The passfile for `target`; null when it has no password of its own.
std::unique_ptr<engine::base::PassFile> passfile_for(const engine::Target& target);

/// What a child of ours says was wrong: the first line of `errors` with "error:" in it, without the
/// program's name, else its first line.
std::string telling_line(std::string_view errors);

}  // namespace drover::orchestrator::backup
