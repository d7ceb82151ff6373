/// A PostgreSQL server of a test's own, thrown away afterwards.
///
/// initdb runs once per server version and machine; its result is kept as a seed under TMPDIR and
/// copied for each cluster, which takes less than half a second to be there. Binaries come from
/// PG_BINDIR, else the newest /usr/lib/postgresql/*/bin, else `pg_config --bindir`. As root the
/// server runs as the user postgres. It ends with the object, and with the thread that started it
/// even when that is killed.
///
/// Thread safety: const functions from any thread; the others from one at a time.
/// Errors: std::runtime_error with the server's log or message in it.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/target.h"
#include "tests/support/temp_dir.h"

namespace drover::test {

struct PgClusterOptions {
  enum class Listen {
    socket,    ///< A unix socket only.
    loopback,  ///< 127.0.0.1 as well, on a free port; what a proxy needs.
  };
  /// What loopback asks for; the unix socket always trusts.
  enum class LoopbackAuth { trust, scram };

  enum class Files {
    temporary,        ///< Under TMPDIR.
    memory_if_roomy,  ///< In /dev/shm where that has 4 GiB to spare: for hundreds of databases.
  };

  Listen listen = Listen::loopback;
  LoopbackAuth loopback_auth = LoopbackAuth::trust;
  Files files = Files::temporary;
  int max_connections = 200;
  std::vector<std::string> settings = {};  ///< More of "name=value".
};

class PgCluster {
 public:
  using Row = std::vector<std::optional<std::string>>;
  enum class Stop { fast, immediate };

  /// The one superuser, and its password where LoopbackAuth::scram asks for it.
  static constexpr const char* kUser = "postgres";
  static constexpr const char* kPassword = "open sesame";

  /// Makes and starts it.
  explicit PgCluster(PgClusterOptions options = {});
  PgCluster(const PgCluster&) = delete;
  PgCluster& operator=(const PgCluster&) = delete;
  ~PgCluster();

  /// True where a server can be had at all; elsewhere suites skip.
  static bool available();

  /// libpq keywords for `database`, over the unix socket, without a password.
  std::string conninfo(std::string_view database) const;

  /// The same as a Target.
  engine::Target target(std::string_view database, std::string_view schema = "public") const;

  /// A Target over 127.0.0.1 without TLS; `port` is that of a proxy, or 0 for the server's own.
  engine::Target loopback_target(std::string_view database,
                                 std::string_view schema = "public",
                                 std::uint16_t port = 0) const;

  /// Makes an empty database; an equal name that is there already is dropped first.
  void create_database(std::string_view name) const;

  /// Runs `sql` (any number of statements) on a connection of its own; the last one's rows.
  std::vector<Row> execute(std::string_view database, std::string_view sql) const;

  /// First column of the first row of `sql`, empty for NULL or no row.
  std::string value(std::string_view database, std::string_view sql) const;

  void stop(Stop how);
  void start();

  /// pg_terminate_backend: that session gets 57P01.
  void terminate_backend(std::int64_t backend_pid) const;

  /// kill -9: every session gets 57P02 and the server recovers.
  void kill_backend(std::int64_t backend_pid) const;

  pid_t pid() const noexcept { return pid_; }  ///< Of the postmaster; 0 while stopped.
  std::uint16_t port() const noexcept { return port_; }
  std::string socket_directory() const { return dir_.path().string(); }
  std::string log() const;

 private:
  void launch();
  bool wait_until_ready();
  void write_settings() const;

  PgClusterOptions options_;
  TempDir dir_;  // holds the socket, the log and data/
  std::uint16_t port_ = 5432;
  pid_t pid_ = 0;
};

/// One cluster for all suites of this process (socket and loopback, trust), started at first use
/// and ended at exit. Call it from the main thread first. Databases are the callers' own.
PgCluster& shared_cluster();

}  // namespace drover::test
