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

TEST_CASE("the id of a backend is read in the one form in which it is written") {
  const std::string text = "41233@2026-11-22T22:14:03.123456Z";
  const auto id = backend_id_of(text);
  REQUIRE(id);
  CHECK(*id == BackendId{41233, "2026-11-22T22:14:03.123456Z"});
  CHECK(to_string(*id) == text);
  for (const char* wrong : {"",
                            "@",
                            "41233",
                            "41233@",
                            "@2026-11-22T22:14:03.123456Z",
                            "0@2026-11-22T22:14:03.123456Z",
                            "-1@2026-11-22T22:14:03.123456Z",
                            " 41233@2026-11-22T22:14:03.123456Z",
                            "41233x@2026-11-22T22:14:03.123456Z",
                            "99999999999999999999@2026-11-22T22:14:03.123456Z",
                            "41233@2026-11-22T22:14:03.123456",
                            "41233@2026-11-22T22:14:03.123456Z ",
                            "41233@2026-11-22T22:14:03.123Z",
                            "41233@2026-11-22 22:14:03.123456Z",
                            "41233@2026-11-22T22:14:03.12345xZ",
                            "41233@2026-11-22T22:14:03.123456+00"}) {
    CAPTURE(wrong);
    CHECK(backend_id_of(wrong) == std::nullopt);
  }
}

TEST_CASE("a holder of whom the server tells nothing is still a holder") {
  const std::vector<SqlValue> row{"-7",
                                  "17",
                                  std::nullopt,
                                  "psql",
                                  "app",
                                  std::nullopt,
                                  std::nullopt,
                                  std::nullopt,
                                  std::nullopt};
  const LockHolder expected{-7, {17, ""}, "psql", "app", "", "", std::nullopt, std::nullopt};
  CHECK(decode_lock_holders({{}, {row}, 0}) == std::vector<LockHolder>{expected});
}

}  // namespace
}  // namespace drover::engine
