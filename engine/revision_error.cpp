#include "engine/revision_error.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace drover::engine {
namespace {

using Kind = GraphError::Kind;

struct KindEntry {
  Kind kind;
  std::string_view name;
};

constexpr std::array<KindEntry, 16> kKinds = {{
    {Kind::invalid_id, "invalid_id"},
    {Kind::duplicate_id, "duplicate_id"},
    {Kind::invalid_label, "invalid_label"},
    {Kind::duplicate_label, "duplicate_label"},
    {Kind::unknown_parent, "unknown_parent"},
    {Kind::unknown_dependency, "unknown_dependency"},
    {Kind::repeated_link, "repeated_link"},
    {Kind::cycle, "cycle"},
    {Kind::invalid_ref, "invalid_ref"},
    {Kind::unknown_ref, "unknown_ref"},
    {Kind::ambiguous_ref, "ambiguous_ref"},
    {Kind::multiple_heads, "multiple_heads"},
    {Kind::out_of_range, "out_of_range"},
    {Kind::not_an_ancestor, "not_an_ancestor"},
    {Kind::foreign_applied, "foreign_applied"},
    {Kind::applied_gap, "applied_gap"},
}};

std::string name_of(Kind kind) {
  const auto entry = std::find_if(
      kKinds.begin(), kKinds.end(), [kind](const KindEntry& e) { return e.kind == kind; });
  return std::string(entry->name);
}

ErrorCode code_of(Kind kind) {
  const bool about_tenant = kind == Kind::foreign_applied || kind == Kind::applied_gap;
  return about_tenant ? ErrorCode::verification : ErrorCode::usage;
}

}  // namespace

GraphError::GraphError(Kind kind, const std::string& message, std::string hint, Place place)
    : Error(code_of(kind), name_of(kind), message, std::move(hint), std::move(place)),
      kind_(kind) {}

}  // namespace drover::engine
