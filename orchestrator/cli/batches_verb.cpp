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
#include "orchestrator/report/batch_report.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/text.h"
#include "orchestrator/run/signals.h"
#include "orchestrator/settings/given.h"

namespace drover::orchestrator::cli {
namespace {

using engine::BatchRecord;
using engine::BatchStatus;
using Takes = OptionSpec::Takes;

constexpr std::size_t kMostRows = 1'000'000;
constexpr std::size_t kMostWorkers = 64;
int put_batches(Invocation& invocation,
                const report::Occasion& occasion,
                const std::vector<TenantBatches>& tenants) {
  std::vector<report::BatchLine> lines;
  bool all_read = true;
  for (const TenantBatches& tenant : tenants) {
    for (const BatchStatus& status : tenant.batches) {
      lines.push_back({tenant.id, status});
    }
    if (tenant.fault) {
      all_read = false;
      invocation.console.warn(
          fmt::format("{}: {}", printable(tenant.id.value), printable(tenant.fault->message)));
    }
  }
  if (for_people(invocation)) {
    invocation.console.data(report::batches_text(lines, data_width()));
  } else {
    report::Document document{report::opening(occasion),
                              "batches",
                              {"tenant", "revision", "state", "rows_seen", "estimated_rows"}};
    document.value.set("total", report::batches_total(lines))
        .set("batches", report::batches_value(lines));
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
    text += report::batch_text(status, data_width());
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
  const std::string wal = invocation.arguments.value("wal");
  const bool usual = invocation.arguments.has("usual");
  if (!rows && !workers && !rest && wal.empty() && !usual) {
    throw Error(ErrorCode::usage,
                "nothing_to_set",
                "batches set says nothing that is to be set",
                "Give --rows, --workers, --wal, --rest or --usual.");
  }
  const std::optional<std::uint64_t> bytes =
      wal.empty() ? std::nullopt
                  : std::optional<std::uint64_t>(settings::to_bytes({"--wal", wal, {}}));
  return steer(invocation, [&](engine::BatchControl control) {
    if (usual) {
      control = {control.paused, {}, {}, {}, 0, ""};
    }
    control.rows = rows ? std::optional<std::uint64_t>(*rows) : control.rows;
    control.workers = workers ? std::optional(static_cast<unsigned>(*workers)) : control.workers;
    control.wal_per_second = bytes ? bytes : control.wal_per_second;
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
          "  drover batches set --wal 5MiB --tenant acme\n"
          "  drover batches set --rest 100           # rests as long as it works\n"
          "  drover batches set --usual              # back to what the migration says\n",
          {kRevision,
           {"--rows", Takes::value, "N", "at most so many rows a transaction"},
           {"--workers", Takes::value, "N", "so many workers"},
           {"--wal", Takes::value, "SIZE", "write at most so much WAL a second: 5MiB"},
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
