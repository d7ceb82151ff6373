#include "orchestrator/tenant.h"

#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"

using drover::Error;
using drover::engine::Dialect;
using drover::engine::TenantFacts;
using drover::orchestrator::check_fleet;
using drover::orchestrator::facts_of;
using drover::orchestrator::Labels;
using drover::orchestrator::Selector;
using drover::orchestrator::Tenant;
using drover::orchestrator::TenantId;

namespace {

Tenant tenant(const std::string& id,
              const Labels& labels = {},
              const std::string& server = "db1:5432") {
  Tenant result;
  result.id = TenantId{id};
  result.labels = labels;
  result.origin = "drover.yaml:7";
  result.target.dialect = Dialect::postgres;
  result.target.server = server;
  result.target.database = "db of " + id;
  return result;
}

Tenant file(const std::string& id, const std::string& path) {
  Tenant result = tenant(id);
  result.target.dialect = Dialect::sqlite;
  result.target.connection = path;
  return result;
}

/// Three on db1 and two on db2.
std::vector<Tenant> fleet() {
  return {tenant("acme", {{"tier", "free"}, {"region", "eu"}}),
          tenant("beta", {{"tier", "paid"}, {"region", "us"}}),
          tenant("gamma", {{"tier", "free"}}),
          tenant("delta", {{"tier", "free"}, {"region", "us"}}, "db2:5432"),
          tenant("a,b", {}, "db2:6000")};
}

struct Flags {
  std::vector<std::string> tenants = {};
  std::vector<std::string> labels = {};
  std::vector<std::string> servers = {};
  std::optional<std::size_t> limit = {};
};

std::vector<std::string> picked(const Flags& flags) {
  std::vector<std::string> ids;
  const Selector selector =
      Selector::parse(flags.tenants, flags.labels, flags.servers, flags.limit);
  for (const Tenant& one : selector.pick(fleet())) {
    ids.push_back(one.id.value);
  }
  return ids;
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind_name() + ": " + error.what() + " | " + error.hint();
  }
  return "no error";
}

std::string error_of(const std::vector<Tenant>& tenants) {
  return error_of([&tenants] { check_fleet(tenants); });
}

std::string error_of(const Flags& flags) {
  return error_of([&flags] { picked(flags); });
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("statements may read the id and every label with a plain name") {
  const Tenant one = tenant("acme",
                            {{"region", "eu"},
                             {"_x9", "y"},
                             {"Region", "no"},
                             {"9lives", "no"},
                             {"cost-center", "no"},
                             {"", "no"},
                             {"r\xC3\xA9gion", "no"}});
  CHECK(facts_of(one) ==
        TenantFacts{{"tenant", "acme"}, {"label.region", "eu"}, {"label._x9", "y"}});
}

TEST_CASE("names of every kind are data") {
  check_fleet({tenant("\"; DROP TABLE x; --"),
               tenant("../../etc/passwd"),
               tenant("-oProxyCommand=x"),
               tenant("%s$1"),
               tenant("line\nbreak"),
               tenant("trailing "),
               tenant("\xF0\x9F\x90\x98"),
               tenant(std::string(63, 'x')),
               tenant(std::string(64, 'x')),
               tenant(std::string(200, 'x'))});
}

TEST_CASE("an id that is no id is refused") {
  const std::string hint = " | A tenant id is 1 to 200 bytes of UTF-8 without a NUL.";
  CHECK(error_of({tenant("")}) ==
        "invalid_tenant_id: a tenant of drover.yaml:7 has an empty id" + hint);
  CHECK(error_of({tenant(std::string(201, 'x'))}) ==
        "invalid_tenant_id: the tenant id of drover.yaml:7 is 201 bytes long, more than 200" +
            hint);
  CHECK(error_of({tenant("caf\xE9")}) ==
        "invalid_tenant_id: a tenant id of drover.yaml:7 is not UTF-8" + hint);
  CHECK(error_of({tenant(std::string("a\0b", 3))}) ==
        "invalid_tenant_id: a tenant id of drover.yaml:7 holds a NUL" + hint);
}

TEST_CASE("an id that is there twice is refused, also in other letters") {
  Tenant second = tenant("acme", {}, "db2:5432");
  second.origin = "tenants.csv:3";
  CHECK(error_of({tenant("acme"), second}) ==
        "duplicate_tenant: tenant 'acme' is listed twice: by drover.yaml:7 and by tenants.csv:3 | "
        "Give each tenant an id of its own, or list it in one source only.");
  second.id.value = "ACME";
  CHECK(
      error_of({tenant("acme"), second}) ==
      "duplicate_tenant: tenants 'acme' (drover.yaml:7) and 'ACME' (tenants.csv:3) differ only in "
      "case, or in how Unicode spells them | Give them ids that a person cannot mix up.");
  const char* const alike[][2] = {
      {"caf\u00e9", "cafe\u0301"},        // composed, and with a combining accent
      {"\u00c9cole", "\u00e9cole"},       // another case, beyond ASCII
      {"STRASSE", "stra\u00dfe"},         // a letter that folds into two
      {"\ud55c", "\u1112\u1161\u11ab"}};  // Hangul, as one syllable and as three letters
  for (const auto& [one, other] : alike) {
    CAPTURE(one, other);
    second.id.value = other;
    CHECK(error_of({tenant(one), second}).find("duplicate_tenant") == 0);
  }
  second.id.value = "cafe";
  CHECK(error_of({tenant("caf\u00e9"), second}) == "no error");
}

TEST_CASE("two entries for one database and schema are refused") {
  Tenant first = tenant("first");
  Tenant second = tenant("second");
  second.target.database = first.target.database;
  second.target.connection = "user=someone_else";
  CHECK(error_of({first, second}) ==
        "duplicate_target: tenants 'first' (drover.yaml:7) and 'second' (drover.yaml:7) are both "
        "schema 'public' of database 'db of first' on db1:5432 | Remove one of them: two tenants "
        "cannot share one history.");
  second.target.schema = "other";
  CHECK(error_of({first, second}) == "no error");
  second.target.schema = first.target.schema;
  second.target.server = "db2:5432";
  CHECK(error_of({first, second}) == "no error");
}

TEST_CASE("one file under two ids is refused") {
  CHECK(
      error_of({file("first", "/data/a.db"), file("second", "/data/a.db")}) ==
      "duplicate_target: tenants 'first' (drover.yaml:7) and 'second' (drover.yaml:7) are both the "
      "file /data/a.db | Remove one of them: two tenants cannot share one history.");
  CHECK(error_of({file("first", "/data/a.db"), file("second", "/data/b.db")}) == "no error");
}

TEST_CASE("an empty selector picks everything") {
  CHECK(Selector::parse({}, {}, {}, {}).empty());
  CHECK_FALSE(Selector::parse({"a"}, {}, {}, {}).empty());
  CHECK_FALSE(Selector::parse({}, {"a"}, {}, {}).empty());
  CHECK_FALSE(Selector::parse({}, {}, {"a"}, {}).empty());
  CHECK_FALSE(Selector::parse({}, {}, {}, 1).empty());
  CHECK(picked({}) == Ids{"acme", "beta", "gamma", "delta", "a,b"});
}

TEST_CASE("tenants are picked by id, in the fleet's order") {
  CHECK(picked({{"delta,acme"}}) == Ids{"acme", "delta"});
  CHECK(picked({{"delta", "acme", "acme"}}) == Ids{"acme", "delta"});
  CHECK(picked({{"a\\,b"}}) == Ids{"a,b"});
}

TEST_CASE("tenants are picked by label") {
  CHECK(picked({{}, {"tier=free"}}) == Ids{"acme", "gamma", "delta"});
  CHECK(picked({{}, {"tier=free,region=us"}}) == Ids{"delta"});
  CHECK(picked({{}, {"tier=free", "region=us"}}) == Ids{"delta"});
  CHECK(picked({{}, {"region!=us"}}) == Ids{"acme", "gamma", "a,b"});
  CHECK(picked({{}, {"region"}}) == Ids{"acme", "beta", "delta"});
  CHECK(picked({{}, {"!region"}}) == Ids{"gamma", "a,b"});
}

TEST_CASE("tenants are picked by server, with or without its port") {
  CHECK(picked({{}, {}, {"db2:5432"}}) == Ids{"delta"});
  CHECK(picked({{}, {}, {"db2"}}) == Ids{"delta", "a,b"});
  CHECK(picked({{}, {}, {"db2:6000,db1"}}) == Ids{"acme", "beta", "gamma", "a,b"});
}

TEST_CASE("everything that is given must hold, and the limit comes last") {
  CHECK(picked({{"acme,beta,delta"}, {"tier=free"}, {"db1"}}) == Ids{"acme"});
  CHECK(picked({{}, {"tier=free"}, {}, 2}) == Ids{"acme", "gamma"});
  CHECK(picked({{}, {}, {}, 100}).size() == 5);
}

TEST_CASE("a name that is not in the fleet is an error with the nearest one") {
  CHECK(error_of(Flags{{"acme,gama"}}) ==
        "unknown_tenant: there is no tenant 'gama' | Did you mean 'gamma'?");
  CHECK(
      error_of(Flags{{"nobody"}}) ==
      "unknown_tenant: there is no tenant 'nobody' | Known are a,b, acme, beta, delta and gamma.");
  CHECK(error_of(Flags{{}, {}, {"db3:5432"}}) ==
        "unknown_server: no tenant is on server 'db3:5432' | Did you mean 'db1:5432'?");
  CHECK(error_of(Flags{{}, {}, {"db"}}) ==
        "unknown_server: no tenant is on server 'db' | Known are db1:5432, db2:5432 and db2:6000.");
}

TEST_CASE("a selection of nobody is an error") {
  CHECK(error_of(Flags{{}, {"tier=gold"}}) ==
        "nothing_selected: the selection matches none of 5 tenants | Look at the fleet's ids and "
        "labels, or loosen the selectors.");
}

TEST_CASE("an empty word never means everything") {
  const std::string hint = " | Leave the flag out to select everything.";
  CHECK(error_of(Flags{{""}}) == "invalid_selector: --tenant has an empty word in ''" + hint);
  CHECK(error_of(Flags{{"acme,"}}) ==
        "invalid_selector: --tenant has an empty word in 'acme,'" + hint);
  CHECK(error_of(Flags{{}, {"tier=free,,x"}}) ==
        "invalid_selector: --labels has an empty word in 'tier=free,,x'" + hint);
  CHECK(error_of(Flags{{}, {}, {""}}) ==
        "invalid_selector: --server has an empty word in ''" + hint);
}

TEST_CASE("a selector that makes no sense is refused") {
  for (const std::string term : {"=free", "!=free", "!", "!!x", "!x=y"}) {
    CHECK(error_of(Flags{{}, {term}}) ==
          "invalid_selector: '" + term +
              "' is not a label selector | Write key=value, key!=value, key or !key.");
  }
  CHECK(error_of(Flags{{}, {}, {}, 0}) ==
        "invalid_selector: --limit is 0, which selects nothing | Give a number of at least 1.");
}
