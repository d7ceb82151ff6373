#include "orchestrator/inventory/inventory.h"

#include <iterator>

#include "orchestrator/inventory/source_lister.h"

namespace drover::orchestrator::inventory {

std::vector<Tenant> list_tenants(const Environment& environment,
                                 const InventoryAdapters& adapters) {
  std::vector<Tenant> fleet;
  for (const TenantSource& source : environment.tenants) {
    std::vector<Tenant> more = SourceLister(environment, source, adapters).list();
    fleet.insert(
        fleet.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  check_fleet(fleet);
  return fleet;
}

}  // namespace drover::orchestrator::inventory
