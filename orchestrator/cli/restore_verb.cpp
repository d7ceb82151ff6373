// restore: put tenants back from their backups, or try that on a sample in throw-away databases.

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "orchestrator/api/errands.h"
#include "orchestrator/api/fleet_restore.h"
#include "orchestrator/cli/approvals.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/plan_text.h"
#include "orchestrator/cli/run_session.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/word_reader.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/plan/restore_file.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/run_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"
#include "orchestrator/run/signals.h"

namespace drover::orchestrator::cli {
namespace {

using report::Column;
using Takes = OptionSpec::Takes;
using WallTime = std::chrono::system_clock::time_point;

constexpr std::size_t kMostShown = 20;
constexpr std::size_t kMostSampled = 1'000'000;

/// "22:14:03 today, 37 min": since when what was written is lost.
std::string lost_since(const Backup& backup, WallTime now) {
  return fmt::format("{}, {}",
                     report::rfc3339(backup.started),
                     report::duration_text(std::chrono::duration_cast<std::chrono::milliseconds>(
                         now - backup.started)));
}

void show_restores(Console& console, const std::vector<PlannedRestore>& restores, WallTime now) {
  report::Table table({{"TENANT"}, {"BACKUP"}, {"AT"}, {"LOST: WRITES SINCE"}});
  for (std::size_t i = 0; i < std::min(kMostShown, restores.size()); ++i) {
    const auto& [tenant, backup] = restores[i];
    table.add(
        {tenant.id.value, backup.id.value, heads_text(backup.heads), lost_since(backup, now)});
  }
  console.say(table.written(std::nullopt));
  if (restores.size() > kMostShown) {
    console.say(fmt::format("and {} more", restores.size() - kMostShown));
  }
}

RestoreChoice choice_of(Workspace& workspace, Invocation& invocation) {
  RestoreChoice choice;
  choice.backup = invocation.arguments.optional("backup");
  choice.run = invocation.arguments.optional("run");
  choice.all_must_have_one = !invocation.globals.tenants.empty();
  if (choice.backup && choice.run) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "--backup and --run name two different things",
                "Give one of the two.");
  }
  if (choice.run && workspace.journal() != nullptr) {
    choice.run = workspace.journal()->run(*choice.run).id.value;
  }
  return choice;
}

/// By id a backup says itself whose it is. Without a run, a backup or a choice of tenants nobody is
/// meant.
std::vector<PlannedRestore> chosen_restores(Workspace& workspace,
                                            Invocation& invocation,
                                            const BackupDesk& desk) {
  const RestoreChoice choice = choice_of(workspace, invocation);
  const bool chosen = chose_tenants(invocation.globals);
  if (!chosen && !choice.run && !choice.backup) {
    throw Error(ErrorCode::usage,
                "tenants_needed",
                "nobody said which tenants are to be put back",
                "Choose them (--tenant, --labels, --server), or name a --run or a --backup.");
  }
  std::vector<Tenant> tenants;
  if (choice.backup && !chosen) {
    const TenantId whose = desk.find(*choice.backup).tenant;
    const std::vector<Tenant>& fleet = workspace.fleet();
    std::copy_if(fleet.begin(), fleet.end(), std::back_inserter(tenants), [&](const Tenant& one) {
      return one.id == whose;
    });
    if (tenants.empty()) {
      throw Error(
          ErrorCode::usage,
          "unknown_tenant",
          fmt::format("tenant '{}' of backup {} is not in the fleet", whose.value, *choice.backup),
          "See drover tenants for who is.");
    }
  } else {
    tenants = chosen_tenants(workspace, invocation);
  }
  return choose_backups(desk, tenants, choice);
}

std::string what_is_meant(const Invocation& invocation, const std::vector<PlannedRestore>& meant) {
  if (const auto order = invocation.arguments.optional("order")) {
    return "order " + std::filesystem::path(*order).filename().string();
  }
  if (const auto run = invocation.arguments.optional("run")) {
    return "backups of run " + meant.front().backup.run;
  }
  return meant.size() == 1 ? "backup " + meant.front().backup.id.value : "their newest backups";
}

int restore(Workspace& workspace,
            Invocation& invocation,
            BackupDesk& desk,
            const std::vector<PlannedRestore>& restores,
            const std::vector<std::string>& approvals) {
  std::string what = what_is_meant(invocation, restores);
  FleetRestore run(workspace, desk, restores);
  const Runnable runnable{
      [&](run::RunObserver& observer) { return run.run(what, approvals, observer); },
      [&](int status) { run.drain(status); },
      [&](int status) { run.cancel(status); },
      [&] { return run.id().value; },
      [] { return std::string("restore"); },
      [&] { return std::string(what); },
      [] { return std::string(); }};
  const int status = run_and_report(workspace, runnable, invocation);
  if (!run.id().value.empty()) {
    invocation.console.say(
        fmt::format("drover runs {} tells each step{}",
                    run.id().value,
                    status == 0 ? ", and where what was there before is kept" : ""));
  }
  return status;
}

int run_restore(Invocation& invocation, Workspace& workspace, BackupDesk& desk) {
  const auto now = std::chrono::system_clock::now();
  const Environment& environment = workspace.environment();
  const std::optional<std::string> order_file = invocation.arguments.optional("order");
  const std::string confirm = invocation.arguments.value("confirm");
  std::vector<PlannedRestore> restores;
  std::vector<std::string> approvals;
  if (order_file) {
    const std::filesystem::path file = in_working_directory(invocation.globals, *order_file);
    const RestoreOrder order = plan::read_restore_file(file);
    if (order.environment != environment.name) {
      throw Error(ErrorCode::usage,
                  "foreign_order",
                  fmt::format("the order is for environment '{}', and this is '{}'",
                              order.environment,
                              environment.name),
                  fmt::format("Say -e {}.", order.environment));
    }
    if (environment.rollout && environment.rollout->approvals > 0) {
      approvals =
          check_approvals({"order", order.environment, plan::digest_of(order), order.author, file},
                          *environment.rollout,
                          invocation.console);
    }
    restores = take_order(order, desk, workspace.fleet());
  } else {
    restores = chosen_restores(workspace, invocation, desk);
  }
  invocation.console.say(fmt::format("environment {}: {} to be put back",
                                     environment.name,
                                     report::count_of(restores.size(), "tenant")));
  show_restores(invocation.console, restores, now);
  if (const auto out = invocation.arguments.optional("out")) {
    plan::write_file(order_of(restores, environment.name, engine::api::who_we_are()),
                     in_working_directory(invocation.globals, *out));
    invocation.console.say(fmt::format("the order is in {}", *out));
    return 0;
  }
  if (invocation.globals.dry_run) {
    return 0;
  }
  if (!order_file) {
    refuse_unapproved(
        environment,
        "restores",
        "Write an order with --out, let it be approved, and restore it with --order.");
  }
  check_confirmation(environment.name, confirm);
  confirm_change(workspace,
                 invocation,
                 restores.size() == 1 ? "Put it back, and lose what it has written since?"
                                      : "Put them back, and lose what they have written since?",
                 confirm);
  return restore(workspace, invocation, desk, restores, approvals);
}

/// `count` of them at random, in their order.
std::vector<PlannedRestore> sampled(std::vector<PlannedRestore> all, std::size_t count) {
  std::vector<PlannedRestore> sample;
  std::mt19937 random{std::random_device{}()};
  std::sample(all.begin(), all.end(), std::back_inserter(sample), count, random);
  return sample;
}

struct Drilled {
  const PlannedRestore* restore;
  BackupDrill drill;
};

std::vector<Drilled> drill_all(const std::vector<PlannedRestore>& restores,
                               BackupDesk& desk,
                               const std::stop_token& stop) {
  std::vector<Errand> errands;
  std::vector<Drilled> drilled;
  for (std::size_t i = 0; i < restores.size(); ++i) {
    errands.push_back({{i}, restores[i].tenant.target.server});
    drilled.push_back({&restores[i], {}});
  }
  Limits limits;
  limits.in_flight = desk.options().in_flight;
  limits.per_server = desk.options().per_server;
  carry_out(errands, limits, [&](const Errand& errand) {
    Drilled& one = drilled[errand.tenants.front()];
    one.drill =
        desk.drill(one.restore->backup, one.restore->tenant, {engine::SteadyTime::max(), stop});
  });
  return drilled;
}

void warn_of_faults(Console& console, const std::vector<Drilled>& drilled) {
  for (const auto& [restore, drill] : drilled) {
    if (drill.fault) {
      console.warn(fmt::format("{}: {}\n  hint: {}",
                               printable(restore->tenant.id.value),
                               printable(drill.fault->message),
                               printable(drill.fault->hint)));
    }
  }
}

void write_drill(Invocation& invocation,
                 const report::Occasion& occasion,
                 const std::vector<Drilled>& drilled) {
  report::Table table({{"TENANT"},
                       {"BACKUP"},
                       {"TABLES", Column::Align::right},
                       {"ROWS", Column::Align::right},
                       {"TOOK", Column::Align::right},
                       {"RESULT"}});
  report::Value rows = report::Value::list();
  for (const auto& [restore, drill] : drilled) {
    table.add({restore->tenant.id.value,
               restore->backup.id.value,
               std::to_string(drill.tables),
               std::to_string(drill.rows),
               report::duration_text(drill.took),
               drill.fault ? "FAILED" : "as in the manifest"});
    report::Value row = report::Value::object();
    row.set("tenant", restore->tenant.id.value)
        .set("backup", restore->backup.id.value)
        .set("tables", drill.tables)
        .set("rows", drill.rows)
        .set("seconds", static_cast<double>(drill.took.count()) / 1000)
        .set("error", drill.fault ? report::error_value(*drill.fault) : report::Value());
    rows.add(std::move(row));
  }
  if (for_people(invocation)) {
    invocation.console.data(table.written(data_width()));
    warn_of_faults(invocation.console, drilled);
    return;
  }
  report::Document document{
      report::opening(occasion), "drills", {"tenant", "backup", "tables", "rows", "error.kind"}};
  document.value.set("drills", std::move(rows));
  put_document(invocation, document);
}

/// Whether what is kept can be put back, tried where it harms nobody.
int run_drill(Invocation& invocation, Workspace& workspace, BackupDesk& desk) {
  const auto started = std::chrono::system_clock::now();
  RestoreChoice choice = choice_of(workspace, invocation);
  std::vector<PlannedRestore> restores =
      choice.backup ? chosen_restores(workspace, invocation, desk)
                    : choose_backups(desk, chosen_tenants(workspace, invocation), choice);
  if (const auto count = number_given(invocation.arguments, "sample", kMostSampled)) {
    restores = sampled(std::move(restores), *count);
  }
  invocation.console.say(fmt::format("environment {}: {} to be restored into throw-away databases",
                                     workspace.environment().name,
                                     report::count_of(restores.size(), "backup")));
  std::stop_source stop;
  const run::SignalWatch signals([&](int, int) { stop.request_stop(); });
  const std::vector<Drilled> drilled = drill_all(restores, desk, stop.get_token());
  write_drill(invocation, occasion_since(started, workspace.environment().name), drilled);
  const bool all = std::all_of(
      drilled.begin(), drilled.end(), [](const Drilled& one) { return !one.drill.fault; });
  return all ? 0 : static_cast<int>(ErrorCode::verification);
}

/// Otherwise it would be taken for a choice of who is put back.
void check_sample(const Invocation& invocation) {
  if (invocation.arguments.optional("sample") && !invocation.arguments.has("drill")) {
    throw Error(ErrorCode::usage,
                "invalid_arguments",
                "--sample is for --drill",
                "Choose tenants with --tenant, --labels, --server or --limit.");
  }
}

int run_verb(Invocation& invocation) {
  check_sample(invocation);
  Workspace workspace = workspace_of(invocation.globals);
  BackupDesk desk(workspace);
  return invocation.arguments.has("drill") ? run_drill(invocation, workspace, desk)
                                           : run_restore(invocation, workspace, desk);
}

}  // namespace

VerbSpec restore_verb() {
  return {
      "restore",
      "put tenants back from their backups",
      "Each is proven before it goes live: its bytes, which tenant it is of, the history's\n"
      "heads and every table's rows. A database comes back as a new one that takes the old\n"
      "one's place and its name, owner, rights and settings; a schema under the tenant's lock;\n"
      "an SQLite file in one transaction. What was there is kept, and named in drover runs.\n"
      "The same command after a crash goes on where it was; the run itself is not resumed.\n"
      "--drill puts them into throw-away databases instead: exit status 7 when one cannot be.\n\n"
      "  drover restore --tenant acme\n"
      "  drover restore --run 20261122 -l tier=gold\n"
      "  drover restore --backup 20261122T221403-4f2a9c --out order.json\n"
      "  drover restore --order order.json\n"
      "  drover restore --drill --sample 5\n",
      {{"--run", Takes::value, "RUN", "the backups that this run made"},
       {"--backup", Takes::value, "BACKUP", "this one, by its id"},
       {"--out", Takes::value, "FILE", "write an order to be approved; restore nothing"},
       {"--order", Takes::value, "FILE", "restore what this order says"},
       {"--drill", Takes::nothing, "", "into throw-away databases, compared and dropped"},
       {"--sample", Takes::value, "N", "of the drill: so many tenants, at random"},
       {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
      VerbSpec::Selectors::yes,
      run_verb};
}

}  // namespace drover::orchestrator::cli
