#include "orchestrator/report/run_report.h"

#include <catch2/catch.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "orchestrator/report/progress_view.h"
#include "orchestrator/report/text.h"
#include "tests/orchestrator/report/builders.h"

using namespace drover::orchestrator;
using namespace drover::orchestrator::report;
using drover::test::applied;
using drover::test::failed;
using drover::test::outcome;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// A run, with all that an account refers to.
struct Run {
  std::vector<TenantOutcome> tenants;
  RunSummary summary;
  std::optional<Halt> halt;
  bool interrupted = false;

  explicit Run(std::vector<TenantOutcome> outcomes) : tenants(std::move(outcomes)) {
    for (const TenantOutcome& tenant : tenants) {
      summary.add(tenant);
    }
  }

  RunAccount account() const {
    return {{"production", WallTime(0s), WallTime(245s)},
            "20261122T133512-4f2a9c",
            "upgrade",
            "heads",
            "d1935e57",
            tenants,
            summary,
            halt,
            interrupted,
            3};
  }
};

Run mixed() {
  std::vector<TenantOutcome> tenants{applied("acme"), outcome("globex", Outcome::current)};
  for (int i = 0; i < 7; ++i) {
    tenants.push_back(failed(fmt::format("t{}", i)));
  }
  return Run(std::move(tenants));
}

}  // namespace

TEST_CASE("the document of a run has every tenant and every cause", "[report]") {
  const Run run = mixed();
  const json parsed = json::parse(written(run_document(run.account()), DataFormat::json));
  CHECK(parsed["format"] == 1);
  CHECK(parsed["started"] == "1970-01-01T00:00:00.000Z");
  CHECK(parsed["finished"] == "1970-01-01T00:04:05.000Z");
  CHECK(parsed["run"] == "20261122T133512-4f2a9c");
  CHECK(parsed["plan_digest"] == "d1935e57");
  CHECK(parsed["outcome"] == "incomplete");
  CHECK(parsed["exit_status"] == 3);
  CHECK(parsed["halt"].is_null());
  CHECK(parsed["summary"]["total"] == 9);
  CHECK(parsed["summary"]["applied"] == 1);
  CHECK(parsed["summary"]["failed"] == 7);
  CHECK(parsed["summary"]["in_doubt"] == 0);
  CHECK(parsed["tenants"][0] == json{{"id", "acme"},
                                     {"server", "db1:5432"},
                                     {"outcome", "applied"},
                                     {"reason", nullptr},
                                     {"from", {"0003"}},
                                     {"to", {"0004"}},
                                     {"seconds", 1.234},
                                     {"attempts", 1},
                                     {"error", nullptr}});
  CHECK(parsed["tenants"][2]["error"]["blocker"] == json{{"pid", 4711},
                                                         {"application", "billing"},
                                                         {"user", nullptr},
                                                         {"state", "idle in transaction"},
                                                         {"age", "00:04:11"}});
  REQUIRE(parsed["errors"].size() == 1);
  CHECK(parsed["errors"][0]["kind"] == "lock_timeout");
  CHECK(parsed["errors"][0]["count"] == 7);
  CHECK(parsed["errors"][0]["tenants"].size() == 7);
}

TEST_CASE("the last words of a run say what, how many, why, who and what next", "[report]") {
  const Run run = mixed();
  CHECK(
      run_text(run.account(), std::nullopt) ==
      "upgrade to heads of environment production: NOT COMPLETE after 4 min 5 s, run "
      "20261122T133512-4f2a9c\n"
      "\n"
      "OUTCOME  TENANTS\n"
      "applied        1\n"
      "current        1\n"
      "failed         7\n"
      "total          9\n"
      "\n"
      "7 tenants, one cause: lock_timeout (55P03) at migrations/0004_x.sql:12:3: revision '0004': "
      "canceling statement due to lock timeout\n"
      "  t0, t1, t2, t3, t4 and 2 more\n"
      "  blocked by pid 4711, application billing, user unknown, idle in transaction for "
      "00:04:11\n"
      "  hint: Ask the blocker to finish, or try again later.\n"
      "\n"
      "Once the cause is gone: drover retry --failed -e production; after a migration was mended, "
      "the upgrade again\n");
}

TEST_CASE("a single tenant is told in one line", "[report]") {
  const Run run({applied("acme")});
  CHECK(run_text(run.account(), std::nullopt) ==
        "upgrade to heads of environment production: done after 4 min 5 s, run "
        "20261122T133512-4f2a9c\n"
        "acme: applied 0003 -> 0004 in 1.2 s\n");
}

TEST_CASE("what is left of a halted run is resumed", "[report]") {
  Run run({failed("a"), failed("b"), outcome("c", Outcome::not_started)});
  run.halt = Halt{drover::ErrorCode::halted,
                  "budget_exhausted",
                  "2 tenants failed, and the budget is 1",
                  "Look at the causes below."};
  const std::string text = run_text(run.account(), std::nullopt);
  CHECK(text.find(": HALTED after") != std::string::npos);
  CHECK(text.find("\nstopped: 2 tenants failed, and the budget is 1\n  hint: Look at the causes "
                  "below.\n") != std::string::npos);
  CHECK(
      text.ends_with("\nOnce the cause is gone, go on: drover resume 20261122T133512-4f2a9c -e "
                     "production\n"));
  const json parsed = json::parse(written(run_document(run.account()), DataFormat::json));
  CHECK(parsed["outcome"] == "halted");
  CHECK(parsed["halt"]["kind"] == "budget_exhausted");
}

TEST_CASE("a doubtful tenant is looked at before anything else", "[report]") {
  const Run run({outcome("a", Outcome::in_doubt), outcome("b", Outcome::not_started)});
  CHECK(run_text(run.account(), std::nullopt)
            .ends_with("\nSee where the doubtful tenants stand: drover status -e production\n"));
}

TEST_CASE("the outcome of a run is one of five words", "[report]") {
  CHECK(outcome_of(Run({applied("a")}).account()) == "done");
  CHECK(outcome_of(Run({outcome("a", Outcome::current)}).account()) == "nothing_to_do");
  CHECK(outcome_of(Run({}).account()) == "nothing_to_do");
  CHECK(outcome_of(Run({applied("a"), failed("b")}).account()) == "incomplete");
  CHECK(outcome_of(Run({applied("a"), outcome("b", Outcome::held)}).account()) == "done");
  Run interrupted({applied("a")});
  interrupted.interrupted = true;
  CHECK(outcome_of(interrupted.account()) == "interrupted");
}

TEST_CASE("text from a database cannot disturb the report", "[report]") {
  TenantOutcome evil = failed("ac\x1b[2Jme");
  evil.fault->message = "no\r\nsuch \x1b]0;title\a table";
  evil.fault->hint = "Look\x1b[1m.";
  const Run run({evil, evil});
  const std::string text = run_text(run.account(), std::nullopt) + tenant_line(evil);
  CHECK(std::none_of(text.begin(), text.end(), [](unsigned char c) {
    return (c < 0x20 && c != '\n') || c == 0x7F;
  }));
}

TEST_CASE("durations are told in the two largest units", "[report]") {
  CHECK(duration_text(0ms) == "0 ms");
  CHECK(duration_text(-5ms) == "0 ms");
  CHECK(duration_text(999ms) == "999 ms");
  CHECK(duration_text(1999ms) == "1.9 s");
  CHECK(duration_text(60s) == "1 min 0 s");
  CHECK(duration_text(3599s) == "59 min 59 s");
  CHECK(duration_text(2h + 3min + 4s) == "2 h 3 min");
  CHECK(duration_text(47h + 59min) == "47 h 59 min");
  CHECK(duration_text(14 * 24h + 5h) == "14 d 5 h");
}

namespace {

ProgressSnapshot halfway() {
  ProgressSnapshot snapshot;
  snapshot.total = 400;
  snapshot.done = 200;
  snapshot.in_flight = 16;
  snapshot.counts = {{Outcome::applied, 197}, {Outcome::failed, 3}};
  snapshot.elapsed = 60s;
  snapshot.tenants_per_second = 3.333;
  snapshot.remaining = 61s;
  snapshot.slowest = {{{"acme"}, 12s, 1},
                      {{"glo\x1b"
                        "bex"},
                       4s,
                       2}};
  snapshot.paused = {{"db2:5432", "it is shutting down", {}}};
  snapshot.waiting_for = "server 'db2:5432' to come back, paused for 9 s";
  return snapshot;
}

}  // namespace

TEST_CASE("live progress shows bar, counts, pace, the slowest and what we wait for", "[report]") {
  CHECK(progress_block(halfway(), 80) ==
        "[####################....................] 200/400 (50 %)\n"
        "197 applied, 3 failed, 16 in flight\n"
        "3.3/s, 1 min 0 s so far, about 1 min 1 s to go\n"
        "  12.0 s acme\n"
        "  4.0 s glo bex, attempt 2\n"
        "paused: server db2:5432: it is shutting down\n"
        "waiting for server 'db2:5432' to come back, paused for 9 s\n");
}

TEST_CASE("live progress keeps to the terminal's width", "[report]") {
  for (std::size_t width = 1; width < 100; ++width) {
    const std::string block = progress_block(halfway(), width);
    std::size_t at = 0;
    for (std::size_t end = block.find('\n'); end != std::string::npos; end = block.find('\n', at)) {
      CAPTURE(width, block);
      CHECK(cells_of(block.substr(at, end - at)) <= width);
      at = end + 1;
    }
    CHECK(at == block.size());
  }
}

TEST_CASE("off a terminal progress is one line", "[report]") {
  CHECK(progress_line(halfway()) ==
        "200/400 (50 %): 197 applied, 3 failed, 16 in flight; 3.3/s, 1 min 0 s so far, about 1 min "
        "1 s to go; 1 server paused; waiting for server 'db2:5432' to come back, paused for 9 s");
  CHECK(progress_line({}) == "0/0 (100 %); 0.0/s, 0 ms so far");
}

TEST_CASE("backups are told with their rate and how long they take") {
  ProgressSnapshot snapshot;
  snapshot.total = 10;
  snapshot.backups = BackupProgress{};
  CHECK(progress_line(snapshot) == "0/10 (0 %); 0.0/s, 0 ms so far; backups: 0 made");
  snapshot.backups->made = 4;
  snapshot.backups->failed = 1;
  snapshot.backups->planned = 9;
  snapshot.backups->in_flight = 2;
  snapshot.backups->bytes = 9'000'000;
  snapshot.backups->bytes_per_second = 3.0 * 1024 * 1024;
  snapshot.backups->remaining = 90s;
  CHECK(
      progress_line(snapshot) ==
      "0/10 (0 %); 0.0/s, 0 ms so far; backups: 4/9 made, 1 failed, 2 in flight, 3.0 MiB/s, about "
      "1 min 30 s to go");
  CHECK(
      progress_block(snapshot, 80)
          .find(
              "\nbackups: 4/9 made, 1 failed, 2 in flight, 3.0 MiB/s, about 1 min 30 s to go\n") !=
      std::string::npos);
}
