// Who holds tenants' locks, and the statement that ends one backend and no other, on a real server.

#include <catch2/catch.hpp>

#include "engine/tenant_lock.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

std::int64_t key_of(const PgTenant& tenant) {
  return tenant_lock_key(kDatabase, tenant.schema());
}

/// Someone else's session that holds the lock of `tenant`.
Other holder_of(const PgTenant& tenant) {
  Other holder(tenant.target());
  REQUIRE(holder.run(fmt::format("SELECT pg_advisory_lock({})", key_of(tenant))).empty());
  return holder;
}

std::vector<LockHolder> holders(Other& asker, const std::vector<std::int64_t>& keys) {
  const Exchange answer = asker.send({lock_holders_statement(keys)});
  INFO((answer.ok() ? "" : answer.error->message));
  REQUIRE(answer.ok());
  return decode_lock_holders(answer.results.front());
}

/// "t", or "none" when the statement found nobody to end, or the SQLSTATE.
std::string end(Other& asker, std::int64_t key, const BackendId& id) {
  const Exchange answer = asker.send({end_lock_holder_statement(key, id)});
  if (!answer.ok()) {
    return answer.error->sqlstate;
  }
  const auto& rows = answer.results.front().rows;
  return rows.empty() ? "none" : rows.front().front().value_or("null");
}

/// The target of `tenant` for a role that may log in and, beyond `rights`, nothing.
Target as_role(const PgTenant& tenant, const std::string& role, const std::string& rights) {
  tenant.sql(fmt::format("DROP ROLE IF EXISTS {0}; CREATE ROLE {0} LOGIN {1}", role, rights));
  Target target = tenant.target();
  const std::string user = fmt::format("user={}", PgCluster::kUser);
  const std::size_t at = target.connection.find(user);
  REQUIRE(at != std::string::npos);
  target.connection.replace(at, user.size(), "user=" + role);
  return target;
}

}  // namespace

TEST_CASE("one statement tells who holds which of many locks") {
  const PgTenant one;
  const PgTenant free;
  const PgTenant two;
  Other first = holder_of(one);
  Other second = holder_of(two);
  Other asker(one.target());
  std::vector<std::int64_t> keys{key_of(one), key_of(free), key_of(two), -1, 0};
  std::vector<LockHolder> found = holders(asker, keys);
  REQUIRE(found.size() == 2);
  std::sort(found.begin(), found.end(), [&](const LockHolder& a, const LockHolder& /*b*/) {
    return a.key == key_of(one);
  });
  CHECK(found[0].key == key_of(one));
  CHECK(found[0].id.pid == first.pid());
  CHECK(found[1].key == key_of(two));
  CHECK(found[1].id.pid == second.pid());
  CHECK(found[0].application == "other");
  CHECK(found[0].user == PgCluster::kUser);
  CHECK(found[0].client == "local");
  CHECK(found[0].state == "idle");
  CHECK(found[0].session_age < std::chrono::seconds(60));
  CHECK(found[0].query_age < std::chrono::seconds(60));
  CHECK(backend_id_of(to_string(found[0].id)) == found[0].id);
  CHECK(holders(asker, {key_of(free)}).empty());
  CHECK(holders(asker, {}).empty());
}

TEST_CASE("the start of a backend is in UTC whatever the session's time zone is") {
  const PgTenant tenant;
  const Other holder = holder_of(tenant);
  Other asker(tenant.target());
  const BackendId here = holders(asker, {key_of(tenant)}).at(0).id;
  asker.run("SET timezone = 'Asia/Kathmandu'");
  asker.run("SET datestyle = 'German'");
  CHECK(holders(asker, {key_of(tenant)}).at(0).id == here);
  CHECK(end(asker, key_of(tenant), here) == "t");
}

TEST_CASE("a backend is ended when pid, start and lock are all as they were") {
  const PgTenant tenant;
  const PgTenant elsewhere;
  Other holder = holder_of(tenant);
  Other asker(tenant.target());
  const BackendId id = holders(asker, {key_of(tenant)}).at(0).id;
  BackendId later = id;
  char& digit = later.start[later.start.size() - 2];
  digit = digit == '0' ? '1' : '0';
  CHECK(end(asker, key_of(tenant), later) == "none");
  CHECK(end(asker, key_of(tenant), {id.pid + 1, id.start}) == "none");
  CHECK(end(asker, key_of(tenant), {id.pid, "9999-99-99T99:99:99.999999Z"}) == "none");
  CHECK(end(asker, key_of(elsewhere), id) == "none");
  CHECK(holder.run("SELECT 1") == "1");

  CHECK(end(asker, key_of(tenant), id) == "t");
  CHECK(eventually([&] { return holders(asker, {key_of(tenant)}).empty(); }));
  CHECK(holder.run("SELECT 1") == "57P01");
  CHECK(end(asker, key_of(tenant), id) == "none");
}

TEST_CASE("a backend that gave the lock back is left alone") {
  const PgTenant tenant;
  Other holder = holder_of(tenant);
  Other asker(tenant.target());
  const BackendId id = holders(asker, {key_of(tenant)}).at(0).id;
  REQUIRE(holder.run(fmt::format("SELECT pg_advisory_unlock({})", key_of(tenant))) == "t");
  CHECK(end(asker, key_of(tenant), id) == "none");
  CHECK(holder.run("SELECT 1") == "1");
}

TEST_CASE("without rights a holder has no start, and with the right to see is not ended either") {
  const PgTenant tenant;
  Other holder = holder_of(tenant);
  Other asker(tenant.target());
  const BackendId id = holders(asker, {key_of(tenant)}).at(0).id;

  Other nobody(as_role(tenant, "lock_nobody", ""));
  const std::vector<LockHolder> seen = holders(nobody, {key_of(tenant)});
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].id == BackendId{id.pid, ""});
  CHECK(seen[0].state.empty());
  CHECK_FALSE(seen[0].session_age);
  CHECK(end(nobody, key_of(tenant), id) == "none");

  Other watcher(as_role(tenant, "lock_watcher", "IN ROLE pg_read_all_stats"));
  CHECK(holders(watcher, {key_of(tenant)}).at(0).id == id);
  CHECK(end(watcher, key_of(tenant), id) == "42501");
  CHECK(holder.run("SELECT 1") == "1");
}

}  // namespace drover::engine::test
