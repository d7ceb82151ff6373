#include "orchestrator/backup/schema_restore.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/sql_value.h"
#include "engine/tenant_lock.h"
#include "orchestrator/backup/content_check.h"
#include "orchestrator/backup/database_swap.h"
#include "orchestrator/backup/marked_comment.h"
#include "orchestrator/backup/schema_references.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

/// Renames a schema and says there what its comment is then.
std::vector<engine::OwnedStatement> move_statements(std::string_view from,
                                                    std::string_view to,
                                                    const MarkedComment& comment) {
  return {
      {fmt::format("ALTER SCHEMA {} RENAME TO {}", quoted_identifier(from), quoted_identifier(to))},
      {fmt::format("COMMENT ON SCHEMA {} IS {}", quoted_identifier(to), sql_of(comment))}};
}

void append(std::vector<engine::OwnedStatement>& statements,
            std::vector<engine::OwnedStatement> more) {
  std::move(more.begin(), more.end(), std::back_inserter(statements));
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
        purpose_(restore_purpose(request.mark)),
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
    if (world.live && world.before && !is_strange(world.before) && !world.away && !world.check) {
      return;
    }
    refuse_strangers(world);
    lost_ = !world.live && !world.away;
    if (world.live && !world.away) {
      check_live();
      move_away(*world.live);
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
  /// Comments of those that there are.
  struct World {
    std::optional<MarkedComment> live;
    std::optional<MarkedComment> away;
    std::optional<MarkedComment> check;
    std::optional<MarkedComment> before;
  };

  World look() {
    // $1 names
    const engine::ResultSet answer =
        desk_.ask({"SELECT nspname, pg_catalog.obj_description(oid, 'pg_namespace') "
                   "FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::text[])",
                   {engine::text_array_of({live_, away_, check_, before_})}},
                  "looking at schemas",
                  patience());
    World world;
    const std::map<std::string, std::optional<MarkedComment>*> places = {{live_, &world.live},
                                                                         {away_, &world.away},
                                                                         {check_, &world.check},
                                                                         {before_, &world.before}};
    for (const auto& row : answer.rows) {
      *places.at(engine::text_of(row.at(0))) = marked_comment_of(engine::text_of(row.at(1)));
    }
    return world;
  }

  bool is_strange(const std::optional<MarkedComment>& schema) const {
    return schema && schema->purpose != purpose_;
  }

  /// Combinations that no call of ours leaves behind, and schemas without our mark.
  void refuse_strangers(const World& world) {
    bool stranger = is_strange(world.away) || is_strange(world.check) || world.before ||
                    (world.live && world.check);
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
  void move_away(const MarkedComment& live) {
    tell(means_, fmt::format("renaming {} to {}", live_, away_));
    std::vector<engine::OwnedStatement> statements = locks();
    append(statements, move_statements(live_, away_, {purpose_, live.comment}));
    insist(in_transaction(std::move(statements)),
           fmt::format("renaming schema '{}' to '{}'", live_, away_));
  }

  std::vector<engine::OwnedStatement> locks() {
    std::vector<engine::OwnedStatement> statements;
    for (const std::string& table : tables_of(live_, "{r,p}")) {
      statements.push_back({fmt::format("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", table)});
    }
    return statements;
  }

  /// Quoted, of these kinds, the oldest first.
  std::vector<std::string> tables_of(const std::string& schema, const std::string& kinds) {
    // $1 schema, $2 kinds
    const engine::ResultSet tables =
        desk_.ask({R"(SELECT c.relname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind = ANY ($2::"char"[]) ORDER BY c.oid)",
                   {schema, kinds}},
                  fmt::format("listing the tables of schema '{}'", schema),
                  patience_);
    std::vector<std::string> names;
    for (const auto& row : tables.rows) {
      names.push_back(quoted_identifier(schema) + "." +
                      quoted_identifier(engine::text_of(row.at(0))));
    }
    return names;
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
    fill_from(request_.source, request_.tenant.target, patience_);
    if (!look().live) {
      give_up(
          "restore_failed",
          fmt::format("restoring backup '{}' made no schema '{}'", request_.backup.id.value, live_),
          "Verify the backup.");
    }
  }

  void set_aside() {
    tell(means_, fmt::format("renaming {} to {}", live_, check_));
    const std::string comment = look().live.value_or(MarkedComment()).comment;
    insist(in_transaction(move_statements(live_, check_, {purpose_, comment})),
           fmt::format("renaming schema '{}' to '{}'", live_, check_));
  }

  void prove() {
    tell(means_, fmt::format("checking {} tables", request_.backup.tables.size()));
    engine::Target target = request_.tenant.target;
    target.schema = check_;
    check_content(request_, means_, target, Extent::schema, patience_);
    analyze();
  }

  /// An archive leaves the planner without statistics.
  void analyze() {
    const std::vector<std::string> tables = tables_of(check_, "{r,m}");
    if (!tables.empty()) {
      desk_.ask({fmt::format("ANALYZE {}", fmt::join(tables, ", "))},
                fmt::format("analyzing schema '{}'", check_),
                patience_);
    }
  }

  void put_in_place() {
    tell(means_, fmt::format("renaming {} to {}", check_, live_));
    placing_ = true;
    brief_ = true;
    const World world = look();
    std::vector<engine::OwnedStatement> statements =
        move_statements(check_, live_, {"", world.check.value_or(MarkedComment()).comment});
    if (world.away) {
      append(statements, move_statements(away_, before_, *world.away));
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
        append(statements, move_statements(away_, live_, {"", world.away->comment}));
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
  const std::string purpose_;
  const std::string away_;
  const std::string check_;
  const std::string before_;
  Desk desk_;
  bool lost_ = false;     ///< There was no live schema.
  bool placing_ = false;  ///< What was restored is proven.
  bool brief_ = false;
};

/// Of schemas that begin with `prefix` and that a restore has marked.
void collect_marks(Desk& desk,
                   const std::string& prefix,
                   std::set<std::string>& marks,
                   const engine::Patience& patience) {
  // $1 prefix
  const engine::ResultSet answer =
      desk.ask({"SELECT nspname, pg_catalog.obj_description(oid, 'pg_namespace') "
                "FROM pg_catalog.pg_namespace "
                "WHERE pg_catalog.starts_with(nspname::text, $1)",
                {prefix}},
               "looking at schemas",
               patience);
  for (const auto& row : answer.rows) {
    std::string mark = engine::text_of(row.at(0)).substr(prefix.size());
    const MarkedComment comment = marked_comment_of(engine::text_of(row.at(1)));
    if (comment.purpose == restore_purpose(mark)) {
      marks.insert(std::move(mark));
    }
  }
}

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
      collect_marks(desk, name_prefix(tenant.target.schema, infix), marks, patience);
    }
    return {{marks.begin(), marks.end()}, std::nullopt};
  } catch (const RestoreFailure& failure) {
    return {{}, failure.fault()};
  }
}

}  // namespace drover::orchestrator::backup
