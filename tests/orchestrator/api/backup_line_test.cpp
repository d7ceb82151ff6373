// Who is backed up when, at most how many at a time, and what a tenant that waits is told.

#include "orchestrator/api/backup_line.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "engine/base/system_clock.h"

namespace drover::orchestrator {
namespace {

using namespace std::chrono_literals;
using Made = std::variant<Backup, engine::TenantFault>;

std::vector<Tenant> tenants_on(const std::string& server, std::size_t count) {
  std::vector<Tenant> tenants(count);
  for (std::size_t i = 0; i < count; ++i) {
    tenants[i].id = TenantId{fmt::format("{}_{}", server, i)};
    tenants[i].target.server = server;
  }
  return tenants;
}

BackupSubject subject_of(const Tenant& tenant, std::int64_t epoch = 1) {
  return {tenant, Extent::whole, "uid of " + tenant.id.value, {}, epoch, "test", "run1"};
}

engine::TenantFault disk_full() {
  engine::TenantFault fault;
  fault.kind = "backup_failed";
  fault.message = "no space left on device";
  return fault;
}

/// Makes backups when the test says so.
class Maker {
 public:
  BackupMeans means() {
    return {[this](const BackupSubject& subject, const engine::Patience& patience) {
              return make(subject, patience);
            },
            [this](const BackupSubject& subject, const BackupWanted&) -> std::optional<Backup> {
              return there.contains(subject.tenant.id.value) ? std::optional(backup_of(subject))
                                                             : std::nullopt;
            }};
  }

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      held_ = false;
    }
    moved_.notify_all();
  }

  /// Waits until so many are being made at this moment.
  void await_under_way(std::size_t count) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return under_way_ == count; });
  }
  std::vector<std::string> order() const {
    const std::lock_guard lock(mutex_);
    return order_;
  }
  std::size_t most() const { return most_; }

  std::set<std::string> fails;  ///< Tenants. Set before anything is made.
  std::set<std::string> there;

 private:
  static Backup backup_of(const BackupSubject& subject) {
    Backup backup;
    backup.tenant = subject.tenant.id;
    backup.uid = subject.uid;
    backup.environment = subject.environment;
    backup.run = subject.run;
    backup.epoch = subject.epoch;
    backup.bytes = 1000;
    return backup;
  }

  Made make(const BackupSubject& subject, const engine::Patience& patience) {
    std::unique_lock lock(mutex_);
    order_.push_back(subject.tenant.id.value);
    most_ = std::max(most_, ++under_way_);
    moved_.notify_all();
    moved_.wait(lock, patience.stop, [this] { return !held_; });
    --under_way_;
    moved_.notify_all();
    if (fails.contains(subject.tenant.id.value)) {
      return disk_full();
    }
    return backup_of(subject);
  }

  mutable std::mutex mutex_;  ///< Guards everything below.
  std::condition_variable_any moved_;
  bool held_ = false;
  std::size_t under_way_ = 0;
  std::size_t most_ = 0;
  std::vector<std::string> order_;
};

BackupOptions at_once(std::size_t in_flight, std::size_t per_server) {
  BackupOptions options;
  options.in_flight = in_flight;
  options.per_server = per_server;
  return options;
}

engine::base::SystemClock& clock() {
  static engine::base::SystemClock real;
  return real;
}

TEST_CASE("no more backups at a time than the limits allow, of the run and of each server") {
  std::vector<Tenant> tenants = tenants_on("db1", 6);
  const std::vector<Tenant> more = tenants_on("db2", 6);
  tenants.insert(tenants.end(), more.begin(), more.end());
  Maker maker;
  maker.hold();
  BackupLine line(clock(), maker.means(), at_once(3, 2), tenants.size());
  for (const Tenant& tenant : tenants) {
    line.make_ahead(subject_of(tenant), {});
  }
  maker.await_under_way(3);
  CHECK(line.progress().in_flight == 3);
  const std::vector<std::string> first = maker.order();
  CHECK(std::set<std::string>(first.begin(), first.end()) ==
        std::set<std::string>{"db1_0", "db1_1", "db2_0"});
  maker.let_go();
  for (const Tenant& tenant : tenants) {
    CHECK_FALSE(line.ensure(subject_of(tenant), {}, {}));
  }
  CHECK(maker.most() == 3);
  CHECK(maker.order().size() == 12);
  CHECK(line.progress().made == 12);
  CHECK(line.progress().bytes == 12'000);
}

TEST_CASE("a tenant whose turn has come goes before those that are prepared for") {
  const std::vector<Tenant> tenants = tenants_on("db", 4);
  Maker maker;
  maker.hold();
  BackupLine line(clock(), maker.means(), at_once(1, 1), tenants.size());
  for (const Tenant& tenant : tenants) {
    line.make_ahead(subject_of(tenant), {});
  }
  maker.await_under_way(1);
  auto last =
      std::async(std::launch::async, [&] { return line.ensure(subject_of(tenants[3]), {}, {}); });
  while (line.progress().urgent == 0) {
    std::this_thread::yield();
  }
  maker.let_go();
  CHECK_FALSE(last.get());
  CHECK_FALSE(line.ensure(subject_of(tenants[2]), {}, {}));
  CHECK(maker.order() == std::vector<std::string>{"db_0", "db_3", "db_1", "db_2"});
}

TEST_CASE("a backup of another moment of the history is made again") {
  const std::vector<Tenant> tenants = tenants_on("db", 1);
  Maker maker;
  BackupLine line(clock(), maker.means(), at_once(1, 1), 1);
  CHECK_FALSE(line.ensure(subject_of(tenants[0], 1), {}, {}));
  CHECK_FALSE(line.ensure(subject_of(tenants[0], 1), {}, {}));
  CHECK(maker.order().size() == 1);
  CHECK_FALSE(line.ensure(subject_of(tenants[0], 2), {}, {}));
  CHECK(maker.order().size() == 2);
}

TEST_CASE("a backup that is there already is not made again") {
  const std::vector<Tenant> tenants = tenants_on("db", 2);
  Maker maker;
  maker.there = {"db_0", "db_1"};
  BackupLine line(clock(), maker.means(), at_once(1, 1), 2);
  line.make_ahead(subject_of(tenants[0]), {});
  CHECK_FALSE(line.ensure(subject_of(tenants[0]), {}, {}));
  CHECK_FALSE(line.ensure(subject_of(tenants[1]), {}, {}));
  CHECK(maker.order().empty());
}

TEST_CASE("a tenant is told why it has no backup, also when it failed ahead of its turn") {
  const std::vector<Tenant> tenants = tenants_on("db", 1);
  Maker maker;
  maker.fails = {"db_0"};
  BackupLine line(clock(), maker.means(), at_once(1, 1), 1);
  line.make_ahead(subject_of(tenants[0]), {});
  const auto fault = line.ensure(subject_of(tenants[0]), {}, {});
  REQUIRE(fault);
  CHECK(fault->message == "no space left on device");
  CHECK(maker.order().size() == 1);
  CHECK(line.progress().failed == 1);
}

TEST_CASE("a stop frees a tenant that waits, and the end of the line ends what is under way") {
  const std::vector<Tenant> tenants = tenants_on("db", 2);
  Maker maker;
  maker.hold();
  std::stop_source stop;
  {
    BackupLine line(clock(), maker.means(), at_once(2, 2), 2);
    auto waits = std::async(std::launch::async, [&] {
      return line.ensure(subject_of(tenants[0]), {}, {engine::SteadyTime::max(), stop.get_token()});
    });
    line.make_ahead(subject_of(tenants[1]), {});
    maker.await_under_way(2);
    stop.request_stop();
    const auto fault = waits.get();
    REQUIRE(fault);
    CHECK(fault->kind == "interrupted");
  }
  CHECK(maker.order().size() == 2);
}

}  // namespace
}  // namespace drover::orchestrator
