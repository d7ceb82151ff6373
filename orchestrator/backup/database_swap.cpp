#include "orchestrator/backup/database_swap.h"

#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::orchestrator::backup {
namespace {

/// What binds a database by more than its name, as seen from anywhere in the server. $1 database
constexpr std::string_view kBonds = R"(SELECT 'replication slot', slot_name::text
  FROM pg_catalog.pg_replication_slots WHERE database = $1
UNION ALL
SELECT 'prepared transaction', gid FROM pg_catalog.pg_prepared_xacts WHERE database = $1
UNION ALL
SELECT 'subscription', s.subname::text
  FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
 WHERE d.datname = $1
 ORDER BY 1, 2)";

/// ... and from inside.
constexpr std::string_view kPublications =
    "SELECT 'publication', pubname FROM pg_catalog.pg_publication ORDER BY pubname";

void refuse_bonds(const engine::ResultSet& bonds, std::string_view database) {
  if (bonds.rows.empty()) {
    return;
  }
  std::string words;
  for (const auto& row : bonds.rows) {
    words +=
        fmt::format("{}{} '{}'", words.empty() ? "" : ", ", *row.at(0), engine::text_of(row.at(1)));
  }
  give_up("restore_refused",
          fmt::format("database '{}' cannot be moved or copied while it has {}", database, words),
          "Drop what is named, or let it come to its end, and try again.");
}

class Swap {
 public:
  Swap(ServerDesk& server,
       const RestoreMeans& means,
       const SwapNames& names,
       const std::function<void()>& before_sessions_end)
      : server_(server),
        means_(means),
        names_(names),
        before_sessions_end_(before_sessions_end),
        purpose_(restore_purpose(names.mark)) {}

  void run() {
    server_.finish_what_is_begun();
    try {
      constexpr int kMostSteps = 10;  // the table has seven
      for (int i = 0; i < kMostSteps && take_next_step(); ++i) {
      }
    } catch (const RestoreFailure& failure) {
      undo(failure);
    }
  }

 private:
  struct World {
    std::optional<DatabaseState> live;
    std::optional<DatabaseState> fresh;
    std::optional<DatabaseState> old;

    bool swapped() const { return live && old && !fresh; }
  };

  World look() {
    return {server_.state_of(names_.live),
            server_.state_of(names_.fresh),
            server_.state_of(names_.old)};
  }

  /// The table of the header; false: done.
  bool take_next_step() {
    const World world = look();
    check_ours(world.fresh, names_.fresh, purpose_);
    check_ours(world.old, names_.old, purpose_);
    if (world.live && world.fresh && !world.old) {
      move(world);
      return true;
    }
    if (world.fresh && !world.live) {
      exchange({rename_statement(names_.fresh, names_.live)}, *world.fresh);
      live_was_lost_ = !world.old;
      return true;
    }
    if (!world.swapped() && !live_was_lost_) {
      refuse(world);
    }
    if (!world.live->allows_connections) {
      tell(means_, "swap: opening " + names_.live);
      server_.open(names_.live);
    }
    return false;
  }

  void move(const World& world) {
    if (world.live->allows_connections) {
      tell(means_, "swap: closing " + names_.live);
      server_.close(names_.live, purpose_);
    } else if (world.fresh->allows_connections) {
      tell(means_, "swap: closing " + names_.fresh);
      server_.close(names_.fresh, purpose_);
    } else {
      tell(means_, "swap: ending the sessions of " + names_.live);
      before_sessions_end_();
      server_.end_sessions(names_.live);
      exchange(
          {rename_statement(names_.live, names_.old), rename_statement(names_.fresh, names_.live)},
          *world.fresh);
    }
  }

  /// The renames, and live open under its own comment.
  void exchange(std::vector<std::string> statements, const DatabaseState& fresh) {
    tell(means_, fmt::format("swap: renaming {} to {}", names_.fresh, names_.live));
    server_.end_sessions(names_.fresh);
    for (std::string& sql : opening_statements(names_.live, fresh.comment.comment)) {
      statements.push_back(std::move(sql));
    }
    server_.run_together(statements,
                         fmt::format("renaming database '{}' to '{}'", names_.fresh, names_.live));
  }

  [[noreturn]] void refuse(const World& world) const {
    if (world.live && world.fresh) {
      give_up("restore_refused",
              fmt::format("database '{}' was made by somebody while its old one is called '{}'",
                          names_.live,
                          names_.old),
              "Take it away, or rename it; then call again.");
    }
    if (world.live) {
      give_up(
          "restore_refused",
          fmt::format(
              "there is no database '{}' to put in the place of '{}'", names_.fresh, names_.live),
          "Restore again.");
    }
    give_up("restore_refused",
            fmt::format("there is no database '{}' and none to put in its place", names_.live),
            world.old ? fmt::format("The old one is '{}'; rename it back.", names_.old)
                      : std::string("Restore again."));
  }

  /// Opens live again, by the catalog, and throws with a word on where things are; but for a swap
  /// that is done, of which only the answer was lost.
  void undo(const RestoreFailure& failure) {
    engine::TenantFault fault = failure.fault();
    try {
      server_.come_back();
      World world = look();
      if (world.live && world.live->comment.purpose == purpose_) {
        server_.open(names_.live);
        world = look();
      }
      if (world.swapped() && world.old->comment.purpose == purpose_) {
        return;
      }
      fault.hint += where_things_are(world);
    } catch (const RestoreFailure& second) {
      fault.hint += fmt::format(
          " Putting it back failed as well ({}); call again with mark {}, or look for databases "
          "'{}', '{}' and '{}'.",
          second.fault().message,
          names_.mark,
          names_.live,
          names_.old,
          names_.fresh);
    }
    throw RestoreFailure(std::move(fault));
  }

  std::string where_things_are(const World& world) const {
    std::string words = world.live ? fmt::format(" Database '{}' is as it was.", names_.live) : "";
    return world.fresh ? words + fmt::format(" The restored one is '{}'.", names_.fresh) : words;
  }

  ServerDesk& server_;
  const RestoreMeans& means_;
  const SwapNames& names_;
  const std::function<void()>& before_sessions_end_;
  const std::string purpose_;
  bool live_was_lost_ = false;  ///< There was none to keep.
};

}  // namespace

std::string restore_purpose(std::string_view mark) {
  return fmt::format("restore {}", mark);
}

void check_can_be_copied(Desk& inside,
                         std::string_view database,
                         const engine::Patience& patience) {
  engine::ResultSet bonds =
      inside.ask({std::string(kBonds), {std::string(database)}},
                 fmt::format("looking for what holds database '{}'", database),
                 patience);
  std::erase_if(bonds.rows, [](const auto& row) { return row.at(0) == "replication slot"; });
  refuse_bonds(bonds, database);
}

void check_can_be_swapped(ServerDesk& server,
                          Desk& inside,
                          std::string_view database,
                          const engine::Patience& patience) {
  const std::string doing = fmt::format("looking for what holds database '{}'", database);
  refuse_bonds(inside.ask({std::string(kBonds), {std::string(database)}}, doing, patience),
               database);
  refuse_bonds(inside.ask({std::string(kPublications)}, doing, patience), database);
  server.check_sessions_can_end(database);
}

void swap_databases(ServerDesk& server,
                    const RestoreMeans& means,
                    const SwapNames& names,
                    const std::function<void()>& before_sessions_end) {
  Swap(server, means, names, before_sessions_end).run();
}

}  // namespace drover::orchestrator::backup
