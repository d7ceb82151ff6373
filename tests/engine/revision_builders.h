/// Histories for the tests of engine/revision_*: builders, and the errors they throw.

#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/revision_graph.h"

namespace drover::engine::test {

inline std::vector<RevisionId> ids(std::initializer_list<std::string> names) {
  std::vector<RevisionId> result;
  for (const std::string& name : names) {
    result.push_back(RevisionId{name});
  }
  return result;
}

inline RevisionSet applied(std::initializer_list<std::string> names) {
  const std::vector<RevisionId> list = ids(names);
  return {list.begin(), list.end()};
}

inline Revision rev(const std::string& id, std::initializer_list<std::string> parents = {}) {
  return {RevisionId{id}, ids(parents), "migrations/" + id + ".sql"};
}

inline Revision depending(Revision revision, std::initializer_list<std::string> depends) {
  revision.depends = ids(depends);
  return revision;
}

inline Revision labelled(Revision revision, std::initializer_list<std::string> labels) {
  revision.labels = labels;
  return revision;
}

/// Two branches from 0001, joined by 0004, and one revision after the merge:
///
///   0001 -- 0002 -- 0004 -- 0005
///       \-- 0003 --/
inline RevisionGraph diamond() {
  return RevisionGraph::build({rev("0001"),
                               rev("0002", {"0001"}),
                               rev("0003", {"0001"}),
                               rev("0004", {"0002", "0003"}),
                               rev("0005", {"0004"})});
}

/// Two labelled branches from a common trunk, and a third with a base of its own, whose second
/// revision needs one of the branch "files":
///
///   a001 -- a002 -- f001 -- f002 -- f003      (f001 is labelled "files")
///               \-- u001 -- u002              (u001 is labelled "users")
///   x001 -- x002                              (x001 is labelled "extras"; x002 depends on f001)
inline RevisionGraph branches() {
  return RevisionGraph::build({rev("a001"),
                               rev("a002", {"a001"}),
                               labelled(rev("f001", {"a002"}), {"files"}),
                               rev("f002", {"f001"}),
                               rev("f003", {"f002"}),
                               labelled(rev("u001", {"a002"}), {"users"}),
                               rev("u002", {"u001"}),
                               labelled(rev("x001"), {"extras"}),
                               depending(rev("x002", {"x001"}), {"f001"})});
}

/// Runs `action` and returns the GraphError it must throw, so that a test can look at all of it.
template <typename Action>
GraphError error_of(Action action) {
  try {
    action();
  } catch (const GraphError& error) {
    return error;
  }
  throw std::logic_error("expected a GraphError, and nothing was thrown");
}

}  // namespace drover::engine::test
