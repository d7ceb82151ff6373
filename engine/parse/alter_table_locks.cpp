#include "engine/parse/alter_table_locks.h"

#include <algorithm>
#include <utility>

#include "engine/parse/name_pattern.h"
#include "engine/parse/new_column.h"
#include "engine/parse/sql_tokens.h"
#include "engine/parse/statement_kind.h"

namespace drover::engine::parse {
namespace {

using Mode = LockMode;
using Work = TableWork;

struct FormRule {
  std::string_view pattern;  ///< As fits() reads it.
  Mode mode;
  Work work = Work::none;
};

/// The forms of one action, but for ADD. The first rule that fits decides.
constexpr FormRule kForms[] = {
    {"alter [column] ? set statistics", Mode::share_update_exclusive},
    {"alter [column] ? set ()", Mode::share_update_exclusive},
    {"alter [column] ? reset ()", Mode::share_update_exclusive},
    {"alter constraint", Mode::access_exclusive},
    {"alter [column] ? set not null", Mode::access_exclusive, Work::possible_scan},
    {"alter [column] ? set data type", Mode::access_exclusive, Work::possible_rewrite},
    {"alter [column] ? type", Mode::access_exclusive, Work::possible_rewrite},
    {"alter [column] ? set default", Mode::access_exclusive},
    {"alter [column] ? set storage", Mode::access_exclusive},
    {"alter [column] ? set compression", Mode::access_exclusive},
    {"alter [column] ? set generated", Mode::access_exclusive},
    {"alter [column] ? set increment", Mode::access_exclusive},
    {"alter [column] ? set minvalue", Mode::access_exclusive},
    {"alter [column] ? set maxvalue", Mode::access_exclusive},
    {"alter [column] ? set start", Mode::access_exclusive},
    {"alter [column] ? set cache", Mode::access_exclusive},
    {"alter [column] ? set cycle", Mode::access_exclusive},
    {"alter [column] ? set no", Mode::access_exclusive},
    {"alter [column] ? restart", Mode::access_exclusive},
    {"alter [column] ? add generated", Mode::access_exclusive},
    {"alter [column] ? drop", Mode::access_exclusive},
    {"alter [column] ? options ()", Mode::access_exclusive},
    {"drop", Mode::access_exclusive},
    {"rename", Mode::access_exclusive},
    {"validate constraint", Mode::share_update_exclusive, Work::scan},
    {"enable [replica] [always] trigger", Mode::share_row_exclusive},
    {"disable trigger", Mode::share_row_exclusive},
    {"enable [replica] [always] rule", Mode::access_exclusive},
    {"disable rule", Mode::access_exclusive},
    {"enable row level security", Mode::access_exclusive},
    {"disable row level security", Mode::access_exclusive},
    {"force row level security", Mode::access_exclusive},
    {"no force row level security", Mode::access_exclusive},
    {"cluster on", Mode::share_update_exclusive},
    {"set without cluster", Mode::share_update_exclusive},
    {"set without oids", Mode::access_exclusive},
    {"set logged", Mode::access_exclusive, Work::rewrite},
    {"set unlogged", Mode::access_exclusive, Work::rewrite},
    {"set tablespace", Mode::access_exclusive, Work::rewrite},
    {"set access method", Mode::access_exclusive, Work::rewrite},
    {"set schema", Mode::access_exclusive},
    {"owner to", Mode::access_exclusive},
    {"replica identity", Mode::access_exclusive},
    {"inherit", Mode::access_exclusive},
    {"no inherit", Mode::access_exclusive},
    {"of", Mode::access_exclusive},
    {"not of", Mode::access_exclusive},
    {"options ()", Mode::access_exclusive},
    {"attach partition", Mode::share_update_exclusive},
    {"detach partition ... concurrently", Mode::share_update_exclusive},
    {"detach partition ... finalize", Mode::share_update_exclusive},
    {"detach partition", Mode::access_exclusive},
};

/// What stands behind ADD, or ADD CONSTRAINT and a name.
constexpr FormRule kConstraints[] = {
    {"check ... not valid", Mode::access_exclusive},
    {"check ()", Mode::access_exclusive, Work::scan},
    {"foreign key ... not valid", Mode::share_row_exclusive},
    {"foreign key", Mode::share_row_exclusive, Work::scan},
    {"primary key using index", Mode::access_exclusive, Work::possible_scan},
    {"primary key", Mode::access_exclusive, Work::scan},
    {"unique using index", Mode::access_exclusive},
    {"unique", Mode::access_exclusive, Work::scan},
    {"exclude using", Mode::access_exclusive, Work::scan},
    {"exclude ()", Mode::access_exclusive, Work::scan},
    {"not null ... not valid", Mode::access_exclusive},
    {"not null", Mode::access_exclusive, Work::scan},
};

/// The tables that an action names beside its own.
struct OtherRule {
  std::string_view pattern;  ///< As read_names() reads it.
  Mode mode;
  Work work = Work::none;
};

constexpr OtherRule kOthers[] = {
    {"attach partition TABLE", Mode::access_exclusive, Work::possible_scan},
    {"detach partition TABLE", Mode::access_exclusive},
    {"inherit TABLE", Mode::share_update_exclusive},
};

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

/// The parts of `actions` between commas that stand in no parentheses.
std::vector<std::string_view> split_actions(std::string_view actions) {
  std::vector<std::string_view> parts;
  const char* begin = actions.data();
  Nesting nesting;
  TokenReader tokens(actions, Dialect::postgres);
  while (const auto token = tokens.next_code()) {
    nesting.follow(*token);
    if (nesting.is_outside() && token->is(',')) {
      parts.push_back(between(begin, token->begin()));
      begin = token->end();
    }
  }
  parts.push_back(between(begin, actions.data() + actions.size()));
  return parts;
}

template <std::size_t size>
const FormRule* rule_for(const FormRule (&rules)[size], std::string_view text) {
  const auto* const found = std::find_if(std::begin(rules), std::end(rules), [&](const auto& rule) {
    return fits(text, Dialect::postgres, rule.pattern);
  });
  return found == std::end(rules) ? nullptr : found;
}

bool holds(std::string_view definition, std::string_view pattern) {
  return fits(definition, Dialect::postgres, pattern);
}

/// SET and RESET of storage parameters.
Mode mode_of_parameters(std::string_view action) {
  TokenReader tokens(action, Dialect::postgres);
  while (const auto token = tokens.next_code()) {
    if (token->is_word("user_catalog_table")) {
      return Mode::access_exclusive;
    }
  }
  return Mode::share_update_exclusive;
}

/// The locks of one table's ALTER TABLE, action by action.
class Actions {
 public:
  explicit Actions(std::string_view table) : table_(plain_name(table)) {}

  void take(std::string_view action);
  std::vector<TableLock> locks;

 private:
  void take_addition(std::string_view action);
  void lock(Mode mode, Work work) { add_lock(locks, {mode, table_, work}); }
  void lock_referenced(std::string_view text, Work checking);

  std::string table_;
};

/// Where rows are checked, their keys are looked for in the referenced table, one way or another.
void Actions::lock_referenced(std::string_view text, Work checking) {
  const Work looking = checking == Work::none ? Work::none : Work::possible_scan;
  for (const std::string_view name : referenced_tables(text)) {
    add_lock(locks, {Mode::share_row_exclusive, plain_name(name), looking});
  }
}

void Actions::take_addition(std::string_view action) {
  const auto named = read_names(action, "add constraint OBJECT");
  const std::string_view added = named ? named->rest : read_names(action, "add")->rest;
  if (const FormRule* const rule = rule_for(kConstraints, added)) {
    lock(rule->mode, rule->work);
    lock_referenced(added, rule->work);
    return;
  }
  const auto column = read_names(added, "[column] [if] [not] [exists] OBJECT");
  if (column && !holds(action, "add constraint")) {
    const Work work = work_of_new_column(column->rest);
    lock(Mode::access_exclusive, work);
    lock_referenced(column->rest, holds(column->rest, "? ... default") ? work : Work::none);
  }
}

void Actions::take(std::string_view action) {
  if (holds(action, "add")) {
    take_addition(action);
    return;
  }
  if (holds(action, "set ()") || holds(action, "reset ()")) {
    lock(mode_of_parameters(action), Work::none);
    return;
  }
  if (const FormRule* const rule = rule_for(kForms, action)) {
    lock(rule->mode, rule->work);
  }
  for (const OtherRule& rule : kOthers) {
    if (const auto names = read_names(action, rule.pattern)) {
      add_lock(locks, {rule.mode, plain_name(names->tables.front()), rule.work});
    }
  }
}

}  // namespace

std::vector<TableLock> alter_table_locks(std::string_view table, std::string_view actions) {
  Actions read(table);
  for (const std::string_view action : split_actions(actions)) {
    read.take(action);
  }
  return std::move(read.locks);
}

std::vector<std::string_view> referenced_tables(std::string_view text) {
  std::vector<std::string_view> found;
  bool after_dot = false;
  TokenReader tokens(text, Dialect::postgres);
  while (const auto token = tokens.next_code()) {
    if (token->is_word("references") && !after_dot) {
      const auto names =
          read_names(between(token->begin(), text.data() + text.size()), "references TABLE");
      if (names) {
        found.push_back(names->tables.front());
      }
    }
    after_dot = token->is('.');
  }
  return found;
}

void add_lock(std::vector<TableLock>& locks, TableLock lock) {
  for (TableLock& known : locks) {
    if (known.name == lock.name && known.of == lock.of) {
      known.mode = std::max(known.mode, lock.mode);
      known.work = std::max(known.work, lock.work);
      return;
    }
  }
  locks.push_back(std::move(lock));
}

}  // namespace drover::engine::parse
