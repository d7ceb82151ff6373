/// Plans for tests.

#pragma once

#include <random>
#include <string>

#include "orchestrator/plan.h"

namespace drover::orchestrator::plan {

/// Two waves, two step lists, three tenants of which one is unfit, and a text with all that JSON
/// escapes.
inline Plan small_plan() {
  Plan plan;
  plan.environment = "prod";
  plan.production = true;
  plan.target = "head";
  plan.author = "alice@laptop";
  plan.created = "2026-03-01T09:30:00Z";
  plan.migrations_digest = "sha256:00ff";
  plan.strategy = "canary 1, then \"rest\"\\\n\t\x01 M\xC3\xBCller";
  plan.revisions = {{{"0001"}, "0001_base.sql", "aa", false, true, {}},
                    {{"0002"},
                     "0002_more.sql",
                     "bb",
                     true,
                     false,
                     {"ACCESS EXCLUSIVE on files, rewrites it", "SHARE on \"My Files\""}}};
  plan.waves = {{"canary", 1}, {"rest", 2}};
  plan.step_lists = {{{"0001"}, {"0002"}}, {{"0002"}}};
  plan.tenants = {
      {{"acme"}, "db1:5432", 0, "label ring=canary", {}, 0, "", 8192, 0, ""},
      {{"beta"}, "db2:5432", 1, "the rest", {{"0001"}}, 7, "uid-7", 0, 1, ""},
      {{"gone"}, "db2:5432", 1, "the rest", {}, -1, "", 0, 0, "unreachable: no route"},
  };
  plan.findings = {{"lock_held", "acme", "its lock is held"}};
  return plan;
}

/// A sound plan of `tenants` tenants whose texts hold anything that is UTF-8.
class PlanMaker {
 public:
  explicit PlanMaker(unsigned seed) : random_(seed) {}

  Plan make(std::size_t tenants) {
    Plan plan;
    plan.environment = text();
    plan.production = coin();
    plan.direction = coin() ? engine::Direction::up : engine::Direction::down;
    plan.target = text();
    plan.author = text();
    plan.created = text();
    plan.migrations_digest = text();
    plan.strategy = text();
    add_lists(plan);
    for (std::size_t i = 0; i < tenants; ++i) {
      plan.tenants.push_back(tenant(plan, i));
      ++plan.waves[plan.tenants.back().wave].tenants;
    }
    for (std::size_t left = below(3); left > 0; --left) {
      plan.findings.push_back({text(), text(), text()});
    }
    return plan;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % limit; }
  bool coin() { return below(2) == 0; }

  std::string text() {
    static const std::string kPieces[] = {"a",
                                          "Z",
                                          " ",
                                          "\"",
                                          "\\",
                                          "/",
                                          "\n",
                                          "\r",
                                          "\t",
                                          "\b",
                                          "\f",
                                          std::string(1, '\0'),
                                          "\x1F",
                                          "\x7F",
                                          "\xC3\xBC",
                                          "\xE2\x82\xAC",
                                          "\xF0\x9F\x98\x80",
                                          "{",
                                          "}",
                                          "[",
                                          ",",
                                          ":",
                                          "\\u0041"};
    std::string made;
    for (std::size_t left = below(12); left > 0; --left) {
      made += kPieces[below(std::size(kPieces))];
    }
    return made;
  }

  void add_lists(Plan& plan) {
    for (std::size_t i = 0, count = 1 + below(6); i < count; ++i) {
      plan.revisions.push_back({{text() + std::to_string(i)}, text(), text(), coin(), coin(), {}});
      for (std::size_t left = coin() ? 0 : below(4); left > 0; --left) {
        plan.revisions.back().locks.push_back(text());
      }
    }
    for (std::size_t i = 0, count = 1 + below(4); i < count; ++i) {
      plan.waves.push_back({text(), 0});
    }
    for (std::size_t i = 0; i <= plan.revisions.size(); ++i) {  // each as long as no other
      auto& list = plan.step_lists.emplace_back();
      for (std::size_t step = 0; step < i; ++step) {
        list.push_back(plan.revisions[step].id);
      }
    }
  }

  PlannedTenant tenant(const Plan& plan, std::size_t number) {
    PlannedTenant made;
    made.id = {text() + std::to_string(number)};
    made.server = text();
    made.wave = below(plan.waves.size());
    made.rule = text();
    for (std::size_t left = below(3); left > 0; --left) {
      made.from.push_back({text()});
    }
    made.epoch =
        static_cast<std::int64_t>((static_cast<std::uint64_t>(random_()) << 32U) | random_());
    made.uid = text();
    made.bytes = static_cast<std::int64_t>(random_());
    made.steps = below(plan.step_lists.size());
    made.unfit = coin() ? "" : text();
    return made;
  }

  std::mt19937 random_;
};

}  // namespace drover::orchestrator::plan
