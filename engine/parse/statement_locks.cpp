#include "engine/parse/statement_locks.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "engine/parse/alter_table_locks.h"
#include "engine/parse/name_pattern.h"
#include "engine/parse/sql_tokens.h"
#include "engine/parse/statement_kind.h"

namespace drover::engine::parse {
namespace {

using Locks = std::vector<TableLock>;
using Mode = LockMode;
using Work = TableWork;
using Of = TableLock::Of;

struct LockRule {
  std::string_view pattern;  ///< As read_names() reads it; every TABLE in it is locked.
  Mode mode;
  Work work = Work::none;
  Of of = Of::table;
};

/// The first rule that fits decides. What is not here has a function of its own, or is not known.
constexpr LockRule kRules[] = {
    {"insert into TABLE", Mode::row_exclusive},
    {"update TABLE", Mode::row_exclusive},
    {"delete from TABLE", Mode::row_exclusive},
    {"merge into TABLE", Mode::row_exclusive},
    {"copy TABLE [()] from", Mode::row_exclusive},
    {"create [unique] index concurrently [if] [not] [exists] [OBJECT] on TABLE",
     Mode::share_update_exclusive,
     Work::scan},
    {"create [unique] index [if] [not] [exists] [OBJECT] on TABLE", Mode::share, Work::scan},
    {"drop index concurrently [if] [exists] TABLES",
     Mode::share_update_exclusive,
     Work::none,
     Of::table_of_index},
    {"drop index [if] [exists] TABLES", Mode::access_exclusive, Work::none, Of::table_of_index},
    {"drop [foreign] table [if] [exists] TABLES", Mode::access_exclusive},
    {"drop [materialized] view [if] [exists] TABLES", Mode::access_exclusive},
    {"truncate [table] TABLES", Mode::access_exclusive},
    {"cluster [verbose] OBJECT on TABLE", Mode::access_exclusive, Work::rewrite},
    {"cluster [verbose] [()] TABLE", Mode::access_exclusive, Work::rewrite},
    {"analyze [verbose] [()] TABLES", Mode::share_update_exclusive},
    {"analyse [verbose] [()] TABLES", Mode::share_update_exclusive},
    {"refresh materialized view concurrently TABLE", Mode::exclusive, Work::scan},
    {"refresh materialized view TABLE", Mode::access_exclusive, Work::rewrite},
    {"create [or] [replace] [constraint] trigger OBJECT ... on TABLE", Mode::share_row_exclusive},
    {"alter trigger OBJECT on TABLE rename", Mode::access_exclusive},
    {"drop trigger [if] [exists] OBJECT on TABLE", Mode::access_exclusive},
    {"create [or] [replace] rule OBJECT as on ? to TABLE", Mode::access_exclusive},
    {"alter rule OBJECT on TABLE", Mode::access_exclusive},
    {"drop rule [if] [exists] OBJECT on TABLE", Mode::access_exclusive},
    {"create policy OBJECT on TABLE", Mode::access_exclusive},
    {"alter policy OBJECT on TABLE", Mode::access_exclusive},
    {"drop policy [if] [exists] OBJECT on TABLE", Mode::access_exclusive},
    {"create or replace [temporary] [temp] [recursive] view TABLE", Mode::access_exclusive},
    {"alter view [if] [exists] TABLE", Mode::access_exclusive},
    {"create statistics ... from TABLE", Mode::share_update_exclusive},
    {"comment on table TABLE", Mode::share_update_exclusive},
    {"comment on view TABLE", Mode::share_update_exclusive},
    {"comment on materialized view TABLE", Mode::share_update_exclusive},
    {"comment on foreign table TABLE", Mode::share_update_exclusive},
};

constexpr std::string_view kNewTable =
    "create [global] [local] [temporary] [temp] [unlogged] [foreign] table";

/// What makes a table or a view, up to its name.
constexpr std::array<std::string_view, 3> kMakers = {
    kNewTable, "create [temporary] [temp] [recursive] view", "create materialized view"};

std::string pattern_of(std::string_view begin, std::string_view end) {
  return std::string(begin) + " " + std::string(end);
}

void add_locks(Locks& locks, const Locks& others) {
  for (const TableLock& lock : others) {
    add_lock(locks, lock);
  }
}

Locks locks_by_rules(std::string_view statement) {
  Locks locks;
  for (const LockRule& rule : kRules) {
    if (const auto names = read_names(statement, rule.pattern)) {
      for (const std::string_view table : names->tables) {
        add_lock(locks, {rule.mode, plain_name(table), rule.work, rule.of});
      }
      return locks;
    }
  }
  return locks;
}

/// CREATE TABLE: foreign keys, parents, and the table that it becomes a partition of.
Locks locks_of_new_table(std::string_view statement) {
  Locks locks;
  const auto table = read_names(statement, pattern_of(kNewTable, "[if] [not] [exists] OBJECT"));
  if (!table) {
    return locks;
  }
  if (const auto parent = read_names(table->rest, "partition of TABLE")) {
    add_lock(locks, {Mode::access_exclusive, plain_name(parent->tables.front())});
  }
  if (const auto group = read_names(table->rest, "... inherits"); group && !group->rest.empty()) {
    if (const auto parents = read_names(group->rest.substr(1), "TABLES")) {
      for (const std::string_view parent : parents->tables) {
        add_lock(locks, {Mode::share_update_exclusive, plain_name(parent)});
      }
    }
  }
  for (const std::string_view referenced : referenced_tables(table->rest)) {
    if (plain_name(referenced) != plain_name(table->object)) {
      add_lock(locks, {Mode::share_row_exclusive, plain_name(referenced)});
    }
  }
  return locks;
}

/// ALTER TABLE and what has the same actions.
std::optional<Locks> locks_of_alter(std::string_view statement) {
  if (const auto table = read_names(statement, "alter table [if] [exists] TABLE")) {
    return alter_table_locks(table->tables.front(), table->rest);
  }
  if (const auto view = read_names(statement, "alter materialized view [if] [exists] TABLE")) {
    return alter_table_locks(view->tables.front(), view->rest);
  }
  if (const auto table = read_names(statement, "alter foreign table [if] [exists] TABLE")) {
    Locks locks = alter_table_locks(table->tables.front(), table->rest);
    for (TableLock& lock : locks) {
      lock.work = Work::none;  // Its rows are elsewhere.
    }
    return locks;
  }
  return std::nullopt;
}

/// REINDEX INDEX and TABLE; the other forms name no table.
std::optional<Locks> locks_of_reindex(std::string_view statement) {
  const StatementKind kind = kind_of(statement, Dialect::postgres);
  const bool concurrently = kind == StatementKind::reindex_concurrently;
  if (!concurrently && kind != StatementKind::reindex) {
    return std::nullopt;
  }
  const auto index = read_names(statement, "reindex [()] index [concurrently] TABLE");
  const auto table = read_names(statement, "reindex [()] table [concurrently] TABLE");
  if (!index && !table) {
    return Locks();
  }
  const std::string name = plain_name((index ? index : table)->tables.front());
  const Of of_table = index ? Of::table_of_index : Of::table;
  if (concurrently) {
    return Locks{{Mode::share_update_exclusive, name, Work::scan, of_table}};
  }
  const Of of_index = index ? Of::index : Of::indexes_of_table;
  return Locks{{Mode::share, name, Work::scan, of_table},
               {Mode::access_exclusive, name, Work::none, of_index}};
}

/// VACUUM FULL files, VACUUM (FULL, ANALYZE) files
std::optional<Locks> locks_of_vacuum(std::string_view statement) {
  if (!fits(statement, Dialect::postgres, "vacuum")) {
    return std::nullopt;
  }
  const bool full =
      fits(statement, Dialect::postgres, "vacuum full") || has_option(statement, "full");
  Locks locks;
  if (const auto names =
          read_names(statement, "vacuum [()] [full] [freeze] [verbose] [analyze] TABLES")) {
    for (const std::string_view table : names->tables) {
      add_lock(locks,
               {full ? Mode::access_exclusive : Mode::share_update_exclusive,
                plain_name(table),
                full ? Work::rewrite : Work::none});
    }
  }
  return locks;
}

/// LOCK TABLE files, folders IN SHARE ROW EXCLUSIVE MODE
std::optional<Locks> locks_of_lock(std::string_view statement) {
  const auto names = read_names(statement, "lock [table] TABLES");
  if (!names) {
    return std::nullopt;
  }
  std::string words;
  TokenReader tokens(names->rest, Dialect::postgres);
  bool in_mode = false;
  for (auto token = tokens.next_code(); token && !token->is_word("mode");
       token = tokens.next_code()) {
    words += in_mode ? (words.empty() ? "" : " ") + std::string(token->text) : "";
    in_mode = in_mode || token->is_word("in");
  }
  const auto mode = in_mode ? lock_mode_named(words) : Mode::access_exclusive;
  Locks locks;
  for (const std::string_view table : names->tables) {
    if (mode) {
      add_lock(locks, {*mode, plain_name(table)});
    }
  }
  return locks;
}

/// COMMENT ON COLUMN app.files.name
std::optional<Locks> locks_of_column_comment(std::string_view statement) {
  const auto column = read_names(statement, "comment on column OBJECT");
  if (!column) {
    return std::nullopt;
  }
  std::size_t dot = std::string_view::npos;
  TokenReader tokens(column->object, Dialect::postgres);
  while (const auto token = tokens.next_code()) {
    dot = token->is('.') ? static_cast<std::size_t>(token->begin() - column->object.data()) : dot;
  }
  const std::string_view table = column->object.substr(0, dot);
  return Locks{{Mode::share_update_exclusive, plain_name(table)}};
}

/// Whether a statement that writes begins here. An UPDATE is followed by a name and SET, so that no
/// column of that name is taken for it.
bool begins_write(std::string_view text) {
  return fits(text, Dialect::postgres, "insert into") ||
         fits(text, Dialect::postgres, "delete from") ||
         fits(text, Dialect::postgres, "merge into") ||
         read_names(text, "update TABLE ... set").has_value();
}

/// WITH: what it leads to and its common tables may write. Each of them stands behind a
/// parenthesis.
std::optional<Locks> locks_of_with(std::string_view statement) {
  if (!fits(statement, Dialect::postgres, "with")) {
    return std::nullopt;
  }
  Locks locks;
  bool after_parenthesis = false;
  TokenReader tokens(statement, Dialect::postgres);
  while (const auto token = tokens.next_code()) {
    const std::string_view rest =
        statement.substr(static_cast<std::size_t>(token->begin() - statement.data()));
    if (after_parenthesis && token->kind == Token::Kind::word && begins_write(rest)) {
      add_locks(locks, locks_by_rules(rest));
    }
    after_parenthesis = token->is('(') || token->is(')');
  }
  return locks;
}

/// The names that a revision has made so far.
class OwnTables {
 public:
  bool has(const TableLock& lock) const {
    return lock.of != Of::index && lock.of != Of::table_of_index && names_.contains(lock.name);
  }

  void note(std::string_view statement);

 private:
  void note_rename(std::string_view statement);

  std::set<std::string> names_;
};

void OwnTables::note(std::string_view statement) {
  for (const std::string_view maker : kMakers) {
    const bool perhaps = read_names(statement, pattern_of(maker, "if not exists")).has_value();
    const auto made = read_names(statement, pattern_of(maker, "OBJECT"));
    if (made && !perhaps) {
      names_.insert(plain_name(made->object));
    }
  }
  note_rename(statement);
}

/// A table that was made beside an old one, and then takes its name.
void OwnTables::note_rename(std::string_view statement) {
  const auto renamed = read_names(statement, "alter table [if] [exists] TABLE rename to OBJECT");
  if (!renamed || names_.erase(plain_name(renamed->tables.front())) == 0) {
    return;
  }
  const std::string_view old_name = renamed->tables.front();
  const std::size_t dot = old_name.rfind('.');
  const std::string_view schema =
      dot == std::string_view::npos ? std::string_view() : old_name.substr(0, dot + 1);
  names_.insert(plain_name(std::string(schema) + std::string(renamed->object)));
}

/// The locks of `statement` that are not of the revision's own tables, to which it may add.
Locks locks_on_others(std::string_view statement, OwnTables& own) {
  Locks locks = locks_of(statement);
  std::erase_if(locks, [&](const TableLock& lock) { return own.has(lock); });
  own.note(statement);
  return locks;
}

/// What a transaction adds to those before it.
void merge(Locks& all, const Locks& transaction) {
  for (const TableLock& lock : transaction) {
    const auto known = std::find_if(all.begin(), all.end(), [&](const TableLock& each) {
      return each.name == lock.name && each.of == lock.of;
    });
    if (known == all.end()) {
      all.push_back(lock);
    } else if (known->mode < lock.mode) {
      *known = lock;
    } else if (known->mode == lock.mode) {
      known->work = std::max(known->work, lock.work);
    }
  }
}

/// Adds what `unit` locks: one transaction, or each of its statements one of its own.
void add_unit(Locks& all, OwnTables& own, const Unit& unit) {
  Locks transaction;
  for (const Section* const section : unit.sections) {
    for (const SqlStatement& statement : section->statements) {
      add_locks(transaction, locks_on_others(statement.text, own));
      if (unit.kind != Unit::Kind::transaction) {
        merge(all, std::exchange(transaction, {}));
      }
    }
  }
  merge(all, transaction);
}

}  // namespace

std::vector<TableLock> locks_of(std::string_view statement) {
  for (const auto look : {locks_of_alter,
                          locks_of_reindex,
                          locks_of_vacuum,
                          locks_of_lock,
                          locks_of_column_comment,
                          locks_of_with}) {
    if (auto locks = look(statement)) {
      return *std::move(locks);
    }
  }
  Locks locks = locks_of_new_table(statement);
  return locks.empty() ? locks_by_rules(statement) : locks;
}

std::vector<TableLock> locks_of(const std::vector<Unit>& units) {
  Locks all;
  OwnTables own;
  for (const Unit& unit : units) {
    add_unit(all, own, unit);
  }
  std::stable_sort(all.begin(), all.end(), [](const TableLock& left, const TableLock& right) {
    return left.mode > right.mode;
  });
  return all;
}

}  // namespace drover::engine::parse
