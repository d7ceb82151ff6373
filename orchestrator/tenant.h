/// A tenant as the fleet knows it, and how some of a fleet are picked.
///
/// Where tenants come from is the business of inventory/; what became of one in a run is
/// outcome.h.
///
/// Thread safety: values and pure functions.

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/target.h"

namespace drover::orchestrator {

/// 1 to 200 bytes of UTF-8, unique in its fleet. A type of its own, so that a database name cannot
/// be passed in its place. Ordered bytewise.
struct TenantId {
  std::string value;

  auto operator<=>(const TenantId&) const = default;
};

using Labels = std::map<std::string, std::string>;

struct Tenant {
  TenantId id;
  engine::Target target;
  Labels labels;
  std::string origin;  ///< Where it was listed: "drover.yaml:12" or "query row 17". For messages.
};

/// The facts that statements of this tenant may read: "tenant", and "label.NAME" for each label
/// whose name matches [a-z_][a-z0-9_]*.
engine::TenantFacts facts_of(const Tenant& tenant);

/// Refuses a fleet that cannot be run: an id that is empty, longer than 200 bytes, not UTF-8, holds
/// a NUL or is there twice; two ids that differ only in (ASCII) case; two entries for one database
/// and schema; one file by two paths (paths are already canonical here). Whatever else a name holds
/// is data.
///
/// Throws Error usage: invalid_tenant_id, duplicate_tenant, duplicate_target.
void check_fleet(const std::vector<Tenant>& fleet);

/// Which tenants a command is for. Everything given must hold.
class Selector {
 public:
  /// Parses the flags: `--tenant a,b` (a comma inside an id is written `\,`),
  /// `-l tier=free,region!=eu` (also `key` and `!key`; `region!=eu` also picks tenants without a
  /// region), `--server` ("db1:5432", or "db1" for every port of it), `--limit`. A flag that was
  /// not given is an empty list; an empty word in a list is an error, so that `--tenant "$UNSET"`
  /// never means the whole fleet.
  ///
  /// Throws Error usage: invalid_selector.
  static Selector parse(const std::vector<std::string>& tenants,
                        const std::vector<std::string>& label_terms,
                        const std::vector<std::string>& servers,
                        std::optional<std::size_t> limit);

  bool empty() const noexcept;  ///< True when it picks everything.

  /// The tenants it picks, in the fleet's order. A named tenant that is not in the fleet is an
  /// error with the nearest id; zero matches is an error.
  ///
  /// Throws Error usage: unknown_tenant, unknown_server, nothing_selected.
  std::vector<Tenant> pick(const std::vector<Tenant>& fleet) const;

 private:
  struct LabelTerm {
    std::string key;
    std::optional<std::string> value;  ///< nullopt: the label is there, whatever it says.
    bool negated = false;

    bool holds_for(const Labels& labels) const;
  };

  static LabelTerm parse_term(const std::string& text);
  void check_names(const std::vector<Tenant>& fleet) const;
  bool picks(const Tenant& tenant, const std::set<std::string_view>& wanted) const;

  std::vector<std::string> tenants_;
  std::vector<LabelTerm> terms_;
  std::vector<std::string> servers_;
  std::optional<std::size_t> limit_;
};

}  // namespace drover::orchestrator
