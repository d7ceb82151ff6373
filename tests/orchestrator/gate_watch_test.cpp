// What a gate wants next, and what its answers amount to.

#include "orchestrator/gate_watch.h"

#include <catch2/catch.hpp>

using namespace drover::orchestrator;
using drover::engine::SteadyTime;
using namespace std::chrono_literals;
using What = GateWatch::Verdict::What;

namespace {

const SteadyTime kStart{1h};

GateRules one_check(std::size_t passes, std::size_t retries) {
  GateRules rules;
  rules.checks = {{passes, retries, 10s}};
  return rules;
}

}  // namespace

TEST_CASE("a gate without rules passes at once") {
  GateWatch gate({}, {}, kStart);
  CHECK(gate.look(kStart).what == What::pass);
}

TEST_CASE("too few that went well fail the gate before anything is waited for") {
  GateRules rules;
  rules.success_percent = 90;
  rules.soak = 1h;
  GateWatch gate(rules, {10, 8, {}}, kStart);
  CHECK(gate.look(kStart).what == What::fail);
  CHECK(gate.look(kStart).text == "8 of 10 tenants went well, and 90 percent are asked for");
  CHECK(GateWatch(rules, {10, 9, {}}, kStart).look(kStart).what == What::wait);
}

TEST_CASE("time to pass stands still while the run is paused") {
  GateRules rules;
  rules.soak = 60s;
  GateWatch gate(rules, {}, kStart);
  CHECK(gate.wake_at() == kStart + 60s);
  gate.pause(kStart + 20s);
  CHECK_FALSE(gate.wake_at());
  CHECK(gate.look(kStart + 10min).what == What::wait);
  gate.go_on(kStart + 10min);
  CHECK(gate.soak_left(kStart + 10min) == 40s);
  CHECK(gate.look(kStart + 10min + 39s).what == What::wait);
  CHECK(gate.look(kStart + 10min + 40s).what == What::pass);
}

TEST_CASE("a check must pass so often in a row, one answer at a time") {
  GateWatch gate(one_check(2, 1), {}, kStart);
  CHECK(gate.look(kStart).what == What::ask);
  CHECK(gate.look(kStart).what == What::wait);  // for the answer
  gate.answered(Answer::pass, "fine", kStart);
  CHECK(gate.look(kStart).what == What::wait);  // for the interval
  CHECK(gate.wake_at() == kStart + 10s);
  CHECK(gate.look(kStart + 10s).what == What::ask);
  gate.answered(Answer::inconclusive, "who knows", kStart + 11s);
  CHECK(gate.look(kStart + 21s).what == What::ask);
  gate.answered(Answer::pass, "fine", kStart + 21s);
  CHECK(gate.look(kStart + 31s).what == What::ask);  // the first pass does not count any more
  gate.answered(Answer::pass, "fine", kStart + 31s);
  CHECK(gate.look(kStart + 31s).what == What::pass);
}

TEST_CASE("one answer too many that is no pass decides, and the last one says how") {
  GateWatch unsure(one_check(1, 1), {}, kStart);
  unsure.look(kStart);
  unsure.answered(Answer::fail, "no", kStart);
  unsure.look(kStart + 10s);
  unsure.answered(Answer::inconclusive, "who knows", kStart + 10s);
  CHECK(unsure.look(kStart + 10s).what == What::inconclusive);
  CHECK(unsure.look(kStart + 10s).text == "who knows");
  GateWatch failing(one_check(1, 0), {}, kStart);
  failing.look(kStart);
  failing.answered(Answer::fail, "no", kStart);
  CHECK(failing.look(kStart).what == What::fail);
}

TEST_CASE("approvals come last, and each person counts once") {
  GateRules rules = one_check(1, 0);
  rules.approvals = 2;
  GateWatch gate(rules, {3, 3, {"bob"}}, kStart);
  CHECK(gate.look(kStart).what == What::ask);
  gate.answered(Answer::pass, "fine", kStart);
  CHECK(gate.look(kStart).what == What::unapproved);
  CHECK(gate.look(kStart).text == "1 of 2 approvals are there");
  rules.checks.clear();
  CHECK(GateWatch(rules, {3, 3, {"bob", "carol"}}, kStart).look(kStart).what == What::pass);
}
