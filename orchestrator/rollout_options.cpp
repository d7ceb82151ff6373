#include "orchestrator/rollout_options.h"

namespace drover::orchestrator {

std::size_t count_of(const Amount& amount, std::size_t planned) noexcept {
  return amount.of == Amount::Of::tenants
             ? amount.value
             : planned / 100 * amount.value + planned % 100 * amount.value / 100;
}

}  // namespace drover::orchestrator
