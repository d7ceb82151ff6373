#include "orchestrator/plan/canonical.h"

namespace drover::orchestrator::plan {

Canonical& Canonical::text(std::string_view value) {
  number(value.size());
  bytes_ += value;
  return *this;
}

Canonical& Canonical::number(std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes_ += static_cast<char>((value >> static_cast<unsigned>(shift)) & 0xFFU);
  }
  return *this;
}

}  // namespace drover::orchestrator::plan
