// backup: save tenants now. backups list, verify, prune: what is kept of them.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "orchestrator/api/errands.h"
#include "orchestrator/api/fleet_backup.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/run_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"
#include "orchestrator/run/signals.h"

namespace drover::orchestrator::cli {
namespace {

using report::Column;
using Takes = OptionSpec::Takes;

constexpr std::size_t kMostListed = 20;

report::Value backup_value(const Backup& backup) {
  std::uint64_t rows = 0;
  for (const engine::TableDigest& table : backup.tables) {
    rows += table.rows;
  }
  report::Value value = report::Value::object();
  value.set("backup", backup.id.value)
      .set("tenant", backup.tenant.value)
      .set("uid", report::known_text(backup.uid))
      .set("run", report::known_text(backup.run))
      .set("aside", backup.aside)
      .set("provider", name_of(backup.provider))
      .set("file", report::known_text(backup.file))
      .set("handle", report::known_text(backup.handle))
      .set("bytes", backup.bytes)
      .set("sha256", report::known_text(backup.sha256))
      .set("heads", report::list_of(backup.heads))
      .set("tables", backup.tables.size())
      .set("rows", rows)
      .set("server_version", report::known_text(backup.server_version))
      .set("tool_version", report::known_text(backup.tool_version))
      .set("started", report::rfc3339(backup.started))
      .set("finished", report::rfc3339(backup.finished));
  return value;
}

std::string time_taken(const Backup& backup) {
  return report::duration_text(
      std::chrono::duration_cast<std::chrono::milliseconds>(backup.finished - backup.started));
}

void write_backups(Invocation& invocation,
                   const report::Occasion& occasion,
                   const std::vector<TenantBackup>& results) {
  if (!for_people(invocation)) {
    report::Value rows = report::Value::list();
    for (const TenantBackup& result : results) {
      report::Value row = report::Value::object();
      row.set("id", result.id.value)
          .set("backup", result.made ? backup_value(*result.made) : report::Value())
          .set("error", result.fault ? report::error_value(*result.fault) : report::Value());
      rows.add(std::move(row));
    }
    report::Document document{report::opening(occasion),
                              "tenants",
                              {"id", "backup.backup", "backup.bytes", "error.kind"}};
    document.value.set("tenants", std::move(rows));
    put_document(invocation, document);
    return;
  }
  report::Table table(
      {{"TENANT"}, {"BACKUP"}, {"SIZE", Column::Align::right}, {"TOOK", Column::Align::right}});
  for (const TenantBackup& result : results) {
    if (result.made) {
      table.add({result.id.value,
                 result.made->id.value,
                 report::bytes_text(result.made->bytes),
                 time_taken(*result.made)});
    } else {
      table.add({result.id.value, "none: " + result.fault->message, "", ""});
    }
  }
  invocation.console.data(table.written(data_width()));
}

int run_backup(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  BackupDesk desk(workspace);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  invocation.console.say(describe_fleet(workspace, tenants));
  std::stop_source stop;
  const run::SignalWatch signals([&](int, int) { stop.request_stop(); });
  std::size_t done = 0;
  const std::vector<TenantBackup> results =
      back_up(workspace,
              desk,
              tenants,
              [&](const TenantBackup& result) {
                ++done;
                if (result.fault) {
                  invocation.console.warn(fmt::format("{}: {}. {}",
                                                      printable(result.id.value),
                                                      printable(result.fault->message),
                                                      printable(result.fault->hint)));
                }
                invocation.console.show_live(fmt::format("{}/{} backups\n", done, tenants.size()));
              },
              {engine::SteadyTime::max(), stop.get_token()});
  invocation.console.show_live("");
  write_backups(invocation, occasion_since(started, workspace.environment().name), results);
  const bool all = std::all_of(
      results.begin(), results.end(), [](const auto& one) { return one.made.has_value(); });
  return all ? 0 : static_cast<int>(ErrorCode::incomplete);
}

/// The backups of the tenants that are chosen; of all, also of tenants that are gone, when nobody
/// chose any.
std::vector<Backup> chosen_backups(Workspace& workspace,
                                   Invocation& invocation,
                                   const BackupDesk& desk) {
  std::vector<Backup> backups = desk.all();
  if (const auto id = invocation.arguments.optional("backup")) {
    return {desk.find(*id)};
  }
  if (chose_tenants(invocation.globals)) {
    std::set<TenantId> meant;
    for (const Tenant& tenant : chosen_tenants(workspace, invocation)) {
      meant.insert(tenant.id);
    }
    std::erase_if(backups, [&](const Backup& one) { return !meant.contains(one.tenant); });
  }
  return backups;
}

int list_backups(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const BackupDesk desk(workspace);
  const std::vector<Backup> backups = chosen_backups(workspace, invocation, desk);
  if (!for_people(invocation)) {
    report::Value rows = report::Value::list();
    for (const Backup& backup : backups) {
      rows.add(backup_value(backup));
    }
    report::Document document{
        report::opening(occasion_since(started, workspace.environment().name)),
        "backups",
        {"backup", "tenant", "run", "provider", "bytes", "started", "finished"}};
    document.value.set("backups", std::move(rows));
    put_document(invocation, document);
    return 0;
  }
  report::Table table({{"BACKUP"},
                       {"TENANT"},
                       {"AT"},
                       {"SIZE", Column::Align::right},
                       {"BY"},
                       {"RUN"},
                       {"AGE", Column::Align::right}});
  for (const Backup& backup : backups) {
    std::string heads;
    for (const engine::RevisionId& id : backup.heads) {
      heads += (heads.empty() ? "" : ",") + id.value;
    }
    table.add({backup.id.value,
               backup.tenant.value,
               heads.empty() ? "base" : heads,
               report::bytes_text(backup.bytes),
               fmt::format("{}{}", name_of(backup.provider), backup.aside ? " (aside)" : ""),
               backup.run.empty() ? "-" : backup.run,
               report::duration_text(std::chrono::duration_cast<std::chrono::milliseconds>(
                   started - backup.started))});
  }
  invocation.console.data(table.empty() ? "no backups yet\n" : table.written(data_width()));
  return 0;
}

/// What is wrong with each of `backups`, in their order, several at a time.
std::vector<std::vector<std::string>> damages_of(const std::vector<Backup>& backups,
                                                 const BackupDesk& desk,
                                                 BackupDesk::Depth depth,
                                                 const std::stop_token& stop) {
  std::vector<Errand> errands;
  for (std::size_t i = 0; i < backups.size(); ++i) {
    errands.push_back({{i}, backups[i].server});
  }
  Limits limits;
  limits.in_flight = limits.per_server = desk.options().in_flight;
  std::vector<std::vector<std::string>> damages(backups.size());
  carry_out(errands, limits, [&](const Errand& errand) {
    const std::size_t i = errand.tenants.front();
    damages[i] = stop.stop_requested()
                     ? std::vector<std::string>{"it was not looked at: stopped before its turn"}
                     : desk.damage(backups[i], depth, {engine::SteadyTime::max(), stop});
  });
  return damages;
}

int run_verify(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const BackupDesk desk(workspace);
  const std::vector<Backup> backups = chosen_backups(workspace, invocation, desk);
  std::stop_source stop;
  const run::SignalWatch signals([&](int, int) { stop.request_stop(); });
  const auto depth =
      invocation.arguments.has("content") ? BackupDesk::Depth::content : BackupDesk::Depth::bytes;
  const auto damages = damages_of(backups, desk, depth, stop.get_token());
  std::size_t bad = 0;
  std::size_t damaged_lines = 0;
  std::uint64_t bytes = 0;
  report::Value rows = report::Value::list();
  for (std::size_t i = 0; i < backups.size(); ++i) {
    bad += damages[i].empty() ? 0U : 1U;
    bytes += backups[i].bytes;
    report::Value row = report::Value::object();
    row.set("backup", backups[i].id.value)
        .set("tenant", backups[i].tenant.value)
        .set("sound", damages[i].empty())
        .set("damage", report::list_of(damages[i]));
    rows.add(std::move(row));
    for (const std::string& damage : damages[i]) {
      invocation.console.warn(fmt::format("backup {} of tenant '{}': {}",
                                          backups[i].id.value,
                                          printable(backups[i].tenant.value),
                                          printable(damage)));
    }
  }
  for (const std::filesystem::path& line : desk.damaged_lines()) {
    ++damaged_lines;
    invocation.console.warn(
        fmt::format("the manifest's line {} cannot be trusted, nor the backup "
                    "beside it: it was changed or cut short",
                    line.string()));
  }
  if (for_people(invocation) && backups.empty() && damaged_lines == 0) {
    invocation.console.data("no backups yet\n");
  } else if (for_people(invocation)) {
    invocation.console.data(fmt::format(
        "{} of {} sound, {}; {}\n",
        backups.size() - bad,
        report::count_of(backups.size(), "backup"),
        report::bytes_text(bytes),
        bad + damaged_lines == 0 ? "no damage" : fmt::format("{} DAMAGED", bad + damaged_lines)));
  } else {
    report::Document document{
        report::opening(occasion_since(started, workspace.environment().name)),
        "backups",
        {"backup", "tenant", "sound", "damage"}};
    document.value.set("damaged_lines", damaged_lines).set("backups", std::move(rows));
    put_document(invocation, document);
  }
  return bad + damaged_lines == 0 ? 0 : static_cast<int>(ErrorCode::verification);
}

/// The rule by which backups stay, for people.
std::string kept_by(const BackupOptions& options) {
  return fmt::format(
      "kept of each tenant: the newest {}, what is younger than {}, what an open run needs",
      options.keep_count,
      report::duration_text(options.keep_age));
}

void show_dispensable(Console& console, const std::vector<Backup>& gone) {
  for (std::size_t i = 0; i < std::min(kMostListed, gone.size()); ++i) {
    console.say(fmt::format("  {}  {}", gone[i].id.value, printable(gone[i].tenant.value)));
  }
  if (gone.size() > kMostListed) {
    console.say(fmt::format("  and {} more", gone.size() - kMostListed));
  }
}

int run_prune(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  BackupDesk desk(workspace);
  const std::vector<Backup> gone = desk.dispensable();
  std::uint64_t bytes = 0;
  for (const Backup& backup : gone) {
    bytes += backup.bytes;
  }
  invocation.console.say(kept_by(desk.options()));
  invocation.console.say(fmt::format(
      "{} may go, {}", report::count_of(gone.size(), "backup"), report::bytes_text(bytes)));
  show_dispensable(invocation.console, gone);
  if (gone.empty() || invocation.globals.dry_run) {
    return 0;
  }
  confirm_change(workspace, invocation, "Remove them?", invocation.arguments.value("confirm"));
  std::size_t removed = gone.size();
  for (const Backup& backup : gone) {
    if (const auto fault = desk.remove(backup, {})) {
      --removed;
      invocation.console.warn(
          fmt::format("backup {} stays: {}", backup.id.value, printable(fault->message)));
    }
  }
  invocation.console.say(fmt::format("{} removed", report::count_of(removed, "backup")));
  return removed == gone.size() ? 0 : static_cast<int>(ErrorCode::incomplete);
}

constexpr std::string_view kBackupHelp =
    "Saves the chosen tenants as drover.yaml says (backup:), proves each copy by reading it\n"
    "back, and keeps it. Nothing is changed. A run makes those that it needs by itself. Exit\n"
    "status 3 when a tenant could not be saved.\n\n"
    "  drover backup --tenant acme\n"
    "  drover backup -e production -l tier=gold\n";

}  // namespace

VerbSpec backup_verb() {
  return {"backup", "save tenants now", kBackupHelp, {}, VerbSpec::Selectors::yes, run_backup};
}

VerbSpec backups_list_verb() {
  return {"backups list",
          "what backups there are",
          "The oldest first. AT is the revision that a restore takes the tenant to; \"aside\" is\n"
          "what a restore replaced.\n\n"
          "  drover backups list --tenant acme\n",
          {{"backup", Takes::word, "BACKUP", "one of them, by its id"}},
          VerbSpec::Selectors::yes,
          list_backups};
}

VerbSpec backups_verify_verb() {
  return {"backups verify",
          "look for damage in what is kept",
          "Compares every byte with the checksums of the manifest; --content also reads rows back\n"
          "and counts them. Exit status 7 when anything is damaged. Whether a backup can be put\n"
          "back, drover restore --drill tries.\n\n"
          "  drover backups verify\n"
          "  drover backups verify --tenant acme --content\n",
          {{"backup", Takes::word, "BACKUP", "only this one, by its id"},
           {"--content", Takes::nothing, "", "read every row back as well"}},
          VerbSpec::Selectors::yes,
          run_verify};
}

VerbSpec backups_prune_verb() {
  return {"backups prune",
          "remove backups that are no longer needed",
          "What backup.keep says (count, age) stays, and always the last good one of a tenant and\n"
          "what a run that can be resumed needs.\n\n"
          "  drover backups prune --dry-run\n"
          "  drover backups prune --yes\n",
          {{"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::no,
          run_prune};
}

}  // namespace drover::orchestrator::cli
