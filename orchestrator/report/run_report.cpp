#include "orchestrator/report/run_report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "orchestrator/report/causes.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

/// In the order of a report: what went well first.
constexpr std::array kOutcomes = {Outcome::applied,
                                  Outcome::current,
                                  Outcome::failed,
                                  Outcome::partial,
                                  Outcome::in_doubt,
                                  Outcome::unreachable,
                                  Outcome::not_started,
                                  Outcome::skipped,
                                  Outcome::held,
                                  Outcome::vanished};

double seconds_of(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

Value tenant_value(const TenantOutcome& tenant) {
  Value value = Value::object();
  value.set("id", tenant.id.value);
  value.set("server", tenant.server);
  value.set("outcome", name_of(tenant.outcome));
  value.set("reason", known_text(tenant.reason));
  value.set("from", list_of(tenant.from));
  value.set("to", list_of(tenant.to));
  value.set("seconds", seconds_of(tenant.duration));
  value.set("attempts", tenant.attempts);
  value.set("error", tenant.fault ? error_value(*tenant.fault) : Value());
  return value;
}

Value group_value(const FaultGroup& group) {
  Value value = Value::object();
  value.set("fingerprint", group.fingerprint);
  value.set("kind", group.example.kind);
  value.set("count", group.count);
  value.set("message", group.example.message);
  value.set("hint", group.example.hint);
  value.set("tenants", list_of(group.tenants));
  return value;
}

Value halt_value(const std::optional<Halt>& halt) {
  return halt ? error_value(Error(halt->code, halt->kind, halt->message, halt->hint)) : Value();
}

constexpr std::string_view kRestore = "restore";

std::string title(const RunAccount& account) {
  std::string text = account.verb;
  if (!account.target.empty()) {
    text += (account.verb == kRestore ? " from " : " to ") + account.target;
  }
  if (!account.occasion.environment.empty()) {
    text += " of environment " + account.occasion.environment;
  }
  return printable(text);
}

/// What a person says for the word of machines.
std::string_view spoken(const std::string& outcome) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSpoken = {
      {{"done", "done"},
       {"nothing_to_do", "nothing was to be done"},
       {"incomplete", "NOT COMPLETE"},
       {"halted", "HALTED"},
       {"paused", "PAUSED"},
       {"interrupted", "INTERRUPTED"}}};
  const auto* const found = std::find_if(
      kSpoken.begin(), kSpoken.end(), [&](const auto& word) { return word.first == outcome; });
  return found->second;
}

std::string counts_text(const RunSummary& summary) {
  Table table({{"OUTCOME"}, {"TENANTS", Column::Align::right}});
  for (const Outcome outcome : kOutcomes) {
    if (summary.count(outcome) > 0) {
      table.add({std::string(name_of(outcome)), fmt::format("{}", summary.count(outcome))});
    }
  }
  table.add({"total", fmt::format("{}", summary.total())});
  return table.written(std::nullopt);
}

std::string environment_flag(const RunAccount& account) {
  return account.occasion.environment.empty() ? "" : " -e " + account.occasion.environment;
}

/// The command that an operator types next; empty when nothing is left to do.
std::string next_step(const RunAccount& account) {
  const RunSummary& summary = account.summary;
  const std::string environment = printable(environment_flag(account));
  if (summary.count(Outcome::in_doubt) > 0) {
    return fmt::format("See where the doubtful tenants stand: drover status{}", environment);
  }
  const bool restored_all = summary.count(Outcome::applied) == summary.total();
  if (account.verb == kRestore) {
    return restored_all ? ""
                        : "Once the cause is gone, run the same restore again; it goes on with "
                          "each tenant where it was";
  }
  const std::string once = account.halt ? "Once the cause is gone, go on" : "Go on";
  if (summary.count(Outcome::not_started) > 0 && !account.run.empty()) {
    return fmt::format("{}: drover resume {}{}", once, account.run, environment);
  }
  const std::size_t well = summary.count(Outcome::applied) + summary.count(Outcome::current) +
                           summary.count(Outcome::held);
  if (well == summary.total()) {
    return {};
  }
  const bool kept =
      !account.run.empty() && well + summary.count(Outcome::skipped) < summary.total();
  return kept ? fmt::format(
                    "Once the cause is gone: drover retry --failed{}; after a migration was "
                    "mended, the {} again",
                    environment,
                    account.verb)
              : fmt::format(
                    "Once the cause is gone, run the {} again; it goes on with what is not "
                    "done",
                    account.verb);
}

std::string one_tenant_text(const RunAccount& account) {
  return tenant_line(account.tenants.front()) + "\n";
}

}  // namespace

std::string outcome_of(const RunAccount& account) {
  const RunSummary& summary = account.summary;
  if (account.interrupted) {
    return "interrupted";
  }
  if (account.halt) {
    return account.halt->code == ErrorCode::waiting ? "paused" : "halted";
  }
  const std::size_t quiet = summary.count(Outcome::current) + summary.count(Outcome::held);
  if (quiet == summary.total()) {
    return "nothing_to_do";
  }
  return quiet + summary.count(Outcome::applied) == summary.total() ? "done" : "incomplete";
}

Document run_document(const RunAccount& account) {
  Value summary = Value::object();
  summary.set("total", account.summary.total());
  for (const Outcome outcome : kOutcomes) {
    summary.set(name_of(outcome), account.summary.count(outcome));
  }
  Value tenants = Value::list();
  for (const TenantOutcome& tenant : account.tenants) {
    tenants.add(tenant_value(tenant));
  }
  Value errors = Value::list();
  for (const FaultGroup& group : account.summary.fault_groups()) {
    errors.add(group_value(group));
  }
  Value value = opening(account.occasion);
  value.set("run", known_text(account.run));
  value.set("plan_digest", known_text(account.plan_digest));
  value.set("verb", account.verb);
  value.set("target", known_text(account.target));
  value.set("outcome", outcome_of(account));
  value.set("exit_status", account.exit_status);
  value.set("halt", halt_value(account.halt));
  value.set("summary", std::move(summary));
  value.set("tenants", std::move(tenants));
  value.set("errors", std::move(errors));
  return {std::move(value),
          "tenants",
          {"id",
           "server",
           "outcome",
           "reason",
           "from",
           "to",
           "seconds",
           "attempts",
           "error.kind",
           "error.sqlstate",
           "error.message"}};
}

std::string run_text(const RunAccount& account, std::optional<std::size_t> width) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      account.occasion.finished - account.occasion.started);
  std::string text = fmt::format("{}: {} after {}{}\n",
                                 title(account),
                                 spoken(outcome_of(account)),
                                 duration_text(took),
                                 account.run.empty() ? "" : ", run " + account.run);
  text = cut_to(text.substr(0, text.size() - 1), width.value_or(text.size())) + "\n";
  if (account.tenants.size() == 1) {
    text += one_tenant_text(account);
  } else {
    text += "\n" + counts_text(account.summary);
  }
  if (account.halt) {
    text += fmt::format("\nstopped: {}\n  hint: {}\n",
                        printable(account.halt->message),
                        printable(account.halt->hint));
  }
  if (const std::string causes = causes_text(account.summary.fault_groups()); !causes.empty()) {
    text += "\n" + causes;
  }
  if (const std::string next = next_step(account); !next.empty()) {
    text += "\n" + next + "\n";
  }
  return text;
}

std::string tenant_line(const TenantOutcome& outcome) {
  const auto ids = [](const std::vector<engine::RevisionId>& list) {
    return list.empty() ? std::string("base") : engine::listed(list, 3);
  };
  std::string line = fmt::format("{}: {}", outcome.id.value, name_of(outcome.outcome));
  if (outcome.from != outcome.to) {
    line += fmt::format(" {} -> {}", ids(outcome.from), ids(outcome.to));
  }
  if (outcome.duration.count() > 0) {
    line += " in " + duration_text(outcome.duration);
  }
  if (outcome.attempts > 1) {
    line += fmt::format(", {} attempts", outcome.attempts);
  }
  if (!outcome.reason.empty()) {
    line += fmt::format(" ({})", outcome.reason);
  }
  if (outcome.fault) {
    line += ": " + outcome.fault->message;
  }
  return printable(line);
}

std::string duration_text(std::chrono::milliseconds duration) {
  constexpr std::int64_t kSecond = 1'000;
  constexpr std::int64_t kMinute = 60 * kSecond;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  const std::int64_t ms = std::max<std::int64_t>(0, duration.count());
  if (ms < kSecond) {
    return fmt::format("{} ms", ms);
  }
  if (ms < kMinute) {
    return fmt::format("{}.{} s", ms / kSecond, ms % kSecond / 100);
  }
  if (ms < kHour) {
    return fmt::format("{} min {} s", ms / kMinute, ms % kMinute / kSecond);
  }
  if (ms < 2 * kDay) {
    return fmt::format("{} h {} min", ms / kHour, ms % kHour / kMinute);
  }
  return fmt::format("{} d {} h", ms / kDay, ms % kDay / kHour);
}

}  // namespace drover::orchestrator::report
