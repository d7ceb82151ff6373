#include "orchestrator/outcome.h"

#include <initializer_list>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

using drover::ErrorCode;
using drover::engine::TenantFault;
using drover::orchestrator::FaultGroup;
using drover::orchestrator::Outcome;
using drover::orchestrator::outcome_named;
using drover::orchestrator::RunSummary;
using drover::orchestrator::TenantId;
using drover::orchestrator::TenantOutcome;

namespace {

constexpr std::initializer_list<Outcome> kAllOutcomes = {Outcome::applied,
                                                         Outcome::current,
                                                         Outcome::failed,
                                                         Outcome::partial,
                                                         Outcome::in_doubt,
                                                         Outcome::not_started,
                                                         Outcome::skipped,
                                                         Outcome::held,
                                                         Outcome::unreachable,
                                                         Outcome::vanished};

TenantOutcome tenant(Outcome outcome) {
  TenantOutcome result;
  result.id = TenantId{"acme"};
  result.outcome = outcome;
  return result;
}

TenantOutcome faulty(Outcome outcome, ErrorCode code) {
  TenantOutcome result = tenant(outcome);
  result.fault = TenantFault{};
  result.fault->code = code;
  result.fault->kind = "some_kind";
  return result;
}

TenantOutcome failed_by(const std::string& id, const std::string& kind) {
  TenantOutcome result = faulty(Outcome::failed, ErrorCode::incomplete);
  result.id = TenantId{id};
  result.fault->kind = kind;
  result.fault->message = "revision 0004 failed";
  return result;
}

RunSummary summary_of(const std::vector<TenantOutcome>& outcomes) {
  RunSummary summary;
  for (const TenantOutcome& outcome : outcomes) {
    summary.add(outcome);
  }
  return summary;
}

}  // namespace

TEST_CASE("every outcome has a name of its own that leads back to it", "[orchestrator][outcome]") {
  for (const Outcome outcome : kAllOutcomes) {
    CHECK(outcome_named(name_of(outcome)) == outcome);
  }
  CHECK(name_of(Outcome::in_doubt) == "in_doubt");
  CHECK(name_of(Outcome::vanished) == "vanished");
}

TEST_CASE("a word that is no outcome names none", "[orchestrator][outcome]") {
  CHECK_FALSE(outcome_named("").has_value());
  CHECK_FALSE(outcome_named("Applied").has_value());
  CHECK_FALSE(outcome_named("in-doubt").has_value());
}

TEST_CASE("a summary counts tenants by outcome", "[orchestrator][outcome]") {
  const RunSummary summary = summary_of(
      {tenant(Outcome::applied), tenant(Outcome::applied), tenant(Outcome::not_started)});

  CHECK(summary.total() == 3);
  CHECK(summary.count(Outcome::applied) == 2);
  CHECK(summary.count(Outcome::not_started) == 1);
  CHECK(summary.count(Outcome::failed) == 0);
}

TEST_CASE("the exit status follows from what became of the tenants", "[orchestrator][outcome]") {
  struct Row {
    std::string about;
    std::vector<TenantOutcome> outcomes;
    int status;
  };
  const TenantOutcome applied = tenant(Outcome::applied);
  const TenantOutcome held = tenant(Outcome::held);
  const TenantOutcome unreachable = tenant(Outcome::unreachable);
  const TenantOutcome busy = faulty(Outcome::failed, ErrorCode::busy);
  const TenantOutcome failed = faulty(Outcome::failed, ErrorCode::incomplete);
  const TenantOutcome edited = faulty(Outcome::skipped, ErrorCode::verification);

  const auto row = GENERATE_COPY(values<Row>({
      {"no tenant at all", {}, 0},
      {"applied and current", {applied, tenant(Outcome::current)}, 0},
      {"held ones change nothing", {applied, held}, 0},
      {"only held ones", {held, held}, 0},
      {"a held one with a fault changes nothing",
       {applied, faulty(Outcome::held, ErrorCode::verification)},
       0},
      {"one failed", {applied, failed}, 3},
      {"one partial", {tenant(Outcome::partial)}, 3},
      {"one in doubt", {applied, tenant(Outcome::in_doubt)}, 3},
      {"one not started", {applied, tenant(Outcome::not_started)}, 3},
      {"one skipped", {applied, tenant(Outcome::skipped)}, 3},
      {"one vanished", {applied, tenant(Outcome::vanished)}, 3},
      {"a fault of a strange code", {applied, faulty(Outcome::failed, ErrorCode::usage)}, 3},
      {"a tenant is well in spite of a fault it got over",
       {faulty(Outcome::applied, ErrorCode::busy)},
       0},
      {"all locked", {busy, busy}, 5},
      {"all locked but a held one", {busy, held}, 5},
      {"one of two locked", {busy, applied}, 3},
      {"all unreachable", {unreachable, faulty(Outcome::unreachable, ErrorCode::unreachable)}, 6},
      {"one of two unreachable", {unreachable, applied}, 3},
      {"some locked, the others unreachable", {busy, unreachable}, 3},
      {"all unreachable but one not started", {unreachable, tenant(Outcome::not_started)}, 3},
      {"a difference of files and history beats a failure", {failed, edited, applied}, 7},
      {"a difference beats locked tenants", {busy, edited}, 7},
  }));

  INFO(row.about);
  CHECK(summary_of(row.outcomes).exit_status() == row.status);
}

TEST_CASE("faults are grouped by cause, the most frequent first", "[orchestrator][outcome]") {
  const RunSummary summary = summary_of({failed_by("a", "syntax_error"),
                                         failed_by("b", "lock_timeout"),
                                         failed_by("c", "lock_timeout"),
                                         tenant(Outcome::applied)});

  const std::vector<FaultGroup> groups = summary.fault_groups();

  REQUIRE(groups.size() == 2);
  CHECK(groups[0].example.kind == "lock_timeout");
  CHECK(groups[0].count == 2);
  CHECK(groups[0].tenants == std::vector<TenantId>{{"b"}, {"c"}});
  CHECK(groups[1].example.kind == "syntax_error");
  CHECK(groups[1].fingerprint != groups[0].fingerprint);
}

TEST_CASE("groups of equal size are ordered by fingerprint", "[orchestrator][outcome]") {
  const std::vector<FaultGroup> one =
      summary_of({failed_by("a", "b_kind"), failed_by("b", "a_kind")}).fault_groups();
  const std::vector<FaultGroup> other =
      summary_of({failed_by("b", "a_kind"), failed_by("a", "b_kind")}).fault_groups();

  REQUIRE(one.size() == 2);
  CHECK(one[0].fingerprint < one[1].fingerprint);
  CHECK(other[0].fingerprint == one[0].fingerprint);
}

TEST_CASE("a group names its first twenty tenants and counts them all", "[orchestrator][outcome]") {
  RunSummary summary;
  for (int i = 0; i < 37; ++i) {
    summary.add(failed_by("t" + std::to_string(i), "lock_timeout"));
  }

  const std::vector<FaultGroup> groups = summary.fault_groups();

  REQUIRE(groups.size() == 1);
  CHECK(groups[0].count == 37);
  CHECK(groups[0].tenants.size() == 20);
  CHECK(groups[0].tenants.back() == TenantId{"t19"});
}
