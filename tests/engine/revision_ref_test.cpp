#include "engine/revision_ref.h"

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/engine/revision_builders.h"

using drover::engine::Direction;
using drover::engine::GraphError;
using drover::engine::resolve_downgrade;
using drover::engine::resolve_one;
using drover::engine::resolve_range;
using drover::engine::resolve_upgrade;
using drover::engine::RevisionGraph;
using drover::engine::RevisionId;
using drover::engine::RevisionRange;
using drover::engine::RevisionSet;
using drover::engine::steps_down;
using drover::engine::steps_up;
using namespace drover::engine::test;  // NOLINT: builders
using Kind = GraphError::Kind;

namespace {

/// Kind and message in one, so that a check shows both.
template <typename Action>
std::pair<Kind, std::string> refusal(Action action) {
  const GraphError error = error_of(action);
  return {error.kind(), error.what()};
}

using Refusal = std::pair<Kind, std::string>;

const RevisionSet kTrunk = applied({"a001", "a002"});
const RevisionSet kFiles = applied({"a001", "a002", "f001", "f002"});
const RevisionSet kBoth = applied({"a001", "a002", "f001", "f002", "u001"});
const RevisionSet kAll =
    applied({"a001", "a002", "f001", "f002", "f003", "u001", "u002", "x001", "x002"});

}  // namespace

TEST_CASE("an absolute reference goes to the same place for every tenant",
          "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto up = [&](const std::string& ref) { return resolve_upgrade(graph, ref, kTrunk); };

  CHECK(up("f002") == ids({"f002"}));
  CHECK(up("files") == ids({"f001"}));
  CHECK(up("fil") == ids({"f001"}));
  CHECK(up("heads") == ids({"f003", "u002", "x002"}));
  CHECK(up("base").empty());
  CHECK(up("files@base").empty());
  CHECK(up("files@head") == ids({"f003"}));
  CHECK(up("files@heads") == ids({"f003"}));
  CHECK(up("u001@head") == ids({"u002"}));
  CHECK(up("a001@heads") == ids({"f003", "u002"}));
  CHECK(up("files@f002") == ids({"f002"}));
  CHECK(resolve_upgrade(diamond(), "head", {}) == ids({"0005"}));
  CHECK(resolve_upgrade(RevisionGraph::build({}), "head", {}).empty());
}

TEST_CASE("an absolute reference that does not fit is refused", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto up = [&](const std::string& ref) {
    return refusal([&] { resolve_upgrade(graph, ref, kTrunk); });
  };

  CHECK(up("head") ==
        Refusal{Kind::multiple_heads, "'head' is several revisions: f003, u002, x002"});
  CHECK(up("a001@head") ==
        Refusal{Kind::multiple_heads, "'a001@head' is several revisions: f003, u002"});
  CHECK(up("f00") ==
        Refusal{Kind::ambiguous_ref, "'f00' matches several revisions: f001, f002, f003"});
  CHECK(up("f0") == Refusal{Kind::unknown_ref, "no revision matches 'f0'"});
  CHECK(up("nope@head") == Refusal{Kind::unknown_ref, "no revision matches 'nope'"});
  CHECK(up("files@u001") == Refusal{Kind::unknown_ref, "revision 'u001' is not on branch 'files'"});

  for (const std::string ref : {"",
                                "@head",
                                "files@",
                                "a@b@c",
                                "a001+",
                                "a001+x",
                                "+0",
                                "-0",
                                "+1+1",
                                "+99999999999999999999",
                                "a001:f001",
                                "a001,f001"}) {
    CHECK(up(ref) == Refusal{Kind::invalid_ref, "'" + ref + "' is not a reference"});
  }

  SECTION("and at most three of many are named") {
    const auto many = RevisionGraph::build({rev("0001"), rev("0002"), rev("0003"), rev("0004")});
    CHECK(
        refusal([&] { resolve_one(many, "head"); }) ==
        Refusal{Kind::multiple_heads, "'head' is several revisions: 0001, 0002, 0003 and 1 more"});
  }
}

TEST_CASE("a prefix is looked up on the branch that is named", "[engine][revision_ref]") {
  const RevisionGraph graph = RevisionGraph::build(
      {labelled(rev("ab12"), {"left"}), labelled(rev("ab13"), {"right"}), rev("ab21", {"ab13"})});

  CHECK(resolve_one(graph, "right@ab1") == RevisionId{"ab13"});
  CHECK(refusal([&] { resolve_one(graph, "ab1"); }).first == Kind::ambiguous_ref);
}

TEST_CASE("a relative upgrade starts at the tenant's current heads", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto up = [&](const std::string& ref, const RevisionSet& done) {
    return resolve_upgrade(graph, ref, done);
  };

  CHECK(up("+1", kFiles) == ids({"f003"}));
  CHECK(up("current+1", kFiles) == ids({"f003"}));
  CHECK(up("current", kBoth) == ids({"f002", "u001"}));
  CHECK(up("users@+1", kBoth) == ids({"u002"}));

  SECTION("or on its lineage, when the branch was not begun") {
    CHECK(up("users@+1", kFiles) == ids({"u001"}));
    CHECK(up("users@+2", kTrunk) == ids({"u002"}));
    CHECK(up("extras@+1", kTrunk) == ids({"x001"}));
    CHECK(up("files@+2", {}) == ids({"a002"}));
  }

  SECTION("or at the head of the branch, even when a dependant on another branch hides it") {
    CHECK(up("files@+1", applied({"a001", "a002", "f001", "x001", "x002"})) == ids({"f002"}));
  }
}

TEST_CASE("a relative reference may start at a revision", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto one = [&](const std::string& ref) { return resolve_one(graph, ref); };

  CHECK(one("f001+2") == RevisionId{"f003"});
  CHECK(one("f003-3") == RevisionId{"a002"});
  CHECK(one("files@a002+1") == RevisionId{"f001"});
  CHECK(one("users@head-1") == RevisionId{"u001"});
  CHECK(one("files@base+3") == RevisionId{"f001"});
  CHECK(graph.resolve("fil+1") == RevisionId{"f002"});
  CHECK(resolve_upgrade(graph, "a002-2", {}).empty());

  SECTION("and its last step down may end on all parents of a merge") {
    CHECK(resolve_upgrade(diamond(), "0004-1", {}) == ids({"0002", "0003"}));
    CHECK(refusal([&] { resolve_upgrade(diamond(), "0004-2", {}); }) ==
          Refusal{Kind::ambiguous_ref, "'0004-2' could start at several revisions: 0002, 0003"});
    CHECK(resolve_one(diamond(), "0002@0004-2") == RevisionId{"0001"});
  }
}

TEST_CASE("a relative reference that leads nowhere is refused", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto up = [&](const std::string& ref, const RevisionSet& done) {
    return refusal([&] { resolve_upgrade(graph, ref, done); });
  };

  CHECK(up("+2", kFiles) ==
        Refusal{Kind::out_of_range, "'+2' goes past 'f003', which no revision follows"});
  CHECK(up("a001-2", kFiles) == Refusal{Kind::out_of_range, "'a001-2' goes past the base"});
  CHECK(up("+1", kTrunk) ==
        Refusal{Kind::ambiguous_ref, "'+1' could go to several revisions: f001, u001"});
  CHECK(up("+1", {}) ==
        Refusal{Kind::ambiguous_ref, "'+1' could go to several revisions: a001, x001"});
  CHECK(up("+1", kBoth) ==
        Refusal{Kind::ambiguous_ref, "'+1' could start at several revisions: f002, u001"});
  CHECK(up("-1", kFiles) == Refusal{Kind::invalid_ref, "'-1' does not lead up"});
  CHECK(up("+1", applied({"0099"})).first == Kind::foreign_applied);
  CHECK(refusal([&] { resolve_upgrade(RevisionGraph::build({}), "+1", {}); }) ==
        Refusal{Kind::out_of_range, "'+1' goes past the base, which no revision follows"});
  CHECK(refusal([&] { resolve_downgrade(graph, "+1", kFiles); }) ==
        Refusal{Kind::invalid_ref, "'+1' does not lead down"});
}

TEST_CASE("one revision is asked for, and none or several are refused", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();

  CHECK(resolve_one(graph, "current", kFiles) == RevisionId{"f002"});
  CHECK(refusal([&] { resolve_one(graph, "base"); }) ==
        Refusal{Kind::unknown_ref, "no revision matches 'base'"});
  CHECK(refusal([&] { resolve_one(graph, "heads"); }) ==
        Refusal{Kind::ambiguous_ref, "'heads' is several revisions: f003, u002, x002"});
}

TEST_CASE("a downgrade undoes what follows its target", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto down = [&](const std::string& ref, const RevisionSet& done) {
    return graph.to_undo(done, resolve_downgrade(graph, ref, done));
  };

  CHECK(down("f001", kFiles) == ids({"f002"}));
  CHECK(down("a002", kBoth) == ids({"u001", "f002", "f001"}));
  CHECK(down("base", kBoth) == ids({"u001", "f002", "f001", "a002", "a001"}));

  SECTION("only on the branch that is named") {
    CHECK(down("files@a002", kBoth) == ids({"f002", "f001"}));
    CHECK(down("users@base", kBoth) == ids({"u001"}));
    CHECK(down("extras@base", kAll) == ids({"x002", "x001"}));
  }

  SECTION("with what depends on it on other branches") {
    CHECK(down("a002", kAll) == ids({"x002", "u002", "u001", "f003", "f002", "f001"}));
    CHECK(down("files@base", kAll) == ids({"x002", "f003", "f002", "f001"}));
  }

  SECTION("by steps from the current head") {
    CHECK(down("-1", kFiles) == ids({"f002"}));
    CHECK(down("-4", kFiles) == ids({"f002", "f001", "a002", "a001"}));
    CHECK(down("users@-1", kBoth) == ids({"u001"}));
    CHECK(down("f002-1", kFiles) == ids({"f002"}));
  }

  SECTION("one step from a merge is the merge") {
    const RevisionSet merged = applied({"0001", "0002", "0003", "0004"});
    CHECK(diamond().to_undo(merged, resolve_downgrade(diamond(), "-1", merged)) == ids({"0004"}));
    CHECK(diamond().to_undo(merged, resolve_downgrade(diamond(), "0004-1", merged)) ==
          ids({"0004"}));
    CHECK(refusal([&] { resolve_downgrade(diamond(), "-2", merged); }).first ==
          Kind::ambiguous_ref);
  }

  SECTION("but not by steps from several current heads, or past the base") {
    const auto refused = [&](const std::string& ref, const RevisionSet& done) {
      return refusal([&] { resolve_downgrade(graph, ref, done); });
    };
    CHECK(refused("-1", kBoth) ==
          Refusal{Kind::ambiguous_ref, "'-1' could start at several revisions: f002, u001"});
    CHECK(refused("-5", kFiles) == Refusal{Kind::out_of_range, "'-5' goes past the base"});
    CHECK(refused("-1", {}) == Refusal{Kind::out_of_range, "'-1' goes past the base"});
  }

  SECTION("nor by steps on a branch that the tenant never began") {
    CHECK(refusal([&] { resolve_downgrade(graph, "users@-1", kFiles); }) ==
          Refusal{Kind::out_of_range,
                  "'users@-1' starts at 'a002', which applied 'f001' of another branch follows"});
  }

  SECTION("though a dependant on another branch is no obstacle") {
    CHECK(down("files@-1", applied({"a001", "a002", "f001", "x001", "x002"})) ==
          ids({"x002", "f001"}));
  }

  SECTION("and nothing for a tenant that is not there yet") {
    CHECK(down("f003", kFiles).empty());
    CHECK(down("current", kBoth).empty());
    CHECK(down("u001", kTrunk).empty());
    CHECK(down("base", {}).empty());
  }
}

TEST_CASE("the ends of a range are found and checked", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();
  const auto range = [&](const std::string& text, const RevisionSet& done = {}) {
    return resolve_range(graph, text, Direction::up, done);
  };

  CHECK(range("base:files@head") == RevisionRange{{}, ids({"f003"})});
  CHECK(range("a002:f001") == RevisionRange{ids({"a002"}), ids({"f001"})});
  CHECK(range("a002:") == RevisionRange{ids({"a002"}), ids({"f003", "u002", "x002"})});
  CHECK(range(":f001") == RevisionRange{{}, ids({"f001"})});
  CHECK(range("-2:current", kFiles) == RevisionRange{ids({"a002"}), ids({"f002"})});
  CHECK(range("-2:files@head") == RevisionRange{ids({"f001"}), ids({"f003"})});
  CHECK(range("f001:+2") == RevisionRange{ids({"f001"}), ids({"f003"})});
  CHECK(range("-1:+1", kFiles) == RevisionRange{ids({"f001"}), ids({"f003"})});
  CHECK(range("f001:x002") == RevisionRange{ids({"f001"}), ids({"x002"})});
  CHECK(resolve_range(graph, "f003:-2", Direction::down) ==
        RevisionRange{ids({"f001"}), ids({"f003"})});

  CHECK(refusal([&] { range("f001:a002"); }) ==
        Refusal{Kind::not_an_ancestor, "'f001' is not an ancestor of 'a002'"});
  CHECK(refusal([&] { range("f001:u002"); }) ==
        Refusal{Kind::not_an_ancestor, "'f001' is not an ancestor of 'u002'"});
  CHECK(refusal([&] { range("f001:base"); }) ==
        Refusal{Kind::not_an_ancestor, "'f001' is not an ancestor of the base"});
  CHECK(refusal([&] { range("f001"); }) == Refusal{Kind::invalid_ref, "'f001' is not a range"});
  CHECK(refusal([&] { range("a:b:c"); }) == Refusal{Kind::invalid_ref, "'a:b:c' is not a range"});
}

TEST_CASE("a range gives the steps of a script, without a tenant", "[engine][revision_ref]") {
  const RevisionGraph graph = branches();

  CHECK(steps_up(graph, resolve_range(graph, "a002:f002", Direction::up)) == ids({"f001", "f002"}));
  CHECK(steps_up(graph, resolve_range(graph, "x001:x002", Direction::up)) ==
        ids({"a001", "a002", "f001", "x002"}));
  CHECK(steps_down(graph, resolve_range(graph, "f002:a002", Direction::down)) ==
        ids({"f002", "f001"}));
  CHECK(steps_down(graph, resolve_range(graph, "x002:base", Direction::down)) ==
        ids({"x002", "x001", "f001", "a002", "a001"}));
}
