// batches list, show: how batched changes of data go. pause, resume, set: what people want of them
// while they run. run: works off those that no run waits for.

#include <algorithm>

#include <fmt/format.h>

#include "engine/batch_tables.h"
#include "orchestrator/api/fleet_batches.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/word_reader.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/run_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"
#include "orchestrator/run/signals.h"

namespace drover::orchestrator::cli {
namespace {

using engine::BatchRecord;
using engine::BatchStatus;
using report::Column;
using Takes = OptionSpec::Takes;

constexpr std::size_t kMostRows = 1'000'000;
constexpr std::size_t kMostWorkers = 64;
constexpr double kSilent = 30;  ///< Seconds without a sign of life after which nobody works on it.

/// Sums over the ranges of one batch.
struct Sums {
  std::uint64_t changed = 0;
  std::uint64_t retries = 0;
  std::uint64_t size = 0;
  std::int64_t busy_ms = 0;
  std::int64_t waited_ms = 0;
  std::string waiting;
  std::string last_error;
};

Sums sums_of(const BatchStatus& status) {
  Sums sums;
  for (const engine::BatchRange& range : status.ranges) {
    sums.changed += range.rows_changed;
    sums.retries += range.retries;
    sums.size = range.done ? sums.size : std::max(sums.size, range.size);
    sums.busy_ms += range.busy.count();
    sums.waited_ms += range.waited.count();
    if (!range.done && sums.waiting.empty()) {
      sums.waiting = range.waiting;
    }
    if (!range.last_error.empty()) {
      sums.last_error = range.last_error;
    }
  }
  return sums;
}

/// Rows of the whole, as well as is known.
std::uint64_t rows_of(const BatchStatus& status) {
  return std::max(status.record.estimated_rows, status.rows_seen());
}

/// "running", "paused by ann@host", "waiting: replica_lag ...", "nobody works on it"
std::string state_text(const BatchStatus& status) {
  const BatchRecord& record = status.record;
  if (record.state == BatchRecord::State::done || record.state == BatchRecord::State::announced) {
    return std::string(engine::name_of(record.state));
  }
  if (record.control.paused) {
    return "paused by " + record.control.by;
  }
  const Sums sums = sums_of(status);
  if (record.owner.empty() || record.age_seconds > kSilent) {
    return sums.last_error.empty() ? "nobody works on it" : "stopped: " + sums.last_error;
  }
  return sums.waiting.empty() ? std::string(engine::name_of(record.state))
                              : "waiting: " + sums.waiting;
}

report::Value control_value(const engine::BatchControl& control) {
  report::Value value = report::Value::object();
  value.set("paused", control.paused)
      .set("rows", control.rows ? report::Value(*control.rows) : report::Value())
      .set("workers",
           control.workers ? report::Value(std::uint64_t{*control.workers}) : report::Value())
      .set("nice", control.nice)
      .set("by", report::known_text(control.by));
  return value;
}

report::Value batch_value(const TenantId& tenant, const BatchStatus& status) {
  const BatchRecord& record = status.record;
  const Sums sums = sums_of(status);
  report::Value value = report::Value::object();
  value.set("tenant", tenant.value)
      .set("revision", record.id.revision.value)
      .set("unit", static_cast<std::uint64_t>(record.id.unit))
      .set("table", report::known_text(record.path.table))
      .set("state", engine::name_of(record.state))
      .set("background", record.background)
      .set("rows_seen", status.rows_seen())
      .set("rows_changed", sums.changed)
      .set("estimated_rows", rows_of(status))
      .set("parked", status.parked)
      .set("retries", sums.retries)
      .set("batch_rows", sums.size)
      .set("busy_ms", static_cast<std::uint64_t>(sums.busy_ms))
      .set("waited_ms", static_cast<std::uint64_t>(sums.waited_ms))
      .set("waiting", report::known_text(sums.waiting))
      .set("last_error", report::known_text(sums.last_error))
      .set("owner", report::known_text(record.owner))
      .set("run", report::known_text(record.run))
      .set("started", report::known_text(record.started_at))
      .set("finished", report::known_text(record.finished_at))
      .set("control", control_value(record.control));
  return value;
}

int put_batches(Invocation& invocation,
                const report::Occasion& occasion,
                const std::vector<TenantBatches>& tenants) {
  report::Value rows = report::Value::list();
  report::Table table({{"TENANT"},
                       {"REVISION"},
                       {"TABLE"},
                       {"ROWS", Column::Align::right},
                       {"OF", Column::Align::right},
                       {"DONE", Column::Align::right},
                       {"RATE", Column::Align::right},
                       {"PARKED", Column::Align::right},
                       {"STATE"}});
  bool all_read = true;
  for (const TenantBatches& tenant : tenants) {
    for (const BatchStatus& status : tenant.batches) {
      const Sums sums = sums_of(status);
      const std::uint64_t of = rows_of(status);
      rows.add(batch_value(tenant.id, status));
      table.add({tenant.id.value,
                 status.record.id.revision.value,
                 status.record.path.table,
                 std::to_string(status.rows_seen()),
                 std::to_string(of),
                 of == 0 ? "-" : fmt::format("{} %", 100 * status.rows_seen() / of),
                 sums.busy_ms == 0
                     ? "-"
                     : fmt::format("{}/s",
                                   status.rows_seen() * 1000 /
                                       static_cast<std::uint64_t>(sums.busy_ms + sums.waited_ms)),
                 std::to_string(status.parked),
                 state_text(status)});
    }
    if (tenant.fault) {
      all_read = false;
      invocation.console.warn(
          fmt::format("{}: {}", printable(tenant.id.value), printable(tenant.fault->message)));
    }
  }
  if (for_people(invocation)) {
    invocation.console.data(table.empty() ? "no batches\n" : table.written(data_width()));
  } else {
    report::Document document{report::opening(occasion),
                              "batches",
                              {"tenant", "revision", "state", "rows_seen", "estimated_rows"}};
    document.value.set("batches", std::move(rows));
    put_document(invocation, document);
  }
  return all_read ? 0 : static_cast<int>(ErrorCode::incomplete);
}

int list_batches(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  std::vector<TenantBatches> tenants =
      read_batches(workspace, chosen_tenants(workspace, invocation), {});
  if (!invocation.arguments.has("all")) {
    for (TenantBatches& tenant : tenants) {
      std::erase_if(tenant.batches, [](const BatchStatus& status) {
        return status.record.state == BatchRecord::State::done;
      });
    }
  }
  return put_batches(invocation, occasion_since(started, workspace.environment().name), tenants);
}

/// The ranges of a tenant's batches, and the rows that were passed over.
int show_batches(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const Tenant tenant = only_tenant(workspace, invocation);
  const std::vector<TenantBatches> found = read_batches(workspace, {tenant}, {});
  if (found.front().fault) {
    const engine::TenantFault& fault = *found.front().fault;
    throw Error(fault.code, fault.kind, fault.message, fault.hint, fault.place);
  }
  std::string text;
  for (const BatchStatus& status : found.front().batches) {
    const BatchRecord& record = status.record;
    text += fmt::format("revision {}, table {}: {}\n",
                        record.id.revision.value,
                        record.path.table.empty() ? "not known yet" : record.path.table,
                        state_text(status));
    report::Table table({{"RANGE", Column::Align::right},
                         {"UP TO"},
                         {"END"},
                         {"ROWS", Column::Align::right},
                         {"CHANGED", Column::Align::right},
                         {"BATCH", Column::Align::right},
                         {"WORKED", Column::Align::right},
                         {"WAITED", Column::Align::right},
                         {"NOTE"}});
    for (const engine::BatchRange& range : status.ranges) {
      table.add({std::to_string(range.number),
                 range.cursor ? engine::text_of_key(*range.cursor) : "-",
                 engine::text_of_key(range.end),
                 std::to_string(range.rows_seen),
                 std::to_string(range.rows_changed),
                 std::to_string(range.size),
                 report::duration_text(range.busy),
                 report::duration_text(range.waited),
                 range.done                  ? "done"
                 : !range.last_error.empty() ? range.last_error
                                             : range.waiting});
    }
    text += table.written(data_width());
    if (status.parked > 0) {
      text += fmt::format("{} passed over:\n", report::count_of(status.parked, "row"));
      for (const engine::ParkedKey& parked : read_parked(workspace, tenant, record.id, {})) {
        text += fmt::format("  {}  {}  {}\n",
                            engine::text_of_key(parked.key),
                            parked.sqlstate,
                            printable(parked.message));
      }
    }
  }
  invocation.console.data(text.empty() ? "no batches\n" : text);
  return 0;
}

using Change = std::function<engine::BatchControl(engine::BatchControl)>;

int steer(Invocation& invocation, const Change& change) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<TenantBatches> tenants = steer_batches(workspace,
                                                           chosen_tenants(workspace, invocation),
                                                           invocation.arguments.value("revision"),
                                                           change,
                                                           {});
  return put_batches(invocation, occasion_since(started, workspace.environment().name), tenants);
}

int pause_batches(Invocation& invocation) {
  return steer(invocation, [](engine::BatchControl control) {
    control.paused = true;
    return control;
  });
}

int resume_batches(Invocation& invocation) {
  return steer(invocation, [](engine::BatchControl control) {
    control.paused = false;
    return control;
  });
}

int set_batches(Invocation& invocation) {
  const auto rows = number_given(invocation.arguments, "rows", kMostRows);
  const auto workers = number_given(invocation.arguments, "workers", kMostWorkers);
  const auto rest = number_given(invocation.arguments, "rest", 10'000);
  const bool usual = invocation.arguments.has("usual");
  if (!rows && !workers && !rest && !usual) {
    throw Error(ErrorCode::usage,
                "nothing_to_set",
                "batches set says nothing that is to be set",
                "Give --rows, --workers, --rest or --usual.");
  }
  return steer(invocation, [&](engine::BatchControl control) {
    if (usual) {
      control = {control.paused, {}, {}, {}, 0, ""};
    }
    control.rows = rows ? std::optional<std::uint64_t>(*rows) : control.rows;
    control.workers = workers ? std::optional(static_cast<unsigned>(*workers)) : control.workers;
    control.nice = rest ? static_cast<double>(*rest) / 100 : control.nice;
    return control;
  });
}

int run_background(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  invocation.console.say(describe_fleet(workspace, tenants));
  std::stop_source stop;
  const run::SignalWatch signals([&](int, int) { stop.request_stop(); });
  std::size_t done = 0;
  const std::vector<TenantBatches> results =
      work_background(workspace,
                      tenants,
                      {[&](const TenantId& id, const std::optional<engine::TenantFault>& fault) {
                         ++done;
                         if (fault) {
                           invocation.console.warn(fmt::format("{}: {}. {}",
                                                               printable(id.value),
                                                               printable(fault->message),
                                                               printable(fault->hint)));
                         }
                       },
                       [&](const std::map<TenantId, engine::BatchNews>& news) {
                         std::string block = fmt::format("{}/{} tenants\n", done, tenants.size());
                         for (const auto& [id, one] : news) {
                           block += fmt::format("  {}  {}/{} rows, {:.0f}/s{}{}\n",
                                                printable(id.value),
                                                one.rows_seen,
                                                one.estimated_rows,
                                                one.rows_per_second,
                                                one.waiting.empty() ? "" : ", waiting: ",
                                                one.waiting);
                         }
                         invocation.console.show_live(block);
                       }},
                      {engine::SteadyTime::max(), stop.get_token()});
  invocation.console.show_live("");
  const auto failed = std::count_if(
      results.begin(), results.end(), [](const auto& one) { return one.fault.has_value(); });
  invocation.console.say(
      failed == 0 ? "nothing is left in the background"
                  : fmt::format("{} of {} tenants are not done", failed, results.size()));
  return failed == 0 ? 0 : static_cast<int>(ErrorCode::incomplete);
}

const OptionSpec kRevision{"revision", Takes::word, "ID", "of this revision only"};

}  // namespace

VerbSpec batches_list_verb() {
  return {
      "batches list",
      "how batched changes of data go",
      "What each tenant's own tables say, whoever works there. RATE counts work and waiting.\n\n"
      "  drover batches list\n  drover batches list --all --tenant acme\n",
      {{"--all", Takes::nothing, "", "also those that are done"}},
      VerbSpec::Selectors::yes,
      list_batches};
}

VerbSpec batches_show_verb() {
  return {"batches show",
          "the ranges of one tenant's batches, and the rows passed over",
          "  drover batches show --tenant acme\n",
          {},
          VerbSpec::Selectors::yes,
          show_batches};
}

VerbSpec batches_pause_verb() {
  return {"batches pause",
          "let batches rest, whoever works on them",
          "Holds within seconds and until drover batches resume, whatever restarts meanwhile.\n\n"
          "  drover batches pause --tenant acme\n",
          {kRevision},
          VerbSpec::Selectors::yes,
          pause_batches};
}

VerbSpec batches_resume_verb() {
  return {"batches resume",
          "let paused batches go on",
          "  drover batches resume --tenant acme\n",
          {kRevision},
          VerbSpec::Selectors::yes,
          resume_batches};
}

VerbSpec batches_set_verb() {
  return {"batches set",
          "change how batches work while they run",
          "Holds within seconds, and for every process that works on them later.\n\n"
          "  drover batches set --rows 2000 --workers 2\n"
          "  drover batches set --rest 100           # rests as long as it works\n"
          "  drover batches set --usual              # back to what the migration says\n",
          {kRevision,
           {"--rows", Takes::value, "N", "at most so many rows a transaction"},
           {"--workers", Takes::value, "N", "so many workers"},
           {"--rest", Takes::value, "PERCENT", "rest that share of the time of each transaction"},
           {"--usual", Takes::nothing, "", "forget what was set before"}},
          VerbSpec::Selectors::yes,
          set_batches};
}

VerbSpec batches_run_verb() {
  return {"batches run",
          "work off batches that no run waits for (mode=background)",
          "Goes on where the tenants say. May be stopped at any time, and run again.\n\n"
          "  drover batches run -e production\n",
          {},
          VerbSpec::Selectors::yes,
          run_background};
}

}  // namespace drover::orchestrator::cli
