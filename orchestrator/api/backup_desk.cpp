#include "orchestrator/api/backup_desk.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/postgres/conninfo.h"
#include "orchestrator/api/sqlite_backups.h"
#include "orchestrator/backup/archive_source.h"
#include "orchestrator/backup/backup_maker.h"
#include "orchestrator/backup/command_provider.h"
#include "orchestrator/backup/database_restore.h"
#include "orchestrator/backup/pg_dump_provider.h"
#include "orchestrator/backup/pg_tools.h"
#include "orchestrator/backup/retention.h"
#include "orchestrator/backup/schema_restore.h"
#include "orchestrator/backup/template_copy.h"
#include "orchestrator/backup/template_provider.h"
#include "orchestrator/backup/vault.h"

namespace drover::orchestrator {
namespace {

namespace fs = std::filesystem;
using Kind = BackupOptions::Provider;

/// For pg_dump's locks on tables: only DDL of the application's stands in their way.
constexpr std::chrono::seconds kDumpLockTimeout{30};

const BackupOptions& options_of(const Environment& environment) {
  if (!environment.backup || environment.backup->directory.empty()) {
    throw Error(ErrorCode::usage,
                "no_backups",
                fmt::format("environment '{}' does not say how backups are made", environment.name),
                "Give it a backup section: `backup: {policy: required, directory: ...}`.",
                environment.place);
  }
  return *environment.backup;
}

backup::DumpOptions dump_options(const Environment& environment) {
  const BackupOptions& options = *environment.backup;
  return {
      options.compress, options.jobs, environment.history_schema, kDumpLockTimeout, options.large};
}

std::vector<std::string> strings(const std::string& one) {
  return {one};
}

}  // namespace

struct BackupDesk::State {
  explicit State(Workspace& workspace)
      : environment(workspace.environment()),
        options(options_of(environment)),
        sessions(workspace.sessions()),
        clock(workspace.clock()),
        journal(workspace.journal()),
        directory(workspace.options().file.parent_path()),
        fleet(workspace.fleet()),
        vault(options.directory),
        tools(options.tools),
        by_dump(tools, dump_options(environment)),
        by_sqlite(environment.timeouts.lock),
        by_command(options.command, directory),
        by_copy(means({})) {
    if (journal != nullptr) {
      uids = journal->uids(environment.name);
    }
  }

  backup::Provider& provider(Kind kind) {
    switch (kind) {
      case Kind::pg_dump:
        return by_dump;
      case Kind::sqlite:
        return by_sqlite;
      case Kind::template_copy:
        return by_copy;
      case Kind::command:
        break;
    }
    return by_command;
  }

  backup::RestoreMeans means(const OnStep& on_step) const {
    backup::RestoreMeans means{sessions, clock, engine::postgres::with_database};
    means.on_step = on_step;
    means.history_schema = environment.history_schema;
    means.connect_timeout = environment.timeouts.connect;
    means.lock_timeout = environment.timeouts.lock;
    return means;
  }

  std::string history_schema_of(const std::string& schema) const {
    return environment.history_schema.empty() ? schema : environment.history_schema;
  }

  const Environment environment;
  const BackupOptions& options;
  engine::SessionFactory& sessions;
  engine::Clock& clock;
  Journal* journal;
  const fs::path directory;
  const std::vector<Tenant> fleet;
  std::map<TenantId, std::string> uids;
  const backup::Vault vault;
  const backup::PgTools tools;
  backup::PgDumpProvider by_dump;
  SqliteBackups by_sqlite;
  backup::CommandProvider by_command;
  backup::TemplateProvider by_copy;
};

namespace {

/// The content of a backup that is an archive, with what it takes to put it back.
class ArchiveDesk {
 public:
  ArchiveDesk(const backup::PgTools& tools,
              const BackupOptions& options,
              const Tenant& tenant,
              std::string history_schema,
              const fs::path& archive,
              Extent extent)
      : tools_(tools),
        history_schema_(std::move(history_schema)),
        passfile_(backup::passfile_for(tenant.target)),
        source_(tools_for(options), archive, extent) {}

  backup::BackupSource& source() noexcept { return source_; }

 private:
  backup::ArchiveTools tools_for(const BackupOptions& options) {
    backup::ArchiveTools means;
    means.jobs = options.jobs;
    means.request = [this](std::string_view program,
                           const engine::Target& target,
                           const std::vector<std::string>& arguments) {
      return tools_.request(program, target, passfile_.get(), arguments);
    };
    means.read = [this](const engine::Target& target,
                        Extent extent,
                        const engine::Patience& patience) -> backup::ContentReading {
      auto content = backup::read_live(tools_, target, extent, history_schema_, patience);
      if (auto* const fault = std::get_if<engine::TenantFault>(&content)) {
        return {{}, std::move(*fault)};
      }
      return {std::move(std::get<backup::DumpContent>(content).tables), std::nullopt};
    };
    return means;
  }

  const backup::PgTools& tools_;
  const std::string history_schema_;
  const std::unique_ptr<engine::base::PassFile> passfile_;
  backup::ArchiveSource source_;
};

/// The mark of a restore of `backup`: one that was cut short goes on.
std::string mark_for(const Backup& backup, const std::vector<std::string>& unfinished) {
  const std::string prefix = backup::mark_of(backup.id) + "-";
  for (const std::string& mark : unfinished) {
    if (mark.starts_with(prefix)) {
      return mark;
    }
  }
  std::random_device random;
  return prefix + fmt::format("{:03x}", random() & 0xFFFU);
}

}  // namespace

BackupDesk::BackupDesk(Workspace& workspace) : state_(std::make_unique<State>(workspace)) {
  state_->vault.sweep();
}

BackupDesk::~BackupDesk() = default;

const BackupOptions& BackupDesk::options() const noexcept {
  return state_->options;
}

BackupMeans BackupDesk::means() {
  return {[this](const BackupSubject& subject, const engine::Patience& patience) {
            return make(subject, patience);
          },
          [this](const BackupSubject& subject, const BackupWanted& wanted) {
            return find(subject, wanted);
          }};
}

std::variant<Backup, engine::TenantFault> BackupDesk::make(const BackupSubject& subject,
                                                           const engine::Patience& patience) {
  const Kind kind = provider_for(state_->options, subject.tenant);
  return backup::make_backup(state_->vault, state_->provider(kind), kind, subject, patience);
}

std::optional<Backup> BackupDesk::find(const BackupSubject& subject, const BackupWanted& wanted) {
  std::vector<Backup> there = state_->vault.of_folder(backup::folder_of(subject));
  if (wanted.changed_by_run &&
      !subject.uid.empty()) {  // its first change may have given it its uid
    BackupSubject before = subject;
    before.uid.clear();
    const std::vector<Backup> fresh = state_->vault.of_folder(backup::folder_of(before));
    there.insert(there.end(), fresh.begin(), fresh.end());
  }
  const WallTime now = std::chrono::system_clock::now();
  const auto found = std::find_if(there.rbegin(), there.rend(), [&](const Backup& one) {
    return serves(one, subject, wanted, now);
  });
  return found == there.rend() ? std::nullopt : std::optional(*found);
}

std::vector<Backup> BackupDesk::all() const {
  std::vector<Backup> backups = state_->vault.all();
  std::erase_if(backups,
                [this](const Backup& one) { return one.environment != state_->environment.name; });
  return backups;
}

Backup BackupDesk::find(const std::string& id) const {
  return state_->vault.find(id);
}

std::vector<fs::path> BackupDesk::damaged_lines() const {
  return state_->vault.damaged_lines();
}

std::string BackupDesk::place_of(const Backup& backup) const {
  return backup.file.empty() ? backup.handle : state_->vault.path_of(backup).string();
}

std::vector<std::string> BackupDesk::damage(const Backup& backup,
                                            Depth depth,
                                            const engine::Patience& patience) const {
  const fs::path path = state_->vault.path_of(backup);
  if (path.empty()) {
    return {};  // it is kept elsewhere; a drill tells
  }
  try {
    const backup::Content content = backup::content_of(path);
    if (content.bytes != backup.bytes) {
      return strings(fmt::format("it has {} bytes, and had {}", content.bytes, backup.bytes));
    }
    if (content.sha256 != backup.sha256) {
      return strings("its bytes are not those that were written");
    }
  } catch (const Error& error) {
    return strings(fmt::format("{} {}", error.place().file, error.what()));
  }
  if (depth == Depth::bytes || backup.provider == Kind::command) {
    return {};
  }
  if (backup.provider == Kind::sqlite) {
    return state_->by_sqlite.differences_in(backup, path, patience);
  }
  auto content = backup::read_archive(
      state_->tools,
      path,
      state_->history_schema_of(backup.schema.empty() ? "public" : backup.schema),
      patience);
  if (const auto* const fault = std::get_if<engine::TenantFault>(&content)) {
    return strings(fault->message);
  }
  return engine::differences(backup.tables, std::get<backup::DumpContent>(content).tables);
}

PutBack BackupDesk::put_back(const Backup& backup,
                             const Tenant& tenant,
                             const std::vector<engine::RevisionId>& heads,
                             const OnStep& on_step,
                             const engine::Patience& patience) {
  if (const auto wrong = damage(backup, Depth::bytes, patience); !wrong.empty()) {
    return {backup::backup_fault(
                "restore_not_proven",
                fmt::format("backup {} is damaged: {}", backup.id.value, wrong.front()),
                "Restore another one of the tenant's: drover backups list."),
            {}};
  }
  const fs::path path = state_->vault.path_of(backup);
  if (backup.provider == Kind::sqlite) {
    return state_->by_sqlite.put_back(
        backup, path, {tenant, heads, state_->vault}, on_step, patience);
  }
  if (backup.provider == Kind::command) {
    return {backup::restore_by_command(
                state_->options.restore_command, state_->directory, backup, tenant, path, patience),
            {}};
  }
  return put_database_back(backup, tenant, on_step, patience);
}

PutBack BackupDesk::put_database_back(const Backup& backup,
                                      const Tenant& tenant,
                                      const OnStep& on_step,
                                      const engine::Patience& patience) {
  const backup::RestoreMeans means = state_->means(on_step);
  const bool schema = !backup.schema.empty();
  const backup::UnfinishedRestores unfinished =
      schema ? backup::unfinished_schema_restores(tenant, means, patience)
             : backup::unfinished_restores(tenant, means, patience);
  if (unfinished.fault) {
    return {unfinished.fault, {}};
  }
  ArchiveDesk archive(state_->tools,
                      state_->options,
                      tenant,
                      state_->history_schema_of(tenant.target.schema),
                      state_->vault.path_of(backup),
                      schema ? Extent::schema : Extent::whole);
  backup::CopySource copy(means, backup.handle);
  backup::RestoreRequest request{tenant,
                                 backup,
                                 backup.provider == Kind::template_copy
                                     ? static_cast<backup::BackupSource&>(copy)
                                     : archive.source(),
                                 mark_for(backup, unfinished.marks)};
  const auto uid = state_->uids.find(tenant.id);
  request.uid = uid == state_->uids.end() ? "" : uid->second;
  request.environment = state_->environment.name;
  std::optional<engine::TenantFault> fault =
      schema ? backup::restore_schema(request, means, patience)
             : backup::restore_database(request, means, patience);
  const std::string kept =
      schema ? "schema " + backup::old_schema_name(tenant.target.schema, request.mark)
             : "database " + backup::old_database_name(tenant.target.database, request.mark);
  return {fault, fault ? "" : kept};
}

BackupDrill BackupDesk::drill(const Backup& backup,
                              const Tenant& tenant,
                              const engine::Patience& patience) {
  const engine::SteadyTime start = state_->clock.now();
  BackupDrill result;
  result.tables = backup.tables.size();
  for (const engine::TableDigest& table : backup.tables) {
    result.rows += table.rows;
  }
  const auto wrong = damage(backup, Depth::bytes, patience);
  if (!wrong.empty()) {
    result.fault = backup::backup_fault("restore_not_proven", wrong.front(), "Make a new backup.");
  } else if (backup.provider == Kind::sqlite) {
    result.fault = drill_file(backup, patience);
  } else if (backup.provider == Kind::command) {
    result.fault = backup::backup_fault("restore_refused",
                                        "only the command that made it can restore it",
                                        "Let the command drill by itself.");
  } else {
    result.fault = drill_database(backup, tenant, patience);
  }
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(state_->clock.now() - start);
  return result;
}

/// Into a throw-away file of the vault.
std::optional<engine::TenantFault> BackupDesk::drill_file(const Backup& backup,
                                                          const engine::Patience& patience) {
  Tenant nowhere;
  nowhere.id = backup.tenant;
  const backup::Vault::Draft draft = state_->vault.begin(backup::folder_of(backup), "drill");
  nowhere.target.dialect = engine::Dialect::sqlite;
  nowhere.target.connection = draft.path().string();
  return state_->by_sqlite
      .put_back(backup, state_->vault.path_of(backup), {nowhere, {}, state_->vault}, {}, patience)
      .fault;
}

std::optional<engine::TenantFault> BackupDesk::drill_database(const Backup& backup,
                                                              const Tenant& tenant,
                                                              const engine::Patience& patience) {
  const backup::RestoreMeans means = state_->means({});
  ArchiveDesk archive(state_->tools,
                      state_->options,
                      tenant,
                      state_->history_schema_of(tenant.target.schema),
                      state_->vault.path_of(backup),
                      Extent::whole);
  backup::CopySource copy(means, backup.handle);
  backup::RestoreRequest request{tenant,
                                 backup,
                                 backup.provider == Kind::template_copy
                                     ? static_cast<backup::BackupSource&>(copy)
                                     : archive.source(),
                                 mark_for(backup, {})};
  return backup::restore_into_throw_away(request, means, patience).fault;
}

std::vector<Backup> BackupDesk::dispensable() const {
  backup::RetentionRule rule;
  rule.count = state_->options.keep_count;
  rule.age = state_->options.keep_age;
  if (state_->journal != nullptr) {
    for (const RunRecord& run : state_->journal->runs(state_->environment.name, 1000)) {
      if (run.state == RunState::running || run.state == RunState::interrupted) {
        rule.runs.insert(run.id.value);
      }
    }
  }
  std::map<TenantId, std::vector<Backup>> by_tenant;
  for (Backup& backup : all()) {
    by_tenant[backup.tenant].push_back(std::move(backup));
  }
  std::vector<Backup> gone;
  for (const auto& [tenant, backups] : by_tenant) {
    const std::vector<Backup> may_go =
        backup::dispensable(backups, rule, std::chrono::system_clock::now());
    // The last sound one stays, which need not be the newest: then nothing goes.
    const auto newest = std::find_if(
        backups.rbegin(), backups.rend(), [](const Backup& one) { return !one.aside; });
    const bool is_sound = newest == backups.rend() || damage(*newest, Depth::bytes, {}).empty();
    if (!may_go.empty() && is_sound) {
      gone.insert(gone.end(), may_go.begin(), may_go.end());
    }
  }
  return gone;
}

std::optional<engine::TenantFault> BackupDesk::remove(const Backup& backup,
                                                      const engine::Patience& patience) {
  if (backup.provider == Kind::template_copy) {
    const auto found =
        std::find_if(state_->fleet.begin(), state_->fleet.end(), [&](const Tenant& one) {
          return one.target.server == backup.server && one.target.database == backup.database;
        });
    if (found == state_->fleet.end()) {
      return backup::backup_fault(
          "backup_not_removed",
          fmt::format("nobody of the fleet is on {} any more to remove database '{}' with",
                      backup.server,
                      backup.handle),
          "Drop the database by hand.");
    }
    if (auto fault =
            backup::remove_template_copy(*found, backup.handle, state_->means({}), patience)) {
      return fault;
    }
  }
  try {
    state_->vault.remove(backup);
  } catch (const Error& error) {
    return engine::fault_from(error);
  }
  return std::nullopt;
}

}  // namespace drover::orchestrator
