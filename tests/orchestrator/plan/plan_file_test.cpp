// The text of a plan, its digest, and that no damage to the one goes past the other.

#include "orchestrator/plan/plan_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/orchestrator/plan/plan_builders.h"
#include "tests/support/temp_dir.h"

using namespace drover;
using namespace drover::orchestrator;
using namespace drover::orchestrator::plan;

namespace {

constexpr const char* kSmallDigest =
    "sha256:c7c36820481f90db3923d3d1c16290cbc3916a594e627854a60dcadf4e97c2ab";
constexpr const char* kHint = "Make a new plan, or get the file again; it is not for editing.";

/// "kind: message (place)", or "read".
std::string told(const std::string& text) {
  try {
    from_text(text, "plan.json");
  } catch (const Error& error) {
    return error.kind_name() + ": " + error.what() + " (" + to_string(error.place()) + ")";
  }
  return "read";
}

std::optional<Error> error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::string with(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) {
    throw std::runtime_error("no '" + from + "' to replace");
  }
  return std::string(text).replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("the text of a plan has one line per tenant and its keys in one order", "[plan]") {
  CHECK(to_text(small_plan()) == std::string(R"({
  "format": 1,
  "drover": "plan",
  "digest": ")") + kSmallDigest + R"(",
  "environment": "prod",
  "production": true,
  "whole_fleet": true,
  "direction": "up",
  "target": "head",
  "author": "alice@laptop",
  "created": "2026-03-01T09:30:00Z",
  "migrations_digest": "sha256:00ff",
  "strategy": "canary 1, then \"rest\"\\\n\t\u0001 Müller",
  "revisions": [
    {"id": "0001", "file": "0001_base.sql", "sha256": "aa", "irreversible": false, "transactional": true, "locks": []},
    {"id": "0002", "file": "0002_more.sql", "sha256": "bb", "irreversible": true, "transactional": false, "locks": ["ACCESS EXCLUSIVE on files, rewrites it", "SHARE on \"My Files\""]}
  ],
  "waves": [
    {"name": "canary", "tenants": 1},
    {"name": "rest", "tenants": 2}
  ],
  "step_lists": [
    ["0001", "0002"],
    ["0002"]
  ],
  "tenants": [
    {"id": "acme", "server": "db1:5432", "wave": 0, "rule": "label ring=canary", "from": [], "epoch": 0, "uid": "", "bytes": 8192, "steps": 0, "unfit": ""},
    {"id": "beta", "server": "db2:5432", "wave": 1, "rule": "the rest", "from": ["0001"], "epoch": 7, "uid": "uid-7", "bytes": 0, "steps": 1, "unfit": ""},
    {"id": "gone", "server": "db2:5432", "wave": 1, "rule": "the rest", "from": [], "epoch": -1, "uid": "", "bytes": 0, "steps": 0, "unfit": "unreachable: no route"}
  ],
  "findings": [
    {"kind": "lock_held", "about": "acme", "text": "its lock is held"}
  ]
}
)");
}

TEST_CASE("the digest is the one of the encoding that the header describes", "[plan]") {
  // All computed by another program from the words of plan_file.h.
  CHECK(digest_of(small_plan()) == kSmallDigest);
  CHECK(digest_of(Plan{}) ==
        "sha256:66de603fe8190073abed66efb1b9a1bd4811db17f4032139bf8ef32d4df6218a");
}

TEST_CASE("a plan reads back as it was written", "[plan]") {
  CHECK(from_text(to_text(small_plan()), "plan.json") == small_plan());
  CHECK(from_text(to_text(Plan{}), "plan.json") == Plan{});
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    const Plan plan = PlanMaker(seed).make(seed % 23);
    const std::string text = to_text(plan);
    CHECK(from_text(text, "plan.json") == plan);
    CHECK(to_text(from_text(text, "plan.json")) == text);
  }
}

TEST_CASE("every change of a plan changes its digest", "[plan]") {
  const std::vector<std::function<void(Plan&)>> changes{
      [](Plan& plan) { plan.environment += "x"; },
      [](Plan& plan) { plan.production = false; },
      [](Plan& plan) { plan.direction = engine::Direction::down; },
      [](Plan& plan) { plan.target = "0002"; },
      [](Plan& plan) { plan.author = "bob"; },
      [](Plan& plan) { plan.created = "2026-03-01T09:30:01Z"; },
      [](Plan& plan) { plan.migrations_digest += "0"; },
      [](Plan& plan) { plan.strategy = ""; },
      [](Plan& plan) { plan.revisions[0].id.value = "0003"; },
      [](Plan& plan) { plan.revisions[0].file = "x"; },
      [](Plan& plan) { plan.revisions[0].sha256 = "ab"; },
      [](Plan& plan) { plan.revisions[0].irreversible = true; },
      [](Plan& plan) { plan.revisions[0].transactional = false; },
      [](Plan& plan) { plan.revisions[0].locks = {"x"}; },
      [](Plan& plan) { plan.revisions[1].locks.clear(); },
      [](Plan& plan) { plan.revisions[1].locks[0] += "x"; },
      [](Plan& plan) { std::swap(plan.revisions[1].locks[0], plan.revisions[1].locks[1]); },
      [](Plan& plan) { std::swap(plan.revisions[0].locks, plan.revisions[1].locks); },
      [](Plan& plan) { plan.revisions.pop_back(); },
      [](Plan& plan) { std::swap(plan.revisions[0], plan.revisions[1]); },
      [](Plan& plan) { plan.waves[0].name = "first"; },
      [](Plan& plan) { plan.waves[0].tenants = 2; },
      [](Plan& plan) {
        plan.waves.push_back({"last", 0});
      },
      [](Plan& plan) { plan.step_lists[0].pop_back(); },
      [](Plan& plan) { plan.step_lists.push_back({}); },
      [](Plan& plan) { std::swap(plan.step_lists[0], plan.step_lists[1]); },
      [](Plan& plan) { plan.tenants[1].id.value = "b"; },
      [](Plan& plan) { plan.tenants[1].server = ""; },
      [](Plan& plan) { plan.tenants[1].wave = 0; },
      [](Plan& plan) { plan.tenants[1].rule = "10 percent"; },
      [](Plan& plan) { plan.tenants[1].from.clear(); },
      [](Plan& plan) { plan.tenants[1].from.push_back({"0002"}); },
      [](Plan& plan) { plan.tenants[1].epoch = 8; },
      [](Plan& plan) { plan.tenants[1].uid = "uid-8"; },
      [](Plan& plan) { plan.tenants[1].bytes = 1; },
      [](Plan& plan) { plan.tenants[1].steps = 0; },
      [](Plan& plan) { plan.tenants[1].unfit = "x"; },
      [](Plan& plan) { plan.findings[0].kind = "x"; },
      [](Plan& plan) { plan.findings[0].about = "x"; },
      [](Plan& plan) { plan.findings[0].text = "x"; },
      [](Plan& plan) { plan.findings.clear(); },
      [](Plan& plan) { plan.tenants.pop_back(); },
      [](Plan& plan) { std::swap(plan.tenants[0], plan.tenants[1]); },
      // What stands in one field must not be the same as when it stands in the next.
      [](Plan& plan) {
        plan.target = "headalice";
        plan.author = "@laptop";
      },
  };
  std::set<std::string> digests{digest_of(small_plan())};
  for (const auto& change : changes) {
    Plan plan = small_plan();
    change(plan);
    digests.insert(digest_of(plan));
  }
  CHECK(digests.size() == changes.size() + 1);
}

TEST_CASE("a plan's text that was cut short is refused wherever it was cut", "[plan]") {
  const std::string text = to_text(small_plan());
  for (std::size_t length = 0; length < text.size(); ++length) {
    INFO("length " << length);
    const std::string what = told(text.substr(0, length));
    CHECK(what.starts_with("invalid_plan: the text is cut short"));
  }
  CHECK(told(text.substr(0, 40)) == "invalid_plan: the text is cut short (plan.json:4)");
  CHECK(told(text.substr(0, text.size() - 1)) ==
        "invalid_plan: the text is cut short: it does not end with a line break (plan.json:" +
            std::to_string(std::count(text.begin(), text.end(), '\n')) + ")");
}

TEST_CASE("a byte of a plan's text that was changed is noticed, or means the same", "[plan]") {
  const std::string text = to_text(small_plan());
  std::size_t same = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << bit));
      INFO("byte " << at << ", bit " << bit);
      if (told(changed) == "read") {
        CHECK(from_text(changed, "plan.json") == small_plan());
        ++same;
      }
    }
  }
  // No single bit makes one kind of white space of another, and nothing else is without meaning.
  CHECK(same == 0);
}

TEST_CASE("white space and the order of keys are free", "[plan]") {
  std::string text = to_text(small_plan());
  text = with(text, "  \"environment\": \"prod\",\n", "");
  text = with(text, "\n  ]\n}", "]\r\n,\t\"environment\" :\"prod\" }");
  CHECK(from_text(text, "plan.json") == small_plan());
  CHECK(from_text(with(to_text(small_plan()), "\"acme\"", "\"\\u0061cme\""), "x") == small_plan());
}

TEST_CASE("a plan that was edited is told by its digest", "[plan]") {
  const std::string text = with(to_text(small_plan()), "\"epoch\": 7", "\"epoch\": 8");
  Plan edited = small_plan();
  edited.tenants[1].epoch = 8;
  const auto error = error_of([&] { from_text(text, "plan.json"); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::verification);
  CHECK(error->kind_name() == "plan_changed");
  CHECK(error->what() == std::string("the plan was changed after it was made: it was written with "
                                     "the digest '") +
                             kSmallDigest + "', and what it says now has '" + digest_of(edited) +
                             "'");
  CHECK(error->hint() == "Make a new plan; what was approved is not what this file says.");
  CHECK(error->place() == Place{"plan.json", 0, 0});
}

TEST_CASE("a plan of a later release says so before anything else", "[plan]") {
  const auto error = error_of(
      [] { from_text("{\n  \"format\": 2,\n  \"drover\": \"plan\", \"new\": {}", "plan.json"); });
  REQUIRE(error);
  CHECK(error->kind_name() == "plan_too_new");
  CHECK(error->what() == std::string("the plan has format 2, and this program reads format 1"));
  CHECK(error->hint() ==
        "Use the release of drover that made the plan, or make a new plan with this one.");
  CHECK(error->place() == Place{"plan.json", 2, 0});
}

TEST_CASE("what is not a sound plan is refused with its place", "[plan]") {
  struct Row {
    std::string from;
    std::string to;
    std::string told;  ///< After "invalid_plan: ".
  };
  const Row rows[] = {
      {"\"format\": 1",
       "\"format\": 0",
       "the plan has format 0, which there never was (plan.json:2)"},
      {"\"format\": 1",
       "\"format\": \"1\"",
       "key 'format' holds '1', not a whole number (plan.json:2)"},
      {"\"format\": 1",
       "\"format\": 1.0",
       "key 'format' holds 1.0, not a whole number (plan.json:2)"},
      {"\"format\": 1,", "", "key 'format' is missing (plan.json:34)"},
      {"\"plan\"", "\"report\"", "this is not a plan but 'report' (plan.json:3)"},
      {"  \"target\": \"head\",\n", "", "key 'target' is missing (plan.json:33)"},
      {"\"target\": \"head\"",
       "\"target\": null",
       "key 'target' holds null, not a text (plan.json:9)"},
      {"\"target\": \"head\"",
       "\"target\": [1]",
       "key 'target' holds a list, not a text (plan.json:9)"},
      {"\"target\": \"head\"",
       "\"target\": {}",
       "key 'target' holds an object, not a text (plan.json:9)"},
      {"\"target\"", "\"tarjet\"", "key 'tarjet' is not one of a plan (plan.json:9)"},
      {"\"target\"", "\"author\"", "key 'author' is there twice (plan.json:10)"},
      {"\"production\": true",
       "\"production\": 1",
       "key 'production' holds 1, not true or false (plan.json:6)"},
      {"\"up\"",
       "\"sideways\"",
       "key 'direction' holds 'sideways', not \"up\" or \"down\" (plan.json:8)"},
      {"\"waves\": [", "\"waves\": 3, \"x\": [", "key 'waves' holds 3, not a list (plan.json:18)"},
      {"\"waves\": [", "\"waves\": [[], ", "list 'waves' holds a list (plan.json:18)"},
      {"\"waves\": [", "\"waves\": [1, ", "list 'waves' holds 1 (plan.json:18)"},
      {"{\"name\": \"canary\", \"tenants\": 1}",
       "{\"name\": \"canary\"}",
       "key 'tenants' is missing (plan.json:19)"},
      {"\"tenants\": 1}",
       "\"tenants\": -1}",
       "key 'tenants' holds -1, not a whole number from 0 on (plan.json:19)"},
      {"\"tenants\": 1}",
       "\"tenants\": 1, \"name\": \"x\"}",
       "key 'name' is there twice (plan.json:19)"},
      {"\"tenants\": 1}",
       "\"tenants\": 1, \"soak\": 1}",
       "key 'soak' is not one of a plan (plan.json:19)"},
      {"\"tenants\": 1}",
       "\"tenants\": 3}",
       "wave 0, 'canary', is said to have 3 tenants, and 1 are in it (plan.json)"},
      {"[\"0001\", \"0002\"]",
       "[\"0001\", 2]",
       "a list of revisions holds 2, not a text (plan.json:23)"},
      {"[\"0001\", \"0002\"]",
       "[\"0001\", [2]]",
       "a list of revisions holds a list, not a text (plan.json:23)"},
      {"[\"0001\", \"0002\"]",
       "{}",
       "list 'step_lists' holds an object, not a list of texts (plan.json:23)"},
      {"[\"0001\", \"0002\"]",
       "[\"0009\"]",
       "step list 0 names revision '0009', which is not in the plan (plan.json)"},
      {"[\"0001\", \"0002\"]", "[\"0002\"]", "step list 1 is there twice (plan.json)"},
      {"\"locks\": []",
       "\"locks\": \"x\"",
       "key 'locks' holds 'x', not a list of texts (plan.json:15)"},
      {"\"locks\": []", "\"locks\": [1]", "a list of locks holds 1, not a text (plan.json:15)"},
      {"\"locks\": []",
       "\"locks\": [], \"locks\": []",
       "key 'locks' is there twice (plan.json:15)"},
      {"{\"id\": \"0002\"", "{\"id\": \"0001\"", "revision '0001' is there twice (plan.json)"},
      {"\"beta\"", "\"acme\"", "tenant 'acme' is there twice (plan.json:28)"},
      {"\"wave\": 1",
       "\"wave\": 2",
       "tenant 'beta' has wave 2, and the plan has 2, counted from 0 (plan.json:28)"},
      {"\"steps\": 1",
       "\"steps\": 2",
       "tenant 'beta' has step list 2, and the plan has 2, counted from 0 (plan.json:28)"},
      {"\"epoch\": 7",
       "\"epoch\": 9223372036854775808",
       "key 'epoch' holds 9223372036854775808, not a whole number (plan.json:28)"},
      {"\"epoch\": 7",
       "\"epoch\": 1e999",
       "this is not JSON: something is wrong at byte @ (plan.json:28)"},
      {"\"from\": []",
       "\"from\": \"0001\"",
       "key 'from' holds '0001', not a list of texts (plan.json:27)"},
      {"\"uid\": \"uid-7\"",
       "\"uid\": \"\xFF\"",
       "this is not JSON: something is wrong at byte @ (plan.json:28)"},
      {"\"uid\": \"uid-7\"",
       "\"uid\": uid",
       "this is not JSON: something is wrong at byte @ (plan.json:28)"},
      {"]\n}\n", "]\n}\n{}\n", "this is not JSON: something is wrong at byte @ (plan.json:35)"},
  };
  const std::string text = to_text(small_plan());
  for (const Row& row : rows) {
    const std::string changed = with(text, row.from, row.to);
    std::string what = told(changed);
    if (const std::size_t at = row.told.find('@'); at != std::string::npos) {
      const std::size_t number = what.find(row.told.substr(0, at)) + at;
      what.replace(number, what.find(' ', number) - number, "@");
    }
    CHECK(what == "invalid_plan: " + row.told);
  }
}

TEST_CASE("what is no plan at all is called that", "[plan]") {
  CHECK(told("") == "invalid_plan: the text is cut short (plan.json:1)");
  CHECK(told("[]\n") == "invalid_plan: this is not a plan: a plan is a JSON object (plan.json:1)");
  CHECK(told("null\n") ==
        "invalid_plan: this is not a plan: a plan is a JSON object (plan.json:1)");
  CHECK(told("{}\n") == "invalid_plan: key 'format' is missing (plan.json:1)");
  CHECK(told("environment: prod\n") ==
        "invalid_plan: this is not JSON: something is wrong at byte 1 (plan.json:1)");
  CHECK(told(std::string(200'000, '[')) ==
        "invalid_plan: this is not a plan: a plan is a JSON object (plan.json:1)");
  const auto error = error_of([] { from_text("{}\n", "plan.json"); });
  REQUIRE(error);
  CHECK(error->code() == ErrorCode::usage);
  CHECK(error->hint() == kHint);
  const auto mistyped = error_of([] { from_text("{\"formt\": 1}\n", "plan.json"); });
  REQUIRE(mistyped);
  CHECK(mistyped->hint() == "Did you mean 'format'?");
}

TEST_CASE("a plan of unfit tenants alone needs no steps", "[plan]") {
  Plan plan = small_plan();
  plan.tenants = {plan.tenants[2]};
  plan.waves = {{"canary", 0}, {"rest", 1}};
  plan.step_lists.clear();
  plan.revisions.clear();
  CHECK(from_text(to_text(plan), "plan.json") == plan);
  plan.tenants[0].unfit.clear();
  CHECK_THROWS_WITH(to_text(plan),
                    "a plan that does not agree with itself: tenant 'gone' has step list 0, and "
                    "the plan has 0, counted from 0");
}

TEST_CASE("a plan with a text that is not UTF-8 is not written", "[plan]") {
  Plan plan = small_plan();
  plan.tenants[1].server = "db\xFF";
  const auto error = error_of([&] { to_text(plan); });
  REQUIRE(error);
  CHECK(error->kind_name() == "plan_not_utf8");
  CHECK(error->what() ==
        std::string("a text of the plan is not UTF-8, after {\"id\": \"beta\", \"server\": \"db"));
}

TEST_CASE("a plan's file is its owner's, and never replaces another one", "[plan]") {
  const test::TempDir folder("drover-plan");
  const auto file = folder / "plan.json";
  write_file(small_plan(), file);
  CHECK(folder.read("plan.json") == to_text(small_plan()));
  CHECK(read_file(file) == small_plan());
  struct stat facts {};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777U) == 0600U);

  const auto error = error_of([&] { write_file(Plan{}, file); });
  REQUIRE(error);
  CHECK(error->kind_name() == "plan_exists");
  CHECK(error->what() == std::string("the file exists already, and a plan never replaces one"));
  CHECK(error->hint() == "Name another file, or remove this one.");
  CHECK(error->place() == Place{file.generic_string(), 0, 0});
  CHECK(read_file(file) == small_plan());
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a plan's file that cannot be read or written says why", "[plan]") {
  const test::TempDir folder("drover-plan");
  const auto missing = error_of([&] { read_file(folder / "none.json"); });
  REQUIRE(missing);
  CHECK(missing->code() == ErrorCode::storage);
  CHECK(missing->what() == std::string("cannot read the file: No such file or directory"));
  const auto directory = error_of([&] { read_file(folder.path()); });
  REQUIRE(directory);
  CHECK(directory->what() == std::string("cannot read the file: Is a directory"));
  const auto nowhere = error_of([&] { write_file(Plan{}, folder / "none/plan.json"); });
  REQUIRE(nowhere);
  CHECK(nowhere->kind_name() == "file_not_writable");
  CHECK(nowhere->what() == std::string("cannot write the file: No such file or directory"));

  std::filesystem::create_directories(folder.path());
  folder.write("huge.json", "");
  std::filesystem::resize_file(folder / "huge.json", std::uintmax_t{512} * 1024 * 1024 + 1);
  const auto huge = error_of([&] { read_file(folder / "huge.json"); });
  REQUIRE(huge);
  CHECK(huge->kind_name() == "invalid_plan");
  CHECK(huge->what() == std::string("the file has more than 512 MiB, which no plan has"));
}

TEST_CASE("a plan of 100,000 tenants is written and read back", "[.large]") {
  const test::TempDir folder("drover-plan");
  const Plan plan = PlanMaker(1).make(100'000);
  write_file(plan, folder / "plan.json");
  CHECK(read_file(folder / "plan.json") == plan);
}
