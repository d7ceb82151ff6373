#include "engine/tenant_lock.h"

#include <catch2/catch.hpp>

namespace drover::engine {
namespace {

TEST_CASE("the key of a tenant's lock is pinned") {
  // SHA-256("drover" NUL database NUL schema), first 8 bytes; computed with Python's hashlib.
  CHECK(tenant_lock_key("app", "public") == 4080083298542002772);
  CHECK(tenant_lock_key("kunden", "größe") == -3306764240414629277);
  CHECK(tenant_lock_key("", "") == -1211952975833927108);
}

TEST_CASE("what two tenants of one database hold are two locks") {
  CHECK(tenant_lock_key("app", "a") != tenant_lock_key("app", "b"));
  CHECK(tenant_lock_key("ab", "c") != tenant_lock_key("a", "bc"));
}

TEST_CASE("a row of the lock's holder may lack what we have no right to see") {
  const std::vector<SqlValue> row{"17", "psql", std::nullopt, std::nullopt, "00:00:05"};
  CHECK(decode_lock_holder({{}, {row}, 0}) == Blocker{17, "psql", "", "", "00:00:05"});
  CHECK(decode_lock_holder({}) == std::nullopt);
}

}  // namespace
}  // namespace drover::engine
