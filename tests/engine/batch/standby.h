/// A physical standby of a throw-away cluster, made by pg_basebackup.
///
/// Errors: std::runtime_error when it cannot be made or does not start.

#pragma once

#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/support/pg_cluster.h"
#include "tests/support/pg_seed.h"

namespace drover::test {

/// Its name in pg_stat_replication is "standby1".
class Standby {
 public:
  explicit Standby(const PgCluster& primary) {
    const std::filesystem::path dir = cluster_.socket_directory();
    cluster_.stop(PgCluster::Stop::immediate);
    std::filesystem::remove_all(dir / "data");
    const std::string source = "host=127.0.0.1 port=" + std::to_string(primary.port()) +
                               " user=postgres application_name=standby1";
    const pid_t copy = spawn_as_postgres({pg_binaries() / "pg_basebackup",
                                          "--pgdata=" + (dir / "data").string(),
                                          "--dbname=" + source,
                                          "--checkpoint=fast",
                                          "--write-recovery-conf",
                                          "--no-sync"},
                                         dir / "copy.log");
    int status = 0;
    if (waitpid(copy, &status, 0) != copy || status != 0) {
      std::ifstream log(dir / "copy.log");
      throw std::runtime_error("no standby: " +
                               std::string(std::istreambuf_iterator<char>(log), {}));
    }
    std::ofstream settings(dir / "data/postgresql.auto.conf", std::ios::app);
    settings << "unix_socket_directories = '" << dir.string() << "'\n"
             << "wal_receiver_status_interval = 1\n";  // seconds; a test need not wait for ten
    settings.close();
    cluster_.start();
  }

  const PgCluster& cluster() const noexcept { return cluster_; }

 private:
  PgCluster cluster_;
};

}  // namespace drover::test
