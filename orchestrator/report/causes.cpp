#include "orchestrator/report/causes.h"

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/report/error_report.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

constexpr std::size_t kTenantsNamed = 5;

std::string names_in(const FaultGroup& group) {
  std::string names;
  const std::size_t named = std::min(kTenantsNamed, group.tenants.size());
  for (std::size_t i = 0; i < named; ++i) {
    names += (i == 0 ? "" : ", ") + group.tenants[i].value;
  }
  if (group.count > named) {
    names += fmt::format(" and {} more", group.count - named);
  }
  return printable(names);
}

std::string cause_text(const FaultGroup& group) {
  const bool alone = group.count == 1 && !group.tenants.empty();
  const std::string who = alone ? printable(group.tenants.front().value)
                                : count_of(group.count, "tenant") + ", one cause";
  std::string text = fmt::format("{}: {}\n", who, fault_line(group.example));
  if (!alone) {
    text += fmt::format("  {}\n", names_in(group));
  }
  if (const std::string blocker = blocker_line(group.example); !blocker.empty()) {
    text += fmt::format("  {}\n", blocker);
  }
  return text + fmt::format("  hint: {}\n", printable(group.example.hint));
}

}  // namespace

std::string causes_text(const std::vector<FaultGroup>& groups) {
  std::string text;
  const std::size_t shown = std::min(kMostCauses, groups.size());
  for (std::size_t i = 0; i < shown; ++i) {
    text += cause_text(groups[i]);
  }
  if (groups.size() > shown) {
    text += fmt::format("and {}\n", count_of(groups.size() - shown, "more cause"));
  }
  return text;
}

}  // namespace drover::orchestrator::report
