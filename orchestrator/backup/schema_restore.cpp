#include "orchestrator/backup/schema_restore.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/sql_value.h"
#include "engine/tenant_lock.h"
#include "orchestrator/backup/content_check.h"
#include "orchestrator/backup/schema_references.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

engine::OwnedStatement rename_statement(std::string_view from, std::string_view to) {
  return {
      fmt::format("ALTER SCHEMA {} RENAME TO {}", quoted_identifier(from), quoted_identifier(to))};
}

engine::OwnedStatement drop_statement(std::string_view schema) {
  return {fmt::format("DROP SCHEMA {} CASCADE", quoted_identifier(schema))};
}

std::vector<engine::OwnedStatement> in_transaction(std::vector<engine::OwnedStatement> statements) {
  statements.insert(statements.begin(), {"BEGIN"});
  statements.push_back({"COMMIT"});
  return statements;
}

[[noreturn]] void refuse(std::string message, std::string hint) {
  give_up("restore_refused", std::move(message), std::move(hint));
}

void check_what_is_asked(const RestoreRequest& request, const RestoreMeans& means) {
  const std::string& schema = request.tenant.target.schema;
  check_request(request, Extent::schema);
  if (schema == "public") {
    refuse("schema 'public' cannot be put back by itself", "Restore the whole database.");
  }
  if (!means.history_schema.empty() && means.history_schema != schema) {
    refuse(fmt::format("the history of schema '{}' is in schema '{}', which a backup of the one "
                       "does not hold",
                       schema,
                       means.history_schema),
           "Restore the whole database.");
  }
}

class SchemaRestore {
 public:
  SchemaRestore(const RestoreRequest& request,
                const RestoreMeans& means,
                const engine::Patience& patience)
      : request_(request),
        means_(means),
        patience_(patience),
        live_(request.tenant.target.schema),
        away_(name_prefix(live_, "_away_") + request.mark),
        check_(name_prefix(live_, "_check_") + request.mark),
        before_(old_schema_name(live_, request.mark)),
        desk_(means, request.tenant.target, {}, patience) {}

  void run() {
    take_lock(desk_,
              means_,
              engine::tenant_lock_key(request_.tenant.target.database, live_),
              fmt::format("tenant '{}'", request_.tenant.id.value),
              patience_);
    const World world = look();
    if (world.live && world.before && !world.away && !world.check) {
      return;
    }
    refuse_strangers(world);
    lost_ = !world.live && !world.away;
    if (world.live && !world.away) {
      check_live();
      move_away();
    }
    try {
      if (!world.check) {
        if (!(world.live && world.away)) {
          fill();
        }
        set_aside();
      }
      prove();
      put_in_place();
    } catch (const RestoreFailure& failure) {
      put_back(failure);
    }
  }

 private:
  struct World {
    bool live = false;
    bool away = false;
    bool check = false;
    bool before = false;
  };

  World look() {
    // $1 names
    const engine::ResultSet answer =
        desk_.ask({"SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::text[])",
                   {engine::text_array_of({live_, away_, check_, before_})}},
                  "looking at schemas",
                  patience());
    std::set<std::string> names;
    for (const auto& row : answer.rows) {
      names.insert(engine::text_of(row.at(0)));
    }
    return {names.contains(live_),
            names.contains(away_),
            names.contains(check_),
            names.contains(before_)};
  }

  /// Combinations that no call of ours leaves behind.
  void refuse_strangers(const World& world) {
    bool stranger = world.before || (world.live && world.check);
    if (world.live && world.away && !request_.backup.uid.empty()) {
      const auto history = read_history(desk_, means_, live_, patience_);
      stranger = stranger || !history || history->tenant.uid != request_.backup.uid;
    }
    if (stranger) {
      refuse(fmt::format("schema '{}' is not what restore {} left behind", live_, request_.mark),
             fmt::format("Somebody made or renamed schemas meanwhile; look at '{}', '{}', '{}' and "
                         "'{}'.",
                         live_,
                         away_,
                         check_,
                         before_));
    }
  }

  void check_live() {
    if (const auto history = read_history(desk_, means_, live_, patience_)) {
      check_same_tenant(request_, history->tenant.uid);
    }
    const std::vector<std::string> references = references_to_schema(desk_, live_, patience_);
    if (!references.empty()) {
      constexpr std::size_t kMost = 10;
      const std::size_t shown = std::min(references.size(), kMost);
      refuse(fmt::format("schema '{}' cannot be replaced while others refer to it: {}{}",
                         live_,
                         fmt::join(references.begin(),
                                   references.begin() + static_cast<std::ptrdiff_t>(shown),
                                   ", "),
                         shown < references.size()
                             ? fmt::format(" and {} more", references.size() - shown)
                             : ""),
             "Drop what is named and make it again afterwards, or restore the whole database.");
    }
  }

  /// With every table locked, so that no transaction writes into the old and then the new one.
  void move_away() {
    tell(means_, fmt::format("renaming {} to {}", live_, away_));
    std::vector<engine::OwnedStatement> statements = locks();
    statements.push_back(rename_statement(live_, away_));
    insist(in_transaction(std::move(statements)),
           fmt::format("renaming schema '{}' to '{}'", live_, away_));
  }

  std::vector<engine::OwnedStatement> locks() {
    // $1 schema
    const engine::ResultSet tables =
        desk_.ask({"SELECT c.relname FROM pg_catalog.pg_class c "
                   "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                   "WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY c.oid",
                   {live_}},
                  fmt::format("listing the tables of schema '{}'", live_),
                  patience_);
    std::vector<engine::OwnedStatement> statements;
    for (const auto& row : tables.rows) {
      statements.push_back({fmt::format("LOCK TABLE ONLY {}.{} IN ACCESS EXCLUSIVE MODE",
                                        quoted_identifier(live_),
                                        quoted_identifier(engine::text_of(row.at(0))))});
    }
    return statements;
  }

  /// Tries again for RestoreMeans::lock_wait where trying again may help.
  void insist(const std::vector<engine::OwnedStatement>& statements, const std::string& doing) {
    constexpr engine::Milliseconds kBetweenAttempts{200};
    const engine::Patience patience = this->patience();
    const engine::SteadyTime until =
        std::min(patience.deadline, means_.clock.now() + means_.lock_wait);
    while (true) {
      const engine::Exchange answer = desk_.exchange(statements, patience);
      if (answer.ok()) {
        return;
      }
      const bool hopeful =
          engine::fault_kind_of(*answer.error).fault_class == engine::FaultClass::transient &&
          desk_.alive();
      if (!hopeful || means_.clock.now() >= until || patience.stop.stop_requested()) {
        throw RestoreFailure(restore_fault(*answer.error, doing));
      }
      means_.clock.wait_until(means_.clock.now() + kBetweenAttempts, patience.stop);
    }
  }

  void fill() {
    tell(means_, fmt::format("restoring backup {} as {}", request_.backup.id.value, live_));
    if (std::optional<engine::TenantFault> fault =
            request_.source.fill(request_.tenant.target, patience_)) {
      throw RestoreFailure(std::move(*fault));
    }
    if (!look().live) {
      give_up(
          "restore_failed",
          fmt::format("restoring backup '{}' made no schema '{}'", request_.backup.id.value, live_),
          "Verify the backup.");
    }
  }

  void set_aside() {
    tell(means_, fmt::format("renaming {} to {}", live_, check_));
    insist({rename_statement(live_, check_)},
           fmt::format("renaming schema '{}' to '{}'", live_, check_));
  }

  void prove() {
    tell(means_, fmt::format("checking {} tables", request_.backup.tables.size()));
    engine::Target target = request_.tenant.target;
    target.schema = check_;
    check_content(request_, means_, target, Extent::schema, patience_);
  }

  void put_in_place() {
    tell(means_, fmt::format("renaming {} to {}", check_, live_));
    placing_ = true;
    brief_ = true;
    std::vector<engine::OwnedStatement> statements = {rename_statement(check_, live_)};
    if (look().away) {
      statements.push_back(rename_statement(away_, before_));
    }
    insist(in_transaction(std::move(statements)),
           fmt::format("renaming schema '{}' to '{}'", check_, live_));
  }

  /// Drops what was restored and renames the old one back, and throws; but for a restore that is in
  /// its place, of which only the answer was lost.
  void put_back(const RestoreFailure& failure) {
    engine::TenantFault fault = failure.fault();
    brief_ = true;
    try {
      come_back();
      const World world = look();
      if (placing_ && world.live && !world.check) {
        return;
      }
      std::vector<engine::OwnedStatement> statements;
      if (world.check) {
        statements.push_back(drop_statement(check_));
      }
      if (world.live && (world.away || lost_)) {
        statements.push_back(drop_statement(live_));
      }
      if (world.away) {
        statements.push_back(rename_statement(away_, live_));
      }
      insist(in_transaction(std::move(statements)), fmt::format("putting schema '{}' back", live_));
      fault.hint += lost_ ? fmt::format(" There still is no schema '{}'.", live_)
                          : fmt::format(" Schema '{}' is as it was.", live_);
    } catch (const RestoreFailure& second) {
      fault.hint += fmt::format(
          " Putting it back failed as well ({}): the old schema is '{}'; call again with mark {}.",
          second.fault().message,
          away_,
          request_.mark);
    }
    throw RestoreFailure(std::move(fault));
  }

  void come_back() {
    if (!desk_.alive()) {
      desk_ = Desk(means_, request_.tenant.target, {}, patience());
    }
  }

  /// The caller's; a minute where being cut short would leave something half-done.
  engine::Patience patience() const {
    constexpr engine::Milliseconds kBrief{60'000};
    return brief_ ? engine::Patience{means_.clock.now() + kBrief, {}, {}} : patience_;
  }

  const RestoreRequest& request_;
  const RestoreMeans& means_;
  const engine::Patience& patience_;
  const std::string live_;
  const std::string away_;
  const std::string check_;
  const std::string before_;
  Desk desk_;
  bool lost_ = false;     ///< There was no live schema.
  bool placing_ = false;  ///< What was restored is proven.
  bool brief_ = false;
};

}  // namespace

std::string old_schema_name(const std::string& schema, const std::string& mark) {
  return name_prefix(schema, "_before_") + mark;
}

std::optional<engine::TenantFault> restore_schema(const RestoreRequest& request,
                                                  const RestoreMeans& means,
                                                  const engine::Patience& patience) {
  try {
    check_what_is_asked(request, means);
    SchemaRestore(request, means, patience).run();
    return std::nullopt;
  } catch (const RestoreFailure& failure) {
    return failure.fault();
  }
}

UnfinishedRestores unfinished_schema_restores(const Tenant& tenant,
                                              const RestoreMeans& means,
                                              const engine::Patience& patience) {
  try {
    Desk desk(means, tenant.target, {}, patience);
    std::set<std::string> marks;
    for (const std::string_view infix : {"_away_", "_check_"}) {
      const std::string prefix = name_prefix(tenant.target.schema, infix);
      // $1 prefix
      const engine::ResultSet answer = desk.ask({"SELECT nspname FROM pg_catalog.pg_namespace "
                                                 "WHERE pg_catalog.starts_with(nspname::text, $1)",
                                                 {prefix}},
                                                "looking at schemas",
                                                patience);
      for (const auto& row : answer.rows) {
        marks.insert(engine::text_of(row.at(0)).substr(prefix.size()));
      }
    }
    return {{marks.begin(), marks.end()}, std::nullopt};
  } catch (const RestoreFailure& failure) {
    return {{}, failure.fault()};
  }
}

}  // namespace drover::orchestrator::backup
