// hold: keep tenants out of runs, with a reason, an owner and an end.

#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/table.h"

namespace drover::orchestrator::cli {
namespace {

using Takes = OptionSpec::Takes;

/// "90m", "12h", "14d".
std::chrono::minutes duration_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit = error == std::errc() ? std::string(end, text.data() + text.size()) : "";
  const std::int64_t minutes = unit == "m" ? 1 : (unit == "h" ? 60 : (unit == "d" ? 24 * 60 : 0));
  constexpr std::int64_t kMost = 5'000'000;
  if (minutes == 0 || number < 1 || number > kMost / minutes) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                fmt::format("--for takes a time, not '{}'", text),
                "Write for example --for 90m, --for 12h or --for 14d.");
  }
  return std::chrono::minutes(number * minutes);
}

void check_known(Workspace& workspace, const std::string& id) {
  Selector::parse({id}, {}, {}, std::nullopt).pick(workspace.fleet());
}

int run_add(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  Journal& journal = needed_journal(workspace);
  Hold hold;
  hold.tenant = TenantId{invocation.arguments.value("tenant-id")};
  hold.reason = invocation.arguments.value("reason");
  hold.owner = invocation.arguments.optional("owner").value_or(engine::api::who_we_are());
  if (const auto time = invocation.arguments.optional("for")) {
    hold.until = std::chrono::system_clock::now() + duration_of(*time);
  }
  check_known(workspace, hold.tenant.value);
  journal.add_hold(workspace.environment().name, hold);
  invocation.console.say(
      fmt::format("tenant '{}' is held{}",
                  printable(hold.tenant.value),
                  hold.until ? fmt::format(" until {}", report::rfc3339(*hold.until)) : ""));
  return 0;
}

int run_remove(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const TenantId tenant{invocation.arguments.value("tenant-id")};
  if (!needed_journal(workspace).remove_hold(workspace.environment().name, tenant)) {
    throw Error(ErrorCode::usage,
                "not_held",
                fmt::format("tenant '{}' is not held", tenant.value),
                "See drover hold list.");
  }
  invocation.console.say(fmt::format("tenant '{}' is no longer held", printable(tenant.value)));
  return 0;
}

int run_list(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::string& environment = workspace.environment().name;
  const std::vector<Hold> holds = needed_journal(workspace).holds(environment);
  const auto until = [](const Hold& hold) {
    return hold.until ? report::rfc3339(*hold.until) : std::string();
  };
  if (for_people(invocation)) {
    report::Table table({{"TENANT"}, {"REASON"}, {"OWNER"}, {"SINCE"}, {"UNTIL"}});
    for (const Hold& hold : holds) {
      table.add({hold.tenant.value,
                 hold.reason,
                 hold.owner,
                 report::rfc3339(hold.since),
                 hold.until ? until(hold) : "removed"});
    }
    invocation.console.data(table.empty() ? "no tenant is held\n" : table.written(data_width()));
    return 0;
  }
  report::Document document{report::opening(occasion_since(started, environment)),
                            "holds",
                            {"tenant", "reason", "owner", "since", "until"}};
  report::Value rows = report::Value::list();
  for (const Hold& hold : holds) {
    report::Value row = report::Value::object();
    row.set("tenant", hold.tenant.value)
        .set("reason", hold.reason)
        .set("owner", hold.owner)
        .set("since", report::rfc3339(hold.since))
        .set("until", report::known_text(until(hold)));
    rows.add(std::move(row));
  }
  document.value.set("holds", std::move(rows));
  put_document(invocation, document);
  return 0;
}

const OptionSpec kTenant{"tenant-id", Takes::word, "TENANT", "its id", OptionSpec::Need::required};

}  // namespace

VerbSpec hold_add_verb() {
  return {"hold add",
          "keep a tenant out of runs",
          "  drover hold add acme --reason \"audit\" --for 14d\n",
          {kTenant,
           {"--reason", Takes::value, "TEXT", "why", OptionSpec::Need::required},
           {"--owner", Takes::value, "NAME", "who holds it; default you"},
           {"--for", Takes::value, "TIME", "90m, 12h, 14d; default until it is removed"}},
          VerbSpec::Selectors::no,
          run_add};
}

VerbSpec hold_list_verb() {
  return {"hold list", "which tenants are held", "", {}, VerbSpec::Selectors::no, run_list};
}

VerbSpec hold_remove_verb() {
  return {"hold remove",
          "let a tenant take part in runs again",
          "",
          {kTenant},
          VerbSpec::Selectors::no,
          run_remove};
}

}  // namespace drover::orchestrator::cli
