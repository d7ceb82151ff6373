#include <algorithm>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/revision_graph.h"
#include "tests/engine/revision_builders.h"

using drover::ErrorCode;
using drover::engine::AppliedCheck;
using drover::engine::GraphError;
using drover::engine::Revision;
using drover::engine::RevisionGraph;
using drover::engine::RevisionId;
using drover::engine::RevisionSet;
using namespace drover::engine::test;  // NOLINT: builders
using Kind = GraphError::Kind;

namespace {

/// A history of 30 revisions. Each may follow and depend on any with a smaller id, so what is drawn
/// has no circle.
std::vector<Revision> drawn_history(std::mt19937& random) {
  std::vector<Revision> revisions;
  for (int i = 0; i < 30; ++i) {
    Revision revision = rev(std::to_string(1000 + i));
    for (int j = 0; j < i; ++j) {
      const auto dice = random() % 24;
      if (dice < 3) {
        revision.parents.push_back(RevisionId{std::to_string(1000 + j)});
      } else if (dice == 3) {
        revision.depends.push_back(RevisionId{std::to_string(1000 + j)});
      }
    }
    revisions.push_back(revision);
  }
  return revisions;
}

std::vector<RevisionId> needs_of(const Revision& revision) {
  std::vector<RevisionId> needs = revision.parents;
  needs.insert(needs.end(), revision.depends.begin(), revision.depends.end());
  return needs;
}

}  // namespace

TEST_CASE("pending is what a tenant still needs, in order", "[engine][revision_applied]") {
  const RevisionGraph graph = diamond();
  const auto pending = [&](std::initializer_list<std::string> done, const std::string& target) {
    return graph.pending(applied(done), RevisionId{target});
  };

  SECTION("a new tenant runs everything") {
    CHECK(pending({}, "0005") == ids({"0001", "0002", "0003", "0004", "0005"}));
  }

  SECTION("a tenant on one branch also runs the other one before the merge") {
    CHECK(pending({"0001", "0003"}, "0004") == ids({"0002", "0004"}));
  }

  SECTION("a branch the target does not need is left alone") {
    CHECK(pending({}, "0003") == ids({"0001", "0003"}));
  }

  SECTION("a tenant at or past the target has nothing to do") {
    CHECK(pending({"0001", "0002"}, "0002").empty());
    CHECK(pending({"0001", "0002"}, "0001").empty());
  }

  SECTION("a tenant that is ahead of this build is refused") {
    const auto error = error_of([&] { pending({"0001", "0099"}, "0005"); });

    CHECK(error.kind() == Kind::foreign_applied);
    CHECK(error.code() == ErrorCode::verification);
    CHECK(std::string(error.what()) == "tenant has applied '0099', which is not in this history");
  }

  SECTION("a tenant with a hole in its record is refused, even far from the target") {
    const auto error = error_of([&] { pending({"0001", "0004"}, "0001"); });

    CHECK(error.kind() == Kind::applied_gap);
    CHECK(std::string(error.what()) == "tenant has applied '0004' but not its parent '0002'");
  }

  SECTION("an unknown target is refused") {
    CHECK(error_of([&] { pending({}, "0042"); }).kind() == Kind::unknown_ref);
  }
}

TEST_CASE("pending includes what the targets depend on", "[engine][revision_applied]") {
  const RevisionGraph graph = branches();

  CHECK(graph.pending({}, RevisionId{"x002"}) == ids({"a001", "a002", "f001", "x001", "x002"}));
  CHECK(graph.pending(applied({"x001"}), ids({"x002", "u001"})) ==
        ids({"a001", "a002", "f001", "u001", "x002"}));
  CHECK(graph.pending(applied({"x001"}), std::vector<RevisionId>{}).empty());

  const auto error = error_of([&] {
    graph.pending(applied({"x001", "x002"}), RevisionId{"x002"});
  });
  CHECK(error.kind() == Kind::applied_gap);
  CHECK(std::string(error.what()) == "tenant has applied 'x002' but not its dependency 'f001'");
}

TEST_CASE("a record is checked against the history", "[engine][revision_applied]") {
  const RevisionGraph graph = branches();

  CHECK(graph.check(applied({"a001", "a002"})).is_sound());

  const AppliedCheck found = graph.check(applied({"0000", "a002", "x001", "x002", "zzzz"}));
  CHECK_FALSE(found.is_sound());
  CHECK(found.unknown == ids({"0000", "zzzz"}));
  CHECK(found.gaps == std::vector<AppliedCheck::Gap>{{RevisionId{"a002"}, RevisionId{"a001"}},
                                                     {RevisionId{"x002"}, RevisionId{"f001"}}});
}

TEST_CASE("current heads are what nothing applied needs", "[engine][revision_applied]") {
  const RevisionGraph graph = branches();
  const auto current = [&](std::initializer_list<std::string> done) {
    return graph.current_heads(applied(done));
  };

  CHECK(current({}).empty());
  CHECK(current({"a001", "a002", "f001", "u001"}) == ids({"f001", "u001"}));

  SECTION("a revision that an applied one depends on is not among them") {
    CHECK(current({"a001", "a002", "f001", "x001", "x002"}) == ids({"x002"}));
  }

  SECTION("an id that the history lacks is among them, since nothing says what follows it") {
    CHECK(current({"0099", "a001"}) == ids({"0099", "a001"}));
  }
}

TEST_CASE("undoing takes away what stands on the unwanted", "[engine][revision_applied]") {
  const RevisionGraph graph = branches();
  const auto undo = [&](std::initializer_list<std::string> done,
                        std::initializer_list<std::string> unwanted) {
    return graph.to_undo(applied(done), ids(unwanted));
  };

  SECTION("children go before their parents") {
    CHECK(undo({"a001", "a002", "f001", "f002"}, {"f001"}) == ids({"f002", "f001"}));
  }

  SECTION("other branches stay") {
    CHECK(undo({"a001", "a002", "f001", "u001"}, {"f001"}) == ids({"f001"}));
  }

  SECTION("a dependant goes before what it depends on") {
    CHECK(undo({"a001", "a002", "f001", "x001", "x002"}, {"f001"}) == ids({"x002", "f001"}));
  }

  SECTION("what is not applied needs no undoing") {
    CHECK(undo({"a001", "a002"}, {"f001"}).empty());
  }

  SECTION("a record that does not fit is refused") {
    CHECK(error_of([&] { undo({"a001", "0099"}, {"a001"}); }).kind() == Kind::foreign_applied);
    CHECK(error_of([&] { undo({"a002"}, {"a002"}); }).kind() == Kind::applied_gap);
    CHECK(error_of([&] { undo({"a001"}, {"0042"}); }).kind() == Kind::unknown_ref);
  }
}

TEST_CASE("any sound history: order, restarts and input order agree",
          "[engine][revision_applied]") {
  const unsigned seed = GENERATE(range(0U, 50U));
  CAPTURE(seed);
  std::mt19937 random(seed);

  std::vector<Revision> revisions = drawn_history(random);
  const RevisionGraph graph = RevisionGraph::build(revisions);
  std::shuffle(revisions.begin(), revisions.end(), random);
  const RevisionGraph shuffled = RevisionGraph::build(revisions);
  REQUIRE(std::equal(graph.in_order().begin(),
                     graph.in_order().end(),
                     shuffled.in_order().begin(),
                     shuffled.in_order().end(),
                     [](const Revision& a, const Revision& b) { return a.id == b.id; }));

  // Running what is pending one revision at a time, as a tenant does that is interrupted after
  // every step, must never skip what is needed, and must follow the plan made at the start.
  const RevisionId target = graph.in_order().back().id;
  const std::vector<RevisionId> plan = graph.pending({}, target);
  RevisionSet done;
  for (const RevisionId& step : plan) {
    REQUIRE(graph.pending(done, target).front() == step);
    for (const RevisionId& needed : needs_of(*graph.find(step))) {
      REQUIRE(done.contains(needed));
    }
    done.insert(step);
  }
  CHECK(graph.pending(done, target).empty());
  CHECK(graph.closure(std::vector{target}) == done);
}

TEST_CASE("any sound history: down and up again by any path comes back",
          "[engine][revision_applied]") {
  const unsigned seed = GENERATE(range(0U, 50U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const RevisionGraph graph = RevisionGraph::build(drawn_history(random));
  const auto any = [&] { return graph.in_order()[random() % graph.in_order().size()].id; };

  const std::vector<RevisionId> targets = {any(), any()};
  const RevisionSet start = graph.closure(targets);
  const std::vector<RevisionId> unwanted = {any(), any()};
  const std::vector<RevisionId> plan = graph.to_undo(start, unwanted);

  // Interrupted after every step, the record fits the history and the plan holds.
  RevisionSet done = start;
  for (const RevisionId& step : plan) {
    REQUIRE(graph.to_undo(done, unwanted).front() == step);
    done.erase(step);
    REQUIRE(graph.check(done).is_sound());
  }
  CHECK(graph.to_undo(done, unwanted).empty());
  CHECK_FALSE(done.contains(unwanted.front()));

  // Nothing went that did not have to: each one that went is unwanted or stands on one.
  for (const RevisionId& step : plan) {
    const RevisionSet below = graph.closure(std::vector{step});
    CHECK((below.contains(unwanted[0]) || below.contains(unwanted[1])));
  }

  const std::vector<RevisionId> heads = graph.current_heads(start);
  for (const RevisionId& step : graph.pending(done, heads)) {
    done.insert(step);
  }
  CHECK(done == start);
  CHECK(graph.current_heads(done) == heads);
}
