// Orders to restore as files.

#include "orchestrator/plan/restore_file.h"

#include <fstream>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/support/temp_dir.h"

namespace drover::orchestrator::plan {
namespace {

using drover::test::TempDir;

RestoreOrder two_tenants() {
  return {"production",
          "alice@host",
          "2026-03-01T09:30:00Z",
          {{TenantId{"acme"}, BackupId{"20260301T091500-4f2a9c"}, "u-1", "ab12"},
           {TenantId{"b\"eta"}, BackupId{"20260301T091501-4f2a9d"}, "", ""}}};
}

template <typename Call>
Error thrown(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return {ErrorCode::internal, "", "", ""};
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  return text.replace(text.find(what), what.size(), with);
}

TEST_CASE("an order is read as it was written, with a line per tenant") {
  const RestoreOrder order = two_tenants();
  const std::string text = to_text(order);
  CHECK(restore_from_text(text, "order.json") == order);
  CHECK(text.find("\n    {\"tenant\": \"acme\", \"backup\": \"20260301T091500-4f2a9c\", \"uid\": "
                  "\"u-1\", \"sha256\": \"ab12\"},\n") != std::string::npos);
}

TEST_CASE("the digest covers every field, and the order of tenants") {
  const std::string digest = digest_of(two_tenants());
  RestoreOrder other = two_tenants();
  std::swap(other.restores[0], other.restores[1]);
  CHECK(digest_of(other) != digest);
  for (std::string OrderedRestore::*const field : {&OrderedRestore::uid, &OrderedRestore::sha256}) {
    other = two_tenants();
    other.restores[0].*field += "x";
    CHECK(digest_of(other) != digest);
  }
  for (std::string RestoreOrder::*const field :
       {&RestoreOrder::environment, &RestoreOrder::author, &RestoreOrder::created}) {
    other = two_tenants();
    other.*field += "x";
    CHECK(digest_of(other) != digest);
  }
  other = two_tenants();
  other.restores[0].backup.value += "x";
  CHECK(digest_of(other) != digest);
  other = two_tenants();
  other.restores[0].tenant.value += "x";
  CHECK(digest_of(other) != digest);
}

TEST_CASE("an order that was changed by hand is refused") {
  const std::string text = replaced(to_text(two_tenants()), "acme", "beta");
  const Error error = thrown([&] { restore_from_text(text, "order.json"); });
  CHECK(error.kind_name() == "order_changed");
  CHECK(error.place().file == "order.json");
}

TEST_CASE("what is no order is refused, and told why") {
  const std::string good = to_text(two_tenants());
  const auto message = [&](const std::string& text) {
    const Error error = thrown([&] { restore_from_text(text, "f"); });
    CHECK(error.kind_name() == "invalid_order");
    return std::string(error.what());
  };
  CHECK(message("[") == "the text is not JSON: something is wrong at byte 2");
  CHECK(message("[]") == "an object is missing");
  CHECK(message("{}") == "key 'format' is missing");
  CHECK(message(replaced(good, "\"uid\": \"u-1\"", "\"uid\": 7")) == "'uid' is no text");
  CHECK(message(replaced(good, "\"uid\": \"u-1\"", "\"uid\": \"u-1\", \"x\": 1")) ==
        "key 'x' is not known");
  CHECK(message(replaced(good, "b\\\"eta", "acme")) == "tenant 'acme' is there twice");
  CHECK(message(replaced(good, "\"format\": 1", "\"format\": 2")) ==
        "this is no order to restore of this version");
}

TEST_CASE("a file never replaces another, and is told from a plan") {
  const TempDir dir;
  write_file(two_tenants(), dir / "order.json");
  CHECK(read_restore_file(dir / "order.json") == two_tenants());
  CHECK(is_restore_file(dir / "order.json"));
  CHECK(thrown([&] { write_file(two_tenants(), dir / "order.json"); }).kind_name() ==
        "order_exists");
  std::ofstream(dir / "plan.json") << "{\n  \"format\": 1,\n  \"drover\": \"plan\",\n";
  CHECK_FALSE(is_restore_file(dir / "plan.json"));
}

}  // namespace
}  // namespace drover::orchestrator::plan
