#include "orchestrator/backup/database_swap.h"

#include <optional>
#include <utility>

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
      : server_(server), means_(means), names_(names), before_sessions_end_(before_sessions_end) {}

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
  };

  World look() {
    return {server_.state_of(names_.live),
            server_.state_of(names_.fresh),
            server_.state_of(names_.old)};
  }

  /// The table of the header; false: done.
  bool take_next_step() {
    const World world = look();
    if (world.live && world.fresh && world.old) {
      refuse(fmt::format("database '{}' was made by somebody while its old one is called '{}'",
                         names_.live,
                         names_.old),
             fmt::format("Take it away, or rename it; then call again. The restored one is '{}'.",
                         names_.fresh));
    }
    if (world.live && world.fresh) {
      move_out(world);
      return true;
    }
    if (world.fresh) {
      rename(names_.fresh, names_.live);
      live_was_lost_ = !world.old;
      return true;
    }
    if (live_was_lost_) {
      return false;
    }
    if (!world.live || !world.old) {
      refuse(world.old ? fmt::format("there is no database '{}' and none to put in its place",
                                     names_.live)
                       : fmt::format("there is no database '{}' to put in the place of '{}'",
                                     names_.fresh,
                                     names_.live),
             world.old ? fmt::format("The old one is '{}'; rename it back.", names_.old)
                       : "Restore again.");
    }
    if (!world.live->allows_connections || !world.live->closed_for.empty()) {
      tell(means_, "swap: opening " + names_.live);
      server_.open(names_.live);
      return true;
    }
    return false;
  }

  void move_out(const World& world) {
    const std::string closed_for = "restore " + names_.mark;
    if (world.live->allows_connections) {
      tell(means_, "swap: closing " + names_.live);
      server_.close(names_.live, closed_for);
      return;
    }
    if (world.fresh->allows_connections) {
      tell(means_, "swap: closing " + names_.fresh);
      server_.close(names_.fresh, closed_for);
      return;
    }
    tell(means_, "swap: ending the sessions of " + names_.live);
    before_sessions_end_();
    server_.end_sessions(names_.live);
    rename(names_.live, names_.old);
  }

  void rename(const std::string& from, const std::string& to) {
    tell(means_, fmt::format("swap: renaming {} to {}", from, to));
    server_.end_sessions(from);
    server_.rename(from, to);
  }

  [[noreturn]] static void refuse(std::string message, std::string hint) {
    give_up("restore_refused", std::move(message), std::move(hint));
  }

  /// Puts back what was there, by the catalog again, and says how that went.
  [[noreturn]] void undo(const RestoreFailure& failure) {
    engine::TenantFault fault = failure.fault();
    try {
      server_.come_back();
      World world = look();
      if (!world.live && world.old) {
        server_.rename(names_.old, names_.live);
        world = look();
      }
      if (world.live && !world.live->closed_for.empty()) {
        server_.open(names_.live);
      }
      fault.hint += where_things_are(look());
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
    if (world.live && world.old && !world.fresh) {
      return fmt::format(
          " Database '{}' is the restored one; the old one is '{}'.", names_.live, names_.old);
    }
    std::string words = world.live
                            ? fmt::format(" Database '{}' is as it was{}.",
                                          names_.live,
                                          world.live->allows_connections ? "" : ", but closed")
                            : "";
    return world.fresh ? words + fmt::format(" The restored one is '{}'.", names_.fresh) : words;
  }

  ServerDesk& server_;
  const RestoreMeans& means_;
  const SwapNames& names_;
  const std::function<void()>& before_sessions_end_;
  bool live_was_lost_ = false;  ///< There was none to keep.
};

}  // namespace

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
