// What people want of runs and tenants: controls, approvals, holds, and the plan that a run keeps.

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/conformance/journal_conformance.h"

using namespace std::chrono_literals;
using namespace drover::orchestrator;

namespace drover::test {
namespace {

void hands_controls_over(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  const RunId other = journal->begin_run(request_for({"a"}, "staging"), owner_called("alice"));
  const std::vector<Control> sent = {
      {Control::What::pause, "bob@desk"},
      {Control::What::throttle, "bob@desk", "", "", 3},
      {Control::What::skip, "bob@desk", "it's \"a\"; DROP TABLE x", "they asked", 0}};

  const auto terminal = store.open();
  for (const Control& control : sent) {
    terminal->send_control(run, control);
  }

  CHECK(journal->take_controls(other).empty());
  CHECK(journal->take_controls(run) == sent);
  CHECK(journal->take_controls(run).empty());
  terminal->send_control(run, {Control::What::go_on, "bob@desk"});
  CHECK(journal->take_controls(run) == std::vector<Control>{{Control::What::go_on, "bob@desk"}});
  CHECK(error_of([&] { terminal->send_control({"nowhere"}, sent[0]); }).kind_name() ==
        "unknown_run");
}

void counts_approvals_once(JournalStore& store) {
  const auto journal = store.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  journal->approve_stage(run, "canary", "bob");
  journal->approve_stage(run, "canary", "bob");
  journal->approve_stage(run, "canary", "carol");
  journal->approve_stage(run, "early", "bob");

  const auto again = store.open();
  CHECK(again->stage_approvals(run) == std::map<std::string, std::set<std::string>>{
                                           {"canary", {"bob", "carol"}}, {"early", {"bob"}}});
  CHECK(error_of([&] { again->stage_approvals({"nowhere"}); }).kind_name() == "unknown_run");
  CHECK(error_of([&] { journal->approve_stage({"nowhere"}, "canary", "bob"); }).kind_name() ==
        "unknown_run");
}

std::vector<std::string> held_in(Journal& journal, const std::string& environment) {
  std::vector<std::string> lines;
  for (const Hold& hold : journal.holds(environment)) {
    lines.push_back(hold.tenant.value + ": " + hold.reason + " (" + hold.owner + ")" +
                    (hold.until ? " for a time" : ""));
  }
  return lines;
}

void holds_tenants(JournalStore& store) {
  using Lines = std::vector<std::string>;
  const auto journal = store.open();
  Hold for_now{{"b"}, "audit", "bob", {}, {}};
  journal->add_hold("production", for_now);
  journal->add_hold("production", {{"a"}, "lawsuit", "alice", {}, {}});
  CHECK(held_in(*store.open(), "production") == Lines{"a: lawsuit (alice)", "b: audit (bob)"});
  CHECK(held_in(*journal, "staging").empty());

  for_now.until = journal->holds("production").front().since + 1h;
  for_now.reason = "a longer audit";
  journal->add_hold("production", for_now);
  CHECK(held_in(*journal, "production") ==
        Lines{"a: lawsuit (alice)", "b: a longer audit (bob) for a time"});
  CHECK(journal->remove_hold("production", {"a"}));
  CHECK_FALSE(journal->remove_hold("production", {"a"}));

  for_now.until = journal->holds("production").front().since - 1h;
  journal->add_hold("production", for_now);
  CHECK(held_in(*journal, "production").empty());
}

void keeps_the_plan(JournalStore& store) {
  const auto journal = store.open();
  RunRequest request = request_for({"a"});
  const RunId without = journal->begin_run(request, owner_called("alice"));
  journal->finish_run(without, RunState::finished, 0);
  request.plan = "{\"drover\": \"plan\"}\n";
  const RunId run = journal->begin_run(request, owner_called("alice"));

  const auto again = store.open();
  CHECK(again->plan_of(run) == request.plan);
  CHECK(again->plan_of(without).empty());
  CHECK(again->texts_of(run).size() == 2);
  CHECK(again->run(run.value).request.files == request.files);
  CHECK(error_of([&] { again->plan_of({"nowhere"}); }).kind_name() == "unknown_run");
}

constexpr std::array<JournalCheck<JournalStore>, 4> kChecks = {{
    {"what is wanted of a run reaches it once, in order", hands_controls_over},
    {"each person approves a stage once", counts_approvals_once},
    {"a hold lasts until it ends or is removed", holds_tenants},
    {"a run keeps its plan beside its migrations", keeps_the_plan},
}};

}  // namespace

std::span<const JournalCheck<JournalStore>> journal_control_checks() {
  return kChecks;
}

}  // namespace drover::test
