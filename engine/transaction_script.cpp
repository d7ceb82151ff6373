#include "engine/transaction_script.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/session_hygiene.h"
#include "engine/statement_recovery.h"

namespace drover::engine {
namespace {

using Expect = Line::Expect;
using Role = Line::Role;

/// Whether the unit's work is a transaction with foreign keys off, and a check instead (SQLite).
bool checks_foreign_keys(const Migration* migration) {
  const std::string* setting =
      migration == nullptr ? nullptr : setting_of(*migration, "foreign_keys");
  return setting == nullptr || *setting != "on";
}

/// A duration as a header has it, "90s"; the loader has seen that it is one.
Milliseconds duration_of(std::string_view text) {
  struct UnitName {
    std::string_view name;
    std::int64_t milliseconds;
  };
  constexpr UnitName kUnits[] = {
      {"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view rest = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
  const auto* const unit =
      std::find_if(std::begin(kUnits), std::end(kUnits), [&](const UnitName& candidate) {
        return candidate.name == rest;
      });
  return Milliseconds(unit == std::end(kUnits) ? number : number * unit->milliseconds);
}

/// Whether SQL of `migration` may leave a prepared statement behind, or take one away.
bool touches_prepared(const Migration& migration) {
  constexpr std::string_view kWords[] = {"prepare", "deallocate"};
  const std::string& text = *migration.text;
  return std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view word) {
    return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
             return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
           }) != text.end();
  });
}

}  // namespace

std::vector<OwnedStatement> header_settings(const Migration& migration, SetFor scope) {
  std::vector<OwnedStatement> statements;
  for (const HeaderSetting& setting : migration.settings) {
    if (setting.name == "foreign_keys") {
      continue;
    }
    // role and search_path are names and go as they are written; they were checked when read
    const bool verbatim = setting.name == "search_path" || setting.name == "role";
    statements.push_back(
        {fmt::format("SET {}{} = {}",
                     scope == SetFor::transaction ? "LOCAL " : "",
                     setting.name,
                     verbatim ? setting.value : quoted_literal(Dialect::postgres, setting.value))});
  }
  return statements;
}

std::optional<Milliseconds> timeout_of(const SqlStatement& statement,
                                       const Migration& migration,
                                       Milliseconds usual) {
  const std::string* wanted = setting_of(migration, "statement_timeout");
  const Milliseconds timeout = wanted == nullptr ? usual : duration_of(*wanted);
  const bool none = timeout == Milliseconds::zero() || runs_without_timeouts(statement.kind);
  return none ? std::nullopt : std::optional(timeout);
}

std::string checksum_of(const Unit& unit) {
  base::Sha256 hash;
  for (const Section* section : unit.sections) {
    hash.add(section->text);
  }
  return base::to_hex(hash.finish());
}

std::string checksum_of(const SqlStatement& statement) {
  return base::sha256_hex(statement.text);
}

Statement Line::view() const {
  return theirs == nullptr ? own.view() : Statement{theirs->text, {}, Author::migration};
}

bool ScriptWriter::on_sqlite() const noexcept {
  return context_.tables->dialect() == Dialect::sqlite;
}

void ScriptWriter::own(Role role, OwnedStatement statement, Expect expect) {
  bytes_ += statement.sql.size();
  lines_.push_back({role, expect, std::move(statement), nullptr, migration_, step_});
}

void ScriptWriter::control(std::string sql) {
  own(Role::control, {std::move(sql)});
}

/// Planning a history row takes the server longer than writing it. EXECUTE needs neither parameters
/// nor a message of another kind.
void ScriptWriter::repeated(Role role, OwnedStatement statement, Expect expect) {
  if (!may_prepare_) {
    own(role, std::move(statement), expect);
    return;
  }
  const auto [known, fresh] = prepared_.try_emplace(
      statement.sql, fmt::format("drover_{}_{}", *prepares_for_, prepared_.size()));
  const std::string& name = known->second;
  if (fresh) {
    control(fmt::format("PREPARE {} AS {}", name, statement.sql));
  }
  std::string values;
  for (const SqlValue& value : statement.params) {
    values += values.empty() ? "" : ", ";
    values += value ? quoted_literal(Dialect::postgres, *value) : "NULL";
  }
  own(role, {fmt::format("EXECUTE {}({})", name, values)}, expect);
}

void ScriptWriter::settle(Resets resets) {
  const bool keep = may_prepare_;
  migration_ = nullptr;
  if (resets == Resets::yes) {
    for (const OwnedStatement& reset : context_.resets) {
      if (!keep || reset.sql != kForgetPrepared) {
        own(Role::settings, reset);
      }
    }
    if (!keep) {
      prepared_.clear();
    }
    role_is_reset_ = true;
  }
  for (const OwnedStatement& setting : context_.settings) {
    own(Role::settings, setting);
  }
}

void ScriptWriter::arrange(const std::vector<OwnedStatement>& statements) {
  for (const OwnedStatement& statement : statements) {
    own(Role::control, statement);
  }
}

void ScriptWriter::create_tables(const std::string& environment, bool production) {
  migration_ = nullptr;
  control(on_sqlite() ? "BEGIN IMMEDIATE" : "BEGIN");
  for (OwnedStatement& statement : context_.tables->create(environment, production)) {
    own(Role::create, std::move(statement));
  }
  lines_.back().role = Role::identity;
  control("COMMIT");
}

/// Begins a transaction of the role that we logged in as.
void ScriptWriter::open() {
  if (on_sqlite()) {
    control("PRAGMA query_only = OFF");  // a verify that failed has left it on
    control(checks_foreign_keys(migration_) ? "PRAGMA foreign_keys = OFF"
                                            : "PRAGMA foreign_keys = ON");
  }
  control(on_sqlite() ? "BEGIN IMMEDIATE" : "BEGIN");
  if (!on_sqlite() && !role_is_reset_) {
    control("RESET ROLE");
  }
  role_is_reset_ = false;
}

void ScriptWriter::count_violations() {
  const bool count = context_.violations == ScriptContext::CountViolations::before_and_after;
  if (on_sqlite() && migration_ != nullptr && count && checks_foreign_keys(migration_)) {
    own(Role::control, {"PRAGMA foreign_key_check"}, Expect::violations_before);
  }
}

void ScriptWriter::check_violations() {
  if (on_sqlite() && checks_foreign_keys(migration_)) {
    own(Role::control, {"PRAGMA foreign_key_check"}, Expect::no_new_violations);
  }
}

void ScriptWriter::begin(const Step* step, const std::optional<std::string>& in_progress) {
  migration_ = step == nullptr ? nullptr : step->migration;
  may_prepare_ = prepares_for_ && !on_sqlite() && step != nullptr && !touches_prepared(*migration_);
  open();
  repeated(Role::fence,
           context_.tables->fence(epoch_, in_progress),
           on_sqlite() ? Expect::one_row_changed : Expect::nothing);
  ++epoch_;
  count_violations();
}

void ScriptWriter::commit() {
  check_violations();
  own(Role::commit, {"COMMIT"});
}

void ScriptWriter::apply_header() {
  if (on_sqlite()) {
    return;
  }
  for (OwnedStatement& setting : header_settings(*migration_, SetFor::transaction)) {
    own(Role::control, std::move(setting));
  }
}

void ScriptWriter::statement(const SqlStatement& statement) {
  if (statement.kind == StatementKind::validate_constraint && !on_sqlite()) {
    unlimited(statement);
    return;
  }
  bytes_ += statement.text.size();
  lines_.push_back({Role::statement, Expect::nothing, {}, &statement, migration_, step_});
}

/// A validation reads the whole table and blocks nobody, so no timeout may cut it short.
void ScriptWriter::unlimited(const SqlStatement& statement) {
  const auto set = [&](std::string_view name, std::string_view value) {
    control(fmt::format("SET LOCAL {} = '{}'", name, value));
  };
  const auto usual = [&](std::string_view name, Milliseconds otherwise) {
    const std::string* wanted = setting_of(*migration_, name);
    return wanted != nullptr ? *wanted : std::to_string(otherwise.count());
  };
  set("lock_timeout", "0");
  set("statement_timeout", "0");
  bytes_ += statement.text.size();
  lines_.push_back({Role::statement, Expect::nothing, {}, &statement, migration_, step_});
  set("lock_timeout", usual("lock_timeout", context_.lock_timeout));
  set("statement_timeout", usual("statement_timeout", context_.statement_timeout));
}

void ScriptWriter::verify(const SqlStatement& statement) {
  const bool sqlite = on_sqlite();
  if (sqlite) {
    control("PRAGMA query_only = ON");
  } else {
    control("SAVEPOINT drover_verify");
    control("SET LOCAL transaction_read_only = on");
  }
  bytes_ += statement.text.size();
  lines_.push_back({Role::verify, Expect::truth, {}, &statement, migration_, step_});
  if (sqlite) {
    control("PRAGMA query_only = OFF");
  } else {
    control("ROLLBACK TO SAVEPOINT drover_verify");
    control("RELEASE SAVEPOINT drover_verify");
  }
}

void ScriptWriter::body(const Unit& unit) {
  for (const Section* section : unit.sections) {
    for (const SqlStatement& one : section->statements) {
      if (section->kind == Section::Kind::verify) {
        verify(one);
      } else {
        statement(one);
      }
    }
  }
}

/// COMMIT does not obey statement_timeout and names no statement, so what is deferred is checked
/// before it.
void ScriptWriter::check_constraints() {
  if (!on_sqlite()) {
    control("RESET ROLE");
    control("SET CONSTRAINTS ALL IMMEDIATE");
  }
}

/// Between two revisions of one transaction: constraints are as each revision would find them in a
/// transaction of its own. Names that a constraint that cannot be deferred has too are left alone.
void ScriptWriter::defer_constraints_again() {
  if (!on_sqlite()) {
    control(R"(DO $drover$
DECLARE names text;
BEGIN
  SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.conname), ', ') INTO names
    FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
   WHERE c.condeferred AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_constraint o WHERE o.connamespace = c.connamespace
            AND o.conname = c.conname AND NOT o.condeferrable);
  IF names IS NOT NULL THEN
    EXECUTE 'SET CONSTRAINTS ' || names || ' DEFERRED';
  END IF;
END $drover$)");
  }
}

void ScriptWriter::waits_no_more(const RevisionId& id) {
  if (std::erase(at_batch_, id) > 0) {
    own(Role::control, context_.tables->set_at_batch(at_batch_));
  }
}

void ScriptWriter::finish(const Step& step) {
  check_constraints();
  if (step.units.size() > 1 || step.units.front().kind != Unit::Kind::transaction || step.resumed) {
    own(Role::control, context_.tables->clear_steps_of(step.migration->id));
  }
  const RevisionId& id = step.migration->id;
  waits_no_more(id);
  if (!step.recorded) {
    own(Role::record,
        context_.tables->add_event("down", id.value, context_.by, "from partial", epoch_));
    return;
  }
  std::vector<OwnedStatement> rows =
      step.direction == Direction::up
          ? context_.tables->record_up(*step.migration, context_.by, epoch_, Milliseconds{0})
          : context_.tables->record_down(id, context_.by, epoch_);
  Expect expect = on_sqlite() ? Expect::one_row_changed : Expect::nothing;
  for (OwnedStatement& row : rows) {
    repeated(Role::record, std::move(row), expect);
    expect = Expect::nothing;
  }
}

void ScriptWriter::transaction(const Step& step, std::size_t step_index, std::size_t unit_index) {
  step_ = step_index;
  const bool last = unit_index + 1 == step.units.size();
  const Unit& unit = step.units[unit_index];
  begin(&step, last ? std::string() : step.migration->id.value);
  apply_header();
  body(unit);
  if (last) {
    finish(step);
  } else {
    check_constraints();
    own(Role::record,
        context_.tables->step_done({step.migration->id,
                                    step.direction,
                                    static_cast<int>(unit_index) + 1,
                                    0,
                                    checksum_of(unit),
                                    true,
                                    context_.pid}));
  }
  commit();
}

void ScriptWriter::journal(const Step& step,
                           std::size_t step_index,
                           const std::optional<StepRecord>& done,
                           const std::optional<StepRecord>& started) {
  step_ = step_index;
  begin(&step, step.migration->id.value);
  waits_no_more(step.migration->id);
  if (done) {
    own(Role::record, context_.tables->step_done(*done));
  }
  if (started) {
    own(Role::record, context_.tables->step_started(*started));
  }
  own(Role::commit, {"COMMIT"});
}

void ScriptWriter::announce_batch(const Step& step,
                                  std::size_t step_index,
                                  const StepRecord& record,
                                  const std::vector<OwnedStatement>& statements,
                                  WaitsFor waits_for) {
  step_ = step_index;
  begin(&step, std::string());
  for (const OwnedStatement& statement : statements) {
    own(Role::control, statement);
  }
  if (waits_for == WaitsFor::nothing) {
    finish(step);
  } else {
    own(Role::record, context_.tables->step_started(record));
  }
  std::erase(at_batch_, step.migration->id);
  at_batch_.push_back(step.migration->id);
  own(Role::control, context_.tables->set_at_batch(at_batch_));
  own(Role::commit, {"COMMIT"});
}

void ScriptWriter::record(const Step& step, std::size_t step_index) {
  step_ = step_index;
  begin(&step, std::string());
  finish(step);
  own(Role::commit, {"COMMIT"});
}

void ScriptWriter::all_in_one(const std::vector<Step>& steps) {
  begin(&steps.front(), std::string());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    step_ = i;
    migration_ = steps[i].migration;
    apply_header();
    for (const Unit& unit : steps[i].units) {
      body(unit);
    }
    finish(steps[i]);
    if (i + 1 < steps.size()) {
      defer_constraints_again();
      settle(Resets::yes);
    }
  }
  commit();
}

void ScriptWriter::rehearsal(const std::vector<Step>& steps) {
  migration_ = steps.front().migration;
  open();
  count_violations();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (i > 0) {
      defer_constraints_again();
      settle(Resets::yes);
    }
    step_ = i;
    migration_ = steps[i].migration;
    apply_header();
    for (const Unit& unit : steps[i].units) {
      body(unit);
    }
    check_constraints();
  }
  check_violations();
  control("ROLLBACK");
}

void ScriptWriter::administer(const std::vector<OwnedStatement>& statements,
                              const std::optional<std::string>& in_progress) {
  begin(nullptr, in_progress);
  for (const OwnedStatement& statement : statements) {
    own(Role::record, statement);
  }
  own(Role::commit, {"COMMIT"});
}

}  // namespace drover::engine
