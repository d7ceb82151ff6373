#include "orchestrator/control.h"

#include <algorithm>
#include <array>

namespace drover::orchestrator {
namespace {

constexpr std::array<std::string_view, 8> kNames = {
    "pause", "go_on", "halt", "cancel", "throttle", "skip", "retry", "force"};

}  // namespace

std::string_view name_of(Control::What what) noexcept {
  return kNames.at(static_cast<std::size_t>(what));
}

std::optional<Control::What> control_named(std::string_view name) noexcept {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    return std::nullopt;
  }
  return static_cast<Control::What>(found - kNames.begin());
}

}  // namespace drover::orchestrator
