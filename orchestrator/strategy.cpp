#include "orchestrator/strategy.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace drover::orchestrator {
namespace {

std::string amount_text(const Amount& amount) {
  return fmt::format("{}{}", amount.value, amount.of == Amount::Of::percent ? "%" : "");
}

/// "NAME(part part ...)"; nothing when there are no parts.
class Parts {
 public:
  template <typename Value>
  Parts& add(std::string_view name, const Value& value) {
    parts_.push_back(fmt::format("{}={}", name, value));
    return *this;
  }
  template <typename Value>
  Parts& add(std::string_view name, const std::optional<Value>& value) {
    return value ? add(name, *value) : *this;
  }
  Parts& add(std::string part) {
    parts_.push_back(std::move(part));
    return *this;
  }
  std::string text(std::string_view name) const {
    return parts_.empty() ? std::string() : fmt::format("{}({})", name, fmt::join(parts_, " "));
  }

 private:
  std::vector<std::string> parts_;
};

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    result += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return result + "'";
}

std::string select_text(const Stage& stage) {
  Parts parts;
  for (const TenantId& id : stage.select.ids) {
    parts.add("id", quoted(id.value));
  }
  for (const auto& [key, value] : stage.select.labels) {
    parts.add("label", quoted(key) + ":" + quoted(value));
  }
  parts.add("count", stage.select.count).add("percent", stage.select.percent);
  constexpr std::string_view kStrata[] = {"server", "version", "size"};
  for (const Stratum stratum : stage.select.stratify) {
    parts.add("each", kStrata[static_cast<std::size_t>(stratum)]);
  }
  return stage.takes_rest ? "rest" : parts.text("select");
}

struct CheckText {
  std::string operator()(const SqlProbe& probe) const {
    const bool control = probe.on == SqlProbe::On::control;
    return Parts()
        .add("on", control ? "control" : "tenant")
        .add("sql", quoted(probe.sql))
        .text("probe");
  }
  std::string operator()(const CommandProbe& probe) const {
    Parts parts;
    for (const std::string& word : probe.argv) {
      parts.add(quoted(word));
    }
    return parts.add("deadline", probe.deadline.count()).text("command");
  }
  std::string operator()(const HttpProbe& probe) const {
    return Parts()
        .add("url", quoted(probe.url))
        .add("deadline", probe.deadline.count())
        .text("http");
  }
};

std::string gate_text(const Gate& gate) {
  Parts parts;
  parts.add("success", gate.success_percent);
  if (gate.soak.count() > 0) {
    parts.add("soak", gate.soak.count());
  }
  for (const Check& check : gate.checks) {
    parts.add(fmt::format("{}*{}-{}/{}",
                          std::visit(CheckText(), check.what),
                          check.passes,
                          check.retries,
                          check.interval.count()));
  }
  if (gate.approvals > 0) {
    parts.add("approvals", gate.approvals);
  }
  return parts.text("gate");
}

std::string window_text(const Window& window) {
  Parts parts;
  for (const std::chrono::weekday day : window.days) {
    parts.add("day", day.c_encoding());
  }
  return parts.add("from", window.from.count())
      .add("to", window.to.count())
      .add("zone", window.zone)
      .text("window");
}

std::string stage_text(const Stage& stage) {
  constexpr std::string_view kOrders[] = {"slowest", "smallest", "listed"};
  constexpr std::string_view kBackupPolicies[] = {"none", "best_effort", "required"};
  constexpr std::string_view kOnPartial[] = {"stop", "downgrade", "restore"};
  Parts parts;
  parts.add("name", quoted(stage.name)).add(select_text(stage));
  parts.add("in_flight", stage.in_flight).add("per_server", stage.per_server);
  parts.add("order", kOrders[static_cast<std::size_t>(stage.order)]);
  parts.add("delay", stage.delay.count());
  if (stage.budget.failures) {
    parts.add("failures", amount_text(*stage.budget.failures));
  }
  parts.add("strict", stage.budget.strict);
  if (stage.progress_deadline) {
    parts.add("progress_deadline", stage.progress_deadline->count());
  }
  if (std::string gate = gate_text(stage.gate); !gate.empty()) {
    parts.add(std::move(gate));
  }
  if (stage.window) {
    parts.add(window_text(*stage.window));
  }
  if (stage.backup) {
    parts.add("backup", kBackupPolicies[static_cast<std::size_t>(*stage.backup)]);
  }
  if (stage.backup_max_age) {
    parts.add("backup_max_age", stage.backup_max_age->count());
  }
  if (stage.on_partial != OnPartial::stop) {
    parts.add("on_partial", kOnPartial[static_cast<std::size_t>(stage.on_partial)]);
  }
  return parts.text("stage");
}

}  // namespace

std::string strategy_text(const RolloutOptions& rollout) {
  constexpr std::string_view kLate[] = {"ignore", "append", "stop"};
  Parts parts;
  if (rollout.run_budget) {
    parts.add("failures", amount_text(*rollout.run_budget));
  }
  parts.add("server", rollout.server_budget).add("fingerprint", rollout.fingerprint_budget);
  parts.add("approvals", rollout.approvals).add("expiry", rollout.approval_expiry.count());
  parts.add("late_joiners", kLate[static_cast<std::size_t>(rollout.late_joiners)]);
  for (const Stage& stage : rollout.stages) {
    parts.add(stage_text(stage));
  }
  return parts.text("rollout");
}

}  // namespace drover::orchestrator
