// lock show, lock release: who holds the tenants' locks, and the end of a session that was left
// behind with one.

#include <algorithm>

#include <fmt/format.h>

#include "orchestrator/api/fleet_locks.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/error_report.h"
#include "orchestrator/report/run_report.h"
#include "orchestrator/report/table.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

using Takes = OptionSpec::Takes;

FleetLocksRequest request_of(Workspace& workspace) {
  return {workspace.sessions(),
          workspace.clock(),
          workspace.approach(),
          workspace.environment().limits};
}

/// The living run; the locks are shown all the same when the store cannot be read.
std::optional<RunRecord> run_to_show(Workspace& workspace, Console& console) {
  try {
    Journal* journal = workspace.journal();
    return journal == nullptr ? std::nullopt
                              : run_under_way(*journal, workspace.environment().name);
  } catch (const Error& error) {
    console.warn(printable(fmt::format("the run store cannot be read: {}", error.what())));
    return std::nullopt;
  }
}

std::string id_text(const engine::LockHolder& holder) {
  return holder.id.start.empty() ? std::string() : to_string(holder.id);
}

std::string age_text(const std::optional<std::chrono::seconds>& age) {
  return age ? report::duration_text(*age) : std::string();
}

report::Value seconds_value(const std::optional<std::chrono::seconds>& age) {
  return age ? report::Value(age->count()) : report::Value();
}

report::Value run_value(const std::optional<RunRecord>& run) {
  if (!run) {
    return {};
  }
  report::Value value = report::Value::object();
  value.set("run", run->id.value)
      .set("verb", run->request.verb)
      .set("target", run->request.target)
      .set("user", run->owner.user)
      .set("host", run->owner.host)
      .set("pid", run->owner.pid)
      .set("started", report::rfc3339(run->started))
      .set("heartbeat", report::rfc3339(run->heartbeat));
  return value;
}

report::Value lock_value(const HeldLock& lock) {
  const engine::LockHolder& holder = lock.holder;
  report::Value value = report::Value::object();
  value.set("tenant", lock.tenant.value)
      .set("server", lock.server)
      .set("id", report::known_text(id_text(holder)))
      .set("pid", holder.id.pid)
      .set("application", report::known_text(holder.application))
      .set("user", report::known_text(holder.user))
      .set("client", report::known_text(holder.client))
      .set("state", report::known_text(holder.state))
      .set("session_since", report::known_text(holder.id.start))
      .set("session_seconds", seconds_value(holder.session_age))
      .set("query_seconds", seconds_value(holder.query_age));
  return value;
}

report::Value unread_value(const UnreadLocks& unread) {
  constexpr std::size_t kFirst = 20;
  report::Value tenants = report::Value::list();
  for (std::size_t i = 0; i < std::min(kFirst, unread.tenants.size()); ++i) {
    tenants.add(unread.tenants[i].value);
  }
  report::Value value = report::Value::object();
  value.set("server", unread.server)
      .set("count", unread.tenants.size())
      .set("tenants", std::move(tenants))
      .set("error", report::error_value(unread.fault));
  return value;
}

std::size_t count_unread(const FleetLocks& locks) {
  std::size_t count = 0;
  for (const UnreadLocks& unread : locks.unread) {
    count += unread.tenants.size();
  }
  return count;
}

report::Document locks_document(const report::Occasion& occasion,
                                const FleetLocks& locks,
                                const std::optional<RunRecord>& run) {
  report::Document document{report::opening(occasion),
                            "locks",
                            {"tenant",
                             "server",
                             "id",
                             "pid",
                             "application",
                             "user",
                             "client",
                             "state",
                             "session_seconds",
                             "query_seconds"}};
  report::Value summary = report::Value::object();
  summary.set("asked", locks.asked)
      .set("held", locks.held.size())
      .set("unreadable", count_unread(locks));
  report::Value unreadable = report::Value::list();
  for (const UnreadLocks& unread : locks.unread) {
    unreadable.add(unread_value(unread));
  }
  report::Value rows = report::Value::list();
  for (const HeldLock& lock : locks.held) {
    rows.add(lock_value(lock));
  }
  document.value.set("run", run_value(run))
      .set("summary", std::move(summary))
      .set("unreadable", std::move(unreadable))
      .set("locks", std::move(rows));
  return document;
}

std::string locks_text(const FleetLocks& locks) {
  if (locks.asked == 0) {
    return "SQLite tenants have no lock that could be held\n";
  }
  if (locks.held.empty()) {
    return locks.unread.empty() ? "no tenant's lock is held\n"
                                : "no lock of a tenant that could be asked is held\n";
  }
  report::Table table({{"TENANT"},
                       {"ID"},
                       {"STATE"},
                       {"SESSION", report::Column::Align::right},
                       {"QUERY", report::Column::Align::right},
                       {"APPLICATION"},
                       {"USER"},
                       {"CLIENT"},
                       {"SERVER"}});
  for (const HeldLock& lock : locks.held) {
    const engine::LockHolder& holder = lock.holder;
    const std::string id = id_text(holder);
    table.add({lock.tenant.value,
               id.empty() ? fmt::format("pid {}, start unknown", holder.id.pid) : id,
               holder.state,
               age_text(holder.session_age),
               age_text(holder.query_age),
               holder.application,
               holder.user,
               holder.client,
               lock.server});
  }
  return table.written(std::nullopt);  // an id that is cut short names nobody
}

void tell_unread(Console& console, const UnreadLocks& unread) {
  console.warn(fmt::format("{} {}: {} could not be asked: {}",
                           console.toned(Tone::bad, "error:"),
                           printable(unread.server),
                           report::count_of(unread.tenants.size(), "tenant"),
                           printable(unread.fault.message)));
  console.warn(fmt::format("hint:  {}", printable(unread.fault.hint)));
}

void show_to_people(Console& console,
                    const FleetLocks& locks,
                    const std::optional<RunRecord>& run) {
  if (run) {
    console.data(printable(fmt::format("run {} of {} on host {} (pid {}) is under way, since {}",
                                       run->id.value,
                                       run->owner.user,
                                       run->owner.host,
                                       run->owner.pid,
                                       report::rfc3339(run->started))) +
                 "\n");
  }
  console.data(locks_text(locks));
  for (const UnreadLocks& unread : locks.unread) {
    tell_unread(console, unread);
  }
  const bool unseen = std::any_of(locks.held.begin(), locks.held.end(), [](const HeldLock& lock) {
    return lock.holder.id.start.empty();
  });
  if (unseen) {
    console.say("without pg_read_all_stats our role is not told who that is");
  }
}

int exit_of(const FleetLocks& locks) {
  if (locks.unread.empty()) {
    return 0;
  }
  const bool away = std::all_of(locks.unread.begin(), locks.unread.end(), [](const auto& unread) {
    return unread.fault.code == ErrorCode::unreachable;
  });
  return static_cast<int>(away && count_unread(locks) == locks.asked ? ErrorCode::unreachable
                                                                     : ErrorCode::incomplete);
}

int run_lock_show(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const std::vector<Tenant> tenants = chosen_tenants(workspace, invocation);
  const FleetLocks locks = read_fleet_locks(request_of(workspace), tenants, {});
  // Asked last: a run that began meanwhile must not leave its locks looking like orphans'.
  const std::optional<RunRecord> run = run_to_show(workspace, invocation.console);
  if (for_people(invocation)) {
    show_to_people(invocation.console, locks, run);
  } else {
    const auto occasion = occasion_since(started, workspace.environment().name);
    put_document(invocation, locks_document(occasion, locks, run));
  }
  return exit_of(locks);
}

engine::BackendId holder_named(const std::string& text) {
  if (auto id = engine::backend_id_of(text)) {
    return *std::move(id);
  }
  throw Error(ErrorCode::usage,
              "invalid_arguments",
              fmt::format("'{}' does not name the holder of a lock", text),
              "Copy the id from drover lock show; it looks like "
              "41233@2026-11-22T22:14:03.123456Z.");
}

/// A session of a run that lives is that run's business.
void refuse_living_run(Workspace& workspace, const Tenant& tenant) {
  Journal* journal = workspace.journal();
  const std::optional<RunRecord> run =
      journal == nullptr ? std::nullopt : run_under_way(*journal, workspace.environment().name);
  if (!run) {
    return;
  }
  const std::vector<JournalTenant> its = journal->tenants_of(run->id);
  const bool concerned = std::any_of(
      its.begin(), its.end(), [&](const auto& other) { return other.outcome.id == tenant.id; });
  if (concerned) {
    throw Error(ErrorCode::busy,
                "run_in_progress",
                fmt::format("run {} of {} on host {} (pid {}) is under way, and may be what holds "
                            "the lock of tenant '{}'",
                            run->id.value,
                            run->owner.user,
                            run->owner.host,
                            run->owner.pid,
                            tenant.id.value),
                "Stop the run with drover halt --cancel, or give --force when that session is not "
                "the run's.");
  }
}

struct ReleaseWords {
  std::string_view name;  ///< For machines.
  std::string text;
};

ReleaseWords words_of(Release release, const std::string& tenant, const std::string& id) {
  switch (release) {
    case Release::freed:
      return {"freed",
              fmt::format("session {} was ended; the lock of tenant '{}' is free", id, tenant)};
    case Release::taken:
      return {
          "taken",
          fmt::format("session {} was ended; the lock of tenant '{}' has another holder already",
                      id,
                      tenant)};
    case Release::not_needed:
      break;
  }
  return {"not_needed", fmt::format("nobody holds the lock of tenant '{}' any more", tenant)};
}

/// What a release is about.
struct ReleaseOrder {
  Tenant tenant;
  engine::BackendId id;
  report::WallTime started;
};

int tell_release(Invocation& invocation,
                 const std::string& environment,
                 const ReleaseOrder& order,
                 Release release) {
  const ReleaseWords words = words_of(release, order.tenant.id.value, to_string(order.id));
  if (for_people(invocation)) {
    invocation.console.say(printable(words.text));
    return 0;
  }
  report::Document document{report::opening(occasion_since(order.started, environment))};
  document.value.set("tenant", order.tenant.id.value)
      .set("id", to_string(order.id))
      .set("outcome", words.name);
  put_document(invocation, document);
  return 0;
}

std::string words_of(const Tenant& tenant, const engine::LockHolder& holder) {
  const auto known = [](const std::string& text) { return text.empty() ? "unknown" : text; };
  return fmt::format("tenant '{}': session {} of user {}, application {}, state {}",
                     tenant.id.value,
                     to_string(holder.id),
                     known(holder.user),
                     known(holder.application),
                     known(holder.state));
}

int run_lock_release(Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  ReleaseOrder order{{}, holder_named(arguments.value("id")), std::chrono::system_clock::now()};
  Workspace workspace = workspace_of(invocation.globals);
  const std::string& environment = workspace.environment().name;
  check_confirmation(environment, arguments.value("confirm"));
  order.tenant = only_tenant(workspace, invocation);
  if (order.tenant.target.dialect != engine::Dialect::postgres) {
    throw Error(ErrorCode::usage,
                "no_lock",
                fmt::format("tenant '{}' is an SQLite file and has no lock", order.tenant.id.value),
                "Close the application that writes to the file.");
  }
  if (!arguments.has("force")) {
    refuse_living_run(workspace, order.tenant);
  }
  const FleetLocksRequest request = request_of(workspace);
  const auto holder = check_lock_holder(request, order.tenant, order.id, {});
  if (!holder) {
    return tell_release(invocation, environment, order, Release::not_needed);
  }
  invocation.console.say(printable(words_of(order.tenant, *holder)));
  if (invocation.globals.dry_run) {
    return 0;
  }
  confirm_change(workspace, invocation, "end this session?", arguments.value("confirm"));
  const Release release = release_lock(request, order.tenant, order.id, {});
  return tell_release(invocation, environment, order, release);
}

}  // namespace

VerbSpec lock_show_verb() {
  return {"lock show",
          "who holds the tenants' locks, and which run is under way; reads only",
          "Asks PostgreSQL tenants who holds their lock: a runner, or a session that one left\n"
          "behind and the server has not noticed yet. SESSION is how long that session lives,\n"
          "and the lock is not older; QUERY is how long ago its last statement began. Exit status\n"
          "3 when tenants could not be asked, 6 when none could.\n\n"
          "  drover lock show -e production\n"
          "  drover lock show --tenant acme -o json\n",
          {},
          VerbSpec::Selectors::yes,
          run_lock_show};
}

VerbSpec lock_release_verb() {
  return {"lock release",
          "end the session that was left behind with a tenant's lock",
          "Ends exactly the session that drover lock show has named, if it still holds the lock,\n"
          "and waits until the lock is free. Its transaction is rolled back; the next upgrade\n"
          "sees what it has done. Exit status 5 when somebody else holds the lock now.\n\n"
          "  drover lock release --tenant acme --id 41233@2026-11-22T22:14:03.123456Z\n",
          {{"--id", Takes::value, "ID", "as lock show writes it", OptionSpec::Need::required},
           {"--force", Takes::nothing, "", "although a run of the environment is under way"},
           {"--confirm", Takes::value, "NAME", "the environment's name, where it is asked for"}},
          VerbSpec::Selectors::yes,
          run_lock_release};
}

}  // namespace drover::orchestrator::cli
