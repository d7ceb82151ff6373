// The `rollout:` of an environment: every key, and what is refused.

#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "orchestrator/settings/settings.h"
#include "tests/support/temp_dir.h"

using drover::Error;
using namespace drover::orchestrator;
using namespace std::chrono_literals;
using drover::orchestrator::settings::load_settings;
using drover::orchestrator::settings::SettingsRequest;

namespace {

/// The rollout of an environment whose `rollout:` is `text`, indented by six.
RolloutOptions rollout_of(const std::string& text) {
  const drover::test::TempDir folder("rollout");
  SettingsRequest request;
  request.working_directory = folder.path();
  request.file = folder.write("drover.yaml",
                              "limits: {in_flight: 64, per_server: 16}\nenvironments:\n  dev:\n"
                              "    tenants: [{sqlite: 'dev/*.db'}]\n    rollout:\n" +
                                  text);
  return *load_settings(request).options.environments.at("dev").rollout;
}

/// "line:column: message | hint"
std::string error_of(const std::string& text) {
  try {
    rollout_of(text);
  } catch (const Error& error) {
    return fmt::format(
        "{}:{}: {} | {}", error.place().line, error.place().column, error.what(), error.hint());
  }
  return "no error";
}

/// A rollout whose first stage, 'a', has `keys`.
std::string stage_error(const std::string& keys) {
  return error_of(
      fmt::format("      stages:\n        - {{name: a, {}}}\n        - {{name: b}}\n", keys));
}

constexpr const char* kStage = "environments.dev.rollout.stages[0]";

}  // namespace

TEST_CASE("every key of a rollout is understood") {
  const RolloutOptions rollout = rollout_of(R"yaml(
      budget: {failures: 5%, server: 10, fingerprint: 3}
      approvals: {count: 2, expiry: 8h}
      late_joiners: append
      stages:
        - name: canary
          select: {ids: [acme, "o'neill"], labels: {ring: canary}, stratify: [server, size]}
          in_flight: 4
          per_server: 2
          order: smallest
          delay: 5s
          budget: {failures: 2%, strict: true}
          progress_deadline: 10m
          gate:
            success: 95%
            soak: 1h
            probe: {on: tenant, sql: SELECT true, passes: 3, retries: 2, interval: 1s}
            command: {argv: [check.sh, --fast], deadline: 30s}
            http: {url: "http://localhost:8080/health", deadline: 2s, passes: 2}
            approvals: 1
        - name: early
          select: {count: 5}
          order: listed
          gate:
            probe: {on: "postgres://control/db", sql: SELECT true}
        - name: rest
)yaml");
  CHECK(rollout.run_budget == Amount{5, Amount::Of::percent});
  CHECK(rollout.server_budget == std::size_t{10});
  CHECK(rollout.fingerprint_budget == std::size_t{3});
  CHECK(rollout.approvals == 2);
  CHECK(rollout.approval_expiry == 8h);
  CHECK(rollout.late_joiners == LateJoiners::append);
  REQUIRE(rollout.stages.size() == 3);
  const Stage& canary = rollout.stages[0];
  CHECK(canary.select.ids == std::vector<TenantId>{{"acme"}, {"o'neill"}});
  CHECK(canary.select.labels == Labels{{"ring", "canary"}});
  CHECK(canary.select.stratify == std::vector{Stratum::server, Stratum::size});
  CHECK(canary.in_flight == std::size_t{4});
  CHECK(canary.per_server == std::size_t{2});
  CHECK(canary.order == StartOrder::smallest);
  CHECK(canary.delay == 5s);
  CHECK(canary.budget.failures == Amount{2, Amount::Of::percent});
  CHECK(canary.budget.strict);
  CHECK(canary.progress_deadline == 10min);
  CHECK(canary.gate.success_percent == std::size_t{95});
  CHECK(canary.gate.soak == 1h);
  CHECK(canary.gate.approvals == 1);
  REQUIRE(canary.gate.checks.size() == 3);
  CHECK(std::get<SqlProbe>(canary.gate.checks[0].what).on == SqlProbe::On::tenant);
  CHECK(canary.gate.checks[0].passes == 3);
  CHECK(canary.gate.checks[0].retries == 2);
  CHECK(canary.gate.checks[0].interval == 1s);
  const CommandProbe& command = std::get<CommandProbe>(canary.gate.checks[1].what);
  CHECK(command.argv == std::vector<std::string>{"check.sh", "--fast"});
  CHECK(command.deadline == 30s);
  CHECK(canary.gate.checks[1].passes == 1);
  CHECK(std::get<HttpProbe>(canary.gate.checks[2].what).url == "http://localhost:8080/health");
  const Stage& early = rollout.stages[1];
  CHECK(early.select.count == std::size_t{5});
  CHECK(early.order == StartOrder::listed);
  const SqlProbe& control = std::get<SqlProbe>(early.gate.checks[0].what);
  CHECK(control.on == SqlProbe::On::control);
  CHECK(control.control.reveal() == "postgres://control/db");
  CHECK(rollout.stages[2].takes_rest);
  CHECK(rollout.stages[2].order == StartOrder::slowest);
}

TEST_CASE("what a stage cannot mean is refused at its place") {
  struct Row {
    const char* keys;
    std::string message;  ///< Behind the name of the stage.
  };
  const std::vector<Row> rows = {
      {"select: {}", ".select selects nothing"},
      {"select: {ids: []}", ".select.ids is an empty list"},
      {"select: {ids: ['']}", ".select.ids[0] is empty"},
      {"select: {count: 0}", ".select.count is 0, less than 1"},
      {"select: {count: 5%}", ".select.count is '5%', not a whole number"},
      {"select: {count: 1, percent: 5}", ".select.percent stands beside a count"},
      {"select: {stratify: [colour]}", ".select.stratify is 'colour', which is not known"},
      {"select: {label: {a: b}}", ".select has no key 'label'"},
      {"select: {count: 1}, in_flight: 0", ".in_flight is 0, less than 1"},
      {"select: {count: 1}, per_server: 17",
       ".per_server is 17, more than the environment's limit of 16"},
      {"select: {count: 1}, order: fastest", ".order is 'fastest', which is not known"},
      {"select: {count: 1}, delay: 5", ".delay is '5', which has no unit"},
      {"select: {count: 1}, progress_deadline: 10ms", ".progress_deadline is '10ms', less than 1s"},
      {"select: {count: 1}, gate: {}", ".gate is empty"},
      {"select: {count: 1}, gate: {success: 101%}", ".gate.success is 101, more than 100"},
      {"select: {count: 1}, gate: {command: {argv: []}}", ".gate.command.argv is an empty list"},
      {"select: {count: 1}, gate: {command: [true]}", ".gate.command holds a list, not a mapping"},
      {"select: {count: 1}, gate: {http: {url: 'https://x/'}}",
       ".gate.http.url is no URL that can be asked"},
      {"select: {count: 1}, gate: {http: {url: 'http:///x'}}",
       ".gate.http.url is no URL that can be asked"},
      {"select: {count: 1}, gate: {probe: {on: tenant}}", ".gate.probe lacks the key 'sql'"},
      {"select: {count: 1}, gate: {probe: {on: tenant, sql: x, passes: 0}}",
       ".gate.probe.passes is 0, less than 1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.keys);
    const std::string error = stage_error(row.keys);
    CAPTURE(error);
    CHECK(error.find(kStage + row.message + " | ") != std::string::npos);
    CHECK(error.starts_with("7:"));
  }
}

TEST_CASE("what stages cannot be together is refused") {
  CHECK(error_of("      stages:\n        - {name: a, select: {percent: 60}}\n"
                 "        - {name: b, select: {percent: 41}}\n        - {name: c}\n") ==
        "8:11: environments.dev.rollout.stages[1] ('b') brings the stages to 101 percent of the "
        "fleet | Let the percentages add up to 100 at most.");
  CHECK(error_of("      stages:\n        - {name: a, select: {ids: [acme]}}\n"
                 "        - {name: b, select: {ids: [x, acme]}}\n        - {name: c}\n") ==
        "8:11: environments.dev.rollout.stages[1] ('b') selects tenant 'acme', which stage 'a' has "
        "already | Select each tenant once.");
  CHECK(error_of("      budget: {}\n      stages:\n        - {name: c}\n") ==
        "6:15: environments.dev.rollout.budget is empty | Give failures, server or fingerprint, or "
        "leave the budget out.");
  CHECK(error_of("      approvals: {count: 0}\n      stages:\n        - {name: c}\n") ==
        "6:26: environments.dev.rollout.approvals.count is 0, less than 1 | Give a whole "
        "number from 1 to 10.");
  CHECK(error_of("      late_joiners: wait\n      stages:\n        - {name: c}\n") ==
        "6:21: environments.dev.rollout.late_joiners is 'wait', which is not known | Known are "
        "ignore, append and stop.");
}

TEST_CASE("a share is rounded down") {
  CHECK(count_of({7, Amount::Of::tenants}, 3) == 7);
  CHECK(count_of({10, Amount::Of::percent}, 99) == 9);
  CHECK(count_of({100, Amount::Of::percent}, 12345) == 12345);
  CHECK(count_of({1, Amount::Of::percent}, 99) == 0);
  CHECK(count_of({50, Amount::Of::percent}, SIZE_MAX) == SIZE_MAX / 2);
}
