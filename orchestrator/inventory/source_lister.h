/// One tenant source, asked. inventory.h puts them together.
///
/// Thread safety: one thread at a time. Errors: as inventory.h says.

#pragma once

#include <string>
#include <vector>

#include "orchestrator/inventory/inventory.h"
#include "orchestrator/inventory/source_row.h"

namespace drover::orchestrator::inventory {

class SourceLister {
 public:
  /// All are references to what lives longer than this object.
  SourceLister(const Environment& environment,
               const TenantSource& source,
               const InventoryAdapters& adapters)
      : environment_(environment), source_(source), adapters_(adapters) {}

  /// At least one tenant.
  std::vector<Tenant> list() const;

 private:
  std::vector<Tenant> list(const ListSource& source) const;
  std::vector<Tenant> list(const FileSource& source) const;
  std::vector<Tenant> list(const QuerySource& source) const;
  std::vector<Tenant> list(const DatabasesSource& source) const;
  std::vector<Tenant> list(const SchemasSource& source) const;
  std::vector<Tenant> list(const SqliteSource& source) const;
  std::vector<Tenant> list(const CommandSource& source) const;

  engine::Target target_of_configuration(const std::string& text) const;
  engine::Target in_database(const engine::Target& server, const std::string& name) const;
  engine::Target target_of_row(const std::string& text, const std::filesystem::path& root) const;
  Tenant tenant_of_row(const SourceRow& row, const std::filesystem::path& root) const;
  std::vector<Tenant> tenants_of_rows(const std::vector<SourceRow>& rows,
                                      const std::filesystem::path& root) const;
  Tenant make_tenant(std::string id, engine::Target target, std::string origin) const;

  const Environment& environment_;
  const TenantSource& source_;
  const InventoryAdapters& adapters_;
};

}  // namespace drover::orchestrator::inventory
