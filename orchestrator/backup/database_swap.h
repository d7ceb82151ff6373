/// Puts one database in the place of another by renaming, so that no moment is without a whole
/// copy.
///
/// Every step is chosen by what the catalog says now, never by what was done before: a second call,
/// of this process or another, goes on wherever the first was cut short. "Live" is the tenant's
/// name, "fresh" the proven new database, "old" what the live one is called afterwards; closed is
/// without new sessions. Both renames and the opening are one transaction, so a crash finds all of
/// them done or none; states that only people's hands make are in the table as well.
///
///     live     fresh    old     next step
///     open     there    -       close live
///     closed   open     -       close fresh
///     closed   closed   -       end the sessions of both; live to old, fresh to live, open live
///     -        there    -       the live database is lost: fresh to live, open live
///     -        there    there   the same
///     closed   -        there   open live
///     open     -        there   done; old stays closed
///     there    there    there   refused: somebody made a database of the live name
///     there    -        -       refused: there is no fresh database
///     -        -        any     refused: nothing to put in its place; old is named
///
/// Fresh and old have to bear the mark of this restore (marked_comment.h), or they are refused. A
/// step that fails undoes what came before it (opens live); what could not be undone is said by
/// name. The live data is always in live or in old: nothing here drops.
///
/// Thread safety: one thread at a time. Errors: RestoreFailure (desk.h), kinds restore_refused,
/// sessions_remain, restore_failed and those of engine/fault.h.

#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "orchestrator/backup/server_desk.h"

namespace drover::orchestrator::backup {

struct SwapNames {
  std::string live;
  std::string fresh;
  std::string old;
  std::string mark;
};

/// What databases and schemas of a restore are marked with: "restore 4f2a9c".
std::string restore_purpose(std::string_view mark);

/// What stands in the way of closing and renaming `database` whatever our rights: replication slots
/// and prepared transactions on it, subscriptions of it, publications in it (asked for in
/// `inside`), sessions that we may not end. Throws RestoreFailure restore_refused.
void check_can_be_swapped(ServerDesk& server,
                          Desk& inside,
                          std::string_view database,
                          const engine::Patience& patience);

/// The same for a copy while nobody is connected: prepared transactions and subscriptions.
void check_can_be_copied(Desk& inside, std::string_view database, const engine::Patience& patience);

/// Swaps. `before_sessions_end` is called when live is closed and before its sessions are ended:
/// for a session of ours that has to go then.
void swap_databases(ServerDesk& server,
                    const RestoreMeans& means,
                    const SwapNames& names,
                    const std::function<void()>& before_sessions_end);

}  // namespace drover::orchestrator::backup
