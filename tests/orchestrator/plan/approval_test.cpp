// Who may approve a plan, what a signature covers, and the file that keeps approvals.

#include "orchestrator/plan/approval.h"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "orchestrator/plan/approvals_file.h"
#include "orchestrator/plan/signing_key.h"
#include "orchestrator/plan/utc_time.h"
#include "tests/support/temp_dir.h"

using namespace drover;
using namespace drover::orchestrator;
using namespace drover::orchestrator::plan;
using namespace std::chrono_literals;

namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kOther = "sha256:" + std::string(64, 'b');
const WallTime kNoon = *from_utc_text("2026-03-01T12:00:00Z");

/// The secret and public key of RFC 8032, section 7.1, test 1, as OpenSSL writes them.
constexpr const char* kKnownPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kKnownPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "-----END PUBLIC KEY-----\n";

std::optional<Error> error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

ApprovalRule rule_for(std::size_t needed) {
  return {"prod", kDigest, "alice@laptop", needed, 24h, kNoon, {}};
}

Approval unsigned_by(const std::string& who, WallTime at = kNoon - 1h) {
  return {kDigest, who, at, "", ""};
}

/// "bob, carol | dave: expired"
std::string summary(const ApprovalCount& count) {
  std::string text;
  for (const auto& counted : count.counted) {
    text += (text.empty() ? "" : ", ") + counted.person;
  }
  for (const auto& left : count.left) {
    text += " | " + left.approval.who + ": " + left.why;
  }
  return text;
}

std::filesystem::path write_private(const test::TempDir& folder,
                                    const std::string& name,
                                    const std::string& text) {
  const auto file = folder.write(name, text);
  ::chmod(file.c_str(), 0600);
  return file;
}

}  // namespace

TEST_CASE("times are read as they are written, and in no other way", "[approval]") {
  CHECK(to_utc_text(kNoon + 999ms) == "2026-03-01T12:00:00Z");
  CHECK(from_utc_text("2024-02-29T23:59:59Z") == WallTime(1709251199s));
  for (const std::string wrong : {"",
                                  "2026-03-01",
                                  "2026-03-01 12:00:00Z",
                                  "2026-03-01T12:00:00z",
                                  "2026-02-29T12:00:00Z",
                                  "2026-13-01T12:00:00Z",
                                  "2026-03-01T24:00:00Z",
                                  "2026-03-01T12:60:00Z",
                                  "2026-03-01T12:00:60Z",
                                  "2026-03-01T-1:00:00Z",
                                  "2026-03-01T 1:00:00Z",
                                  "9999-03-01T12:00:00Z",
                                  "1969-12-31T23:59:59Z",
                                  "2026-03-01T12:00:00+"}) {
    INFO(wrong);
    CHECK(!from_utc_text(wrong));
  }
}

TEST_CASE("approvals of distinct people count, the author's does not", "[approval]") {
  const auto count = enough_approvals({unsigned_by("bob@desk"),
                                       unsigned_by("alice@laptop"),
                                       unsigned_by("Alice@elsewhere"),
                                       unsigned_by("bob@phone"),
                                       {kOther, "carol@desk", kNoon, "", ""},
                                       unsigned_by("dave@desk", kNoon - 24h),
                                       unsigned_by("erin@desk", kNoon - 24h + 1s),
                                       unsigned_by("frank@desk", kNoon + 5min + 1s),
                                       unsigned_by("grace@desk", kNoon + 5min)},
                                      rule_for(3));
  CHECK(summary(count) ==
        "bob@desk, erin@desk, grace@desk"
        " | alice@laptop: by the author"
        " | Alice@elsewhere: by the author"
        " | bob@phone: by a person who is counted already"
        " | carol@desk: of another digest"
        " | dave@desk: expired"
        " | frank@desk: dated in the future");
  CHECK(count.enough());
  CHECK(!enough_approvals({unsigned_by("bob")}, rule_for(2)).enough());
  CHECK(enough_approvals({}, rule_for(0)).enough());
}

TEST_CASE("an approval that does not count leaves room for a later one of its person",
          "[approval]") {
  const auto count =
      enough_approvals({unsigned_by("bob", kNoon - 25h), unsigned_by("bob")}, rule_for(1));
  CHECK(summary(count) == "bob | bob: expired");
}

TEST_CASE("where keys are trusted only signed approvals count, for their owners", "[approval]") {
  const auto bob = SigningKey::generate();
  const auto carol = SigningKey::generate();
  const auto alice = SigningKey::generate();
  const auto stranger = SigningKey::generate();
  ApprovalRule rule = rule_for(2);
  for (const auto& [key, owner] :
       {std::pair(&bob, "bob"), std::pair(&carol, "carol"), std::pair(&alice, "alice")}) {
    rule.trusted.emplace(key->public_key().key_id(), TrustedKey{key->public_key(), owner});
  }
  const WallTime at = kNoon - 1h;
  Approval forged = sign_approval(carol, "prod", kDigest, "carol", at);
  forged.key_id = bob.public_key().key_id();
  const auto count = enough_approvals({sign_approval(bob, "prod", kDigest, "bob@desk", at),
                                       unsigned_by("dave"),
                                       sign_approval(stranger, "prod", kDigest, "erin", at),
                                       sign_approval(bob, "prod", kDigest, "frank", at),
                                       sign_approval(alice, "prod", kDigest, "grace", at),
                                       sign_approval(carol, "prod", kDigest, "alice@x", at),
                                       sign_approval(carol, "test", kDigest, "heidi", at),
                                       forged,
                                       sign_approval(carol, "prod", kDigest, "carol@desk", at)},
                                      rule);
  CHECK(summary(count) ==
        "bob, carol"
        " | dave: not signed"
        " | erin: key not trusted"
        " | frank: by a person who is counted already"
        " | grace: by the author"
        " | alice@x: by the author"
        " | heidi: signature does not verify"
        " | carol: signature does not verify");
}

TEST_CASE("a key that is trusted under another key's id counts for nobody", "[approval]") {
  const auto bob = SigningKey::generate();
  const auto carol = SigningKey::generate();
  ApprovalRule rule = rule_for(1);
  rule.trusted.emplace(bob.public_key().key_id(), TrustedKey{carol.public_key(), "bob"});
  CHECK(summary(enough_approvals({sign_approval(bob, "prod", kDigest, "bob", kNoon)}, rule)) ==
        " | bob: key not trusted");
}

TEST_CASE("a signature covers everything that an approval says", "[approval]") {
  const auto key = SigningKey::generate();
  const Approval good = sign_approval(key, "prod", kDigest, "bob", kNoon + 300ms);
  const PublicKey open = key.public_key();
  const auto verifies = [&](const Approval& approval, const std::string& environment) {
    return open.verify(statement_of(approval, environment), approval.signature);
  };
  CHECK(good.at == kNoon);
  CHECK(verifies(good, "prod"));
  CHECK(!verifies(good, "test"));
  Approval other = good;
  other.digest = kOther;
  CHECK(!verifies(other, "prod"));
  other = good;
  other.who = "rob";
  CHECK(!verifies(other, "prod"));
  other = good;
  other.at += 1s;
  CHECK(!verifies(other, "prod"));
  CHECK(!SigningKey::generate().public_key().verify(statement_of(good, "prod"), good.signature));
}

TEST_CASE("no signature but the very one verifies", "[approval]") {
  const auto key = SigningKey::generate();
  const PublicKey open = key.public_key();
  const std::string good = key.sign("what is said");
  CHECK(open.verify("what is said", good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    INFO("letter " << at);
    for (const char letter : std::string("Ab0/=- \n")) {
      std::string changed = good;
      changed[at] = letter;
      CHECK(open.verify("what is said", changed) == (changed == good));
    }
    CHECK(!open.verify("what is said", good.substr(0, at)));
  }
  CHECK(!open.verify("what is said", good + "\n"));
  CHECK(!open.verify("", good));
  CHECK(key.sign("") != good);
  CHECK(open.verify("", key.sign("")));
}

TEST_CASE("keys and signatures are those of RFC 8032", "[approval]") {
  const test::TempDir folder("drover-key");
  const auto key = SigningKey::read(write_private(folder, "key.pem", kKnownPrivate));
  CHECK(key.public_key().to_pem() == kKnownPublic);
  CHECK(PublicKey::from_pem(kKnownPublic, "key") == key.public_key());
  CHECK(PublicKey::read(folder.write("key.pub", kKnownPublic)) == key.public_key());
  CHECK(key.public_key().key_id() == "21fe31dfa154a261");
  CHECK(key.sign("") ==
        "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw==");
}

TEST_CASE("a signing key is written for its owner only and read back", "[approval]") {
  const test::TempDir folder("drover-key");
  const auto key = SigningKey::generate();
  const auto file = folder / "key.pem";
  key.write(file);
  struct stat facts {};
  REQUIRE(::stat(file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777U) == 0600U);
  CHECK(SigningKey::read(file).public_key() == key.public_key());

  const auto twice = error_of([&] { SigningKey::generate().write(file); });
  REQUIRE(twice);
  CHECK(twice->kind_name() == "key_exists");
  CHECK(twice->what() == std::string("the file exists already, and a key never replaces one"));

  ::chmod(file.c_str(), 0640);
  const auto open = error_of([&] { SigningKey::read(file); });
  REQUIRE(open);
  CHECK(open->code() == ErrorCode::usage);
  CHECK(open->kind_name() == "key_readable_by_others");
  CHECK(open->what() == std::string("the private key is open to others: the file has mode 0640"));
  CHECK(open->hint() == "Run chmod 600 on the file; if somebody may have read it, make a new key.");
  CHECK(open->place() == Place{file.generic_string(), 0, 0});
}

TEST_CASE("what is no Ed25519 key is refused in words", "[approval]") {
  const test::TempDir folder("drover-key");
  const auto told = [&](const std::string& text) {
    const auto file = write_private(folder, "key.pem", text);
    const auto error = error_of([&] { SigningKey::read(file); });
    return error ? error->kind_name() + ": " + error->what() : "read";
  };
  CHECK(told("") == "invalid_key: there is no private key in PEM");
  CHECK(told(kKnownPublic) == "invalid_key: there is no private key in PEM");
  CHECK(told(std::string(70'000, 'x')) ==
        "invalid_key: the file has more than 64 KiB, which no key has");
  CHECK(told(R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIDAz+WTwBCQchGi82k9vk5VL6821WNC00F2/o4ZN4Itl
-----END PRIVATE KEY-----
)") == "invalid_key: the key is of the kind X25519, not Ed25519");
  CHECK(told(R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiKWubKWRyA3gICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEECd+nwO8VWeq4LtjaZKi0eAEQBRF
fb1Ht8bCpEu934l6LSgsdGscokI8yYI7knb58NABN5oP6oUaA9yfMY2qoaYKqW/g
oq1KzW6EnU5rGIAfAkY=
-----END ENCRYPTED PRIVATE KEY-----
)") == "invalid_key: the private key is protected by a passphrase");
  for (std::size_t length = 0; length + 2 < std::string(kKnownPrivate).size(); ++length) {
    INFO("length " << length);
    CHECK(told(std::string(kKnownPrivate).substr(0, length)) ==
          "invalid_key: there is no private key in PEM");
  }
  const auto error = error_of([] { PublicKey::from_pem("nonsense", "drover.yaml"); });
  REQUIRE(error);
  CHECK(error->what() == std::string("there is no public key in PEM"));
  CHECK(error->hint() ==
        "Give the text from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----.");
  CHECK(error->place() == Place{"drover.yaml", 0, 0});
}

TEST_CASE("approvals are kept beside the plan, a line for each", "[approval]") {
  const test::TempDir folder("drover-approvals");
  const auto file = approvals_file_of(folder / "plan.json");
  CHECK(file == folder / "plan.json.approvals");
  CHECK(read_approvals(file).empty());
  const Approval recorded = unsigned_by("bob \"the\" builder");
  const Approval with_key =
      sign_approval(SigningKey::generate(), "prod", kDigest, "carol@desk", kNoon);
  add_approval(file, recorded);
  add_approval(file, with_key);
  CHECK(read_approvals(file) == std::vector{recorded, with_key});
  CHECK(folder.read("plan.json.approvals").substr(0, to_line(recorded).size()) ==
        "{\"digest\": \"" + kDigest +
            "\", \"who\": \"bob \\\"the\\\" builder\", \"at\": \"2026-03-01T11:00:00Z\", "
            "\"key_id\": \"\", \"signature\": \"\"}\n");
}

TEST_CASE("approvals added at once are all kept", "[approval]") {
  const test::TempDir folder("drover-approvals");
  const auto file = folder / "plan.json.approvals";
  std::vector<std::thread> people;
  for (int i = 0; i < 8; ++i) {
    people.emplace_back([&, i] { add_approval(file, unsigned_by("p" + std::to_string(i))); });
  }
  for (std::thread& person : people) {
    person.join();
  }
  CHECK(read_approvals(file).size() == 8);
}

TEST_CASE("a line that is no approval is refused with its number", "[approval]") {
  struct Row {
    std::string from;
    std::string to;
    std::string told;
  };
  const Row rows[] = {
      {"}\n", "}", "the line is cut short: it does not end with a line break"},
      {"}\n", "\n", "the line is not JSON: something is wrong at byte @"},
      {"}\n", "}\n\n", "the line is not JSON: something is wrong at byte @"},
      {"}\n", "} {}\n", "the line is not JSON: something is wrong at byte @"},
      {"\"bob\"", "\"b\xFFob\"", "the line is not JSON: something is wrong at byte @"},
      {"\"bob\"", "7", "key 'who' holds 7, not a text"},
      {"\"bob\"", "[\"bob\"]", "the line holds more than texts"},
      {"\"bob\"", "\"\"", "the name '' is empty or holds a control character"},
      {"\"bob\"", "\"b\\nob\"", "the name 'b\\x0aob' is empty or holds a control character"},
      {"\"who\": \"bob\", ", "", "key 'who' is missing"},
      {"\"who\"", "\"at\"", "key 'at' is there twice"},
      {"\"who\"", "\"whom\"", "key 'whom' is not one of an approval"},
      {"sha256:aa",
       "sha256:a",
       "the digest 'sha256:" + std::string(63, 'a') + "' is not sha256: and 64 hexadecimal digits"},
      {"sha256:aa",
       "sha256:aA",
       "the digest 'sha256:aA" + std::string(62, 'a') +
           "' is not sha256: and 64 hexadecimal digits"},
      {"11:00:00Z", "11:00:00", "the time '2026-03-01T11:00:00' is not like 2026-03-01T09:30:00Z"},
      {"\"key_id\": \"\"",
       "\"key_id\": \"00\"",
       "a key id and a signature go together, and one of them is empty"},
      {"\"signature\": \"\"",
       "\"signature\": \"x\"",
       "a key id and a signature go together, and one of them is empty"},
      {"\"key_id\": \"\", \"signature\": \"\"",
       "\"key_id\": \"0\", \"signature\": \"x\"",
       "the key id '0' is not 16 hexadecimal digits"},
  };
  const std::string good = to_line(unsigned_by("bob"));
  for (const Row& row : rows) {
    std::string bad = good;
    const std::size_t found = bad.find(row.from);
    REQUIRE(found != std::string::npos);
    bad.replace(found, row.from.size(), row.to);
    const auto error = error_of([&] { approvals_from_text(good + bad, "p.approvals"); });
    INFO(row.told);
    REQUIRE(error);
    std::string told = error->what();
    if (const std::size_t at = row.told.find('@'); at != std::string::npos) {
      told = told.substr(0, at) + "@";
    }
    CHECK(told == row.told);
    CHECK(error->kind_name() == "invalid_approvals");
    CHECK(error->place().file == "p.approvals");
    CHECK(error->place().line == (row.to == "}\n\n" ? 3 : 2));
  }
  const auto list = error_of([] { approvals_from_text("[]\n", "p.approvals"); });
  REQUIRE(list);
  CHECK(list->what() == std::string("the line holds array, not an object"));
}

TEST_CASE("nothing is added to a file that cannot be read, and nothing that could not be",
          "[approval]") {
  const test::TempDir folder("drover-approvals");
  const auto file = folder.write("plan.json.approvals", "not an approval\n");
  CHECK(error_of([&] { add_approval(file, unsigned_by("bob")); })->kind_name() ==
        "invalid_approvals");
  CHECK(folder.read("plan.json.approvals") == "not an approval\n");
  const auto fresh = folder / "fresh.approvals";
  CHECK(error_of([&] { add_approval(fresh, unsigned_by("")); })->kind_name() ==
        "invalid_approvals");
  CHECK(!std::filesystem::exists(fresh));
}
