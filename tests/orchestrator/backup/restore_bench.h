/// A tenant on the shared cluster with a history and rows, and what putting it back needs.
///
/// Errors: std::runtime_error, which fails a test.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/base/system_clock.h"
#include "engine/postgres/pg_session.h"
#include "orchestrator/backup/restore_means.h"
#include "orchestrator/backup/template_copy.h"
#include "tests/support/pg_cluster.h"

namespace drover::orchestrator::backup {

/// What an observer throws in place of a SIGKILL.
struct Killed {};

class RestoreBench {
 public:
  /// Makes the database `name`, owned by `role` (empty: the superuser), with a history, the
  /// revision 0001 and two tables.
  explicit RestoreBench(std::string name,
                        std::string role = "",
                        test::PgCluster& cluster = test::shared_cluster());
  RestoreBench(const RestoreBench&) = delete;
  RestoreBench& operator=(const RestoreBench&) = delete;

  /// Every database of this tenant goes with it.
  ~RestoreBench();

  /// Writes a history for `tenant`'s schema, and the revision 0001; its uid.
  std::string begin_history();

  engine::Target target(std::string_view database) const;
  std::vector<test::PgCluster::Row> execute(std::string_view sql) const;
  std::string value(std::string_view sql) const;
  bool exists(std::string_view database) const;
  bool is_open(std::string_view database) const;

  /// The tenant as it is now: a copy, and its line in the manifest.
  Backup save(const std::string& mark = "saved");

  RestoreRequest request(const Backup& backup, BackupSource& source, std::string mark = "4f2a9c");

  /// Means that throw Killed before step `number` (from 0).
  RestoreMeans killed_at(int number);

  test::PgCluster& cluster;
  std::string name;
  std::string role;
  engine::postgres::PgSessionFactory sessions;
  engine::base::SystemClock clock;
  std::vector<std::string> steps;  ///< As `means` was told.
  RestoreMeans means;
  Tenant tenant;
  std::string uid;
};

/// A source whose databases are changed by `sql` before they are checked.
class DamagedSource final : public BackupSource {
 public:
  DamagedSource(RestoreBench& bench, std::string copy, std::string sql)
      : bench_(bench), copy_(bench.means, std::move(copy)), sql_(std::move(sql)) {}

  std::string template_database() const override { return copy_.template_database(); }
  std::optional<engine::TenantFault> fill(const engine::Target& target,
                                          const engine::Patience& /*patience*/) override {
    bench_.cluster.execute(target.database, sql_);
    return std::nullopt;
  }
  ContentReading read(const engine::Target& target,
                      Extent extent,
                      const engine::Patience& patience) override {
    return copy_.read(target, extent, patience);
  }

 private:
  RestoreBench& bench_;
  CopySource copy_;
  std::string sql_;
};

/// Message and hint, for comparing both at once; empty for no fault.
std::string words_of(const std::optional<engine::TenantFault>& fault);

}  // namespace drover::orchestrator::backup
