/// What can be wrong with a history, with a reference to it, or with a tenant's record of it.
///
/// Thread safety: plain values.

#pragma once

#include <string>

#include "engine/error.h"

namespace drover::engine {

/// A history that cannot be used, a reference that does not mean what was asked for, or a record
/// that contradicts the history. place() is the file of the revision at fault, where one is.
class GraphError : public Error {
 public:
  enum class Kind {
    invalid_id,          ///< An id that is empty, reserved, or holds a character it must not.
    duplicate_id,        ///< Two revisions claim the same id.
    invalid_label,       ///< A label that could not be an id either.
    duplicate_label,     ///< A label that is already a label, or the id of a revision.
    unknown_parent,      ///< A revision names a parent that is not in the history.
    unknown_dependency,  ///< A revision depends on one that is not in the history.
    repeated_link,       ///< A revision names another twice among its parents and dependencies.
    cycle,               ///< Following parents and dependencies leads back to the start.
    invalid_ref,         ///< A reference that is not written as one, or makes no sense here.
    unknown_ref,         ///< A reference names no revision.
    ambiguous_ref,       ///< A reference names several revisions where one is needed.
    multiple_heads,      ///< "head", while there are several.
    out_of_range,        ///< A relative reference goes past a head or the base.
    not_an_ancestor,     ///< The ends of a range are not one behind the other.
    foreign_applied,     ///< A tenant has applied a revision that this history lacks.
    applied_gap,         ///< A tenant has applied a revision but not one that it needs.
  };

  /// The last two kinds contradict a tenant's record (ErrorCode::verification); all others are
  /// wrong input (ErrorCode::usage). kind_name() is the name of the enumerator.
  GraphError(Kind kind, const std::string& message, std::string hint, Place place = {});

  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

}  // namespace drover::engine
