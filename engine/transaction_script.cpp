#include "engine/transaction_script.h"

#include <fmt/format.h>

#include "engine/base/sha256.h"

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

}  // namespace

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

void ScriptWriter::settle(Resets resets) {
  migration_ = nullptr;
  if (resets == Resets::yes) {
    for (const OwnedStatement& reset : context_.resets) {
      own(Role::settings, reset);
    }
  }
  for (const OwnedStatement& setting : context_.settings) {
    own(Role::settings, setting);
  }
}

void ScriptWriter::create_tables(const std::string& environment, bool production) {
  migration_ = nullptr;
  own(Role::control, {on_sqlite() ? "BEGIN IMMEDIATE" : "BEGIN"});
  for (OwnedStatement& statement : context_.tables->create(environment, production)) {
    own(Role::control, std::move(statement));
  }
  own(Role::control, {"COMMIT"});
}

void ScriptWriter::begin(const Step* step, const std::string& in_progress) {
  migration_ = step == nullptr ? nullptr : step->migration;
  if (on_sqlite()) {
    const bool off = checks_foreign_keys(migration_);
    own(Role::control, {off ? "PRAGMA foreign_keys = OFF" : "PRAGMA foreign_keys = ON"});
  }
  own(Role::control, {on_sqlite() ? "BEGIN IMMEDIATE" : "BEGIN"});
  own(Role::fence,
      context_.tables->fence(epoch_, in_progress),
      on_sqlite() ? Expect::one_row_changed : Expect::nothing);
  ++epoch_;
}

void ScriptWriter::commit() {
  if (on_sqlite() && checks_foreign_keys(migration_)) {
    own(Role::control, {"PRAGMA foreign_key_check"}, Expect::no_rows);
  }
  own(Role::commit, {"COMMIT"});
}

void ScriptWriter::header_settings() {
  if (on_sqlite()) {
    return;
  }
  for (const HeaderSetting& setting : migration_->settings) {
    if (setting.name == "foreign_keys") {
      continue;
    }
    // search_path is a list of names and goes as it is written; it was checked when it was read
    const bool verbatim = setting.name == "search_path";
    own(Role::control,
        {fmt::format("SET LOCAL {} = {}",
                     setting.name,
                     verbatim ? setting.value : quoted_literal(Dialect::postgres, setting.value))});
  }
}

void ScriptWriter::statement(const SqlStatement& statement) {
  // A validation reads the whole table and blocks nobody, so no timeout may cut it short.
  const bool unlimited = statement.kind == StatementKind::validate_constraint && !on_sqlite();
  if (unlimited) {
    own(Role::control, {"SET LOCAL statement_timeout = 0"});
  }
  bytes_ += statement.text.size();
  lines_.push_back({Role::statement, Expect::nothing, {}, &statement, migration_, step_});
  if (unlimited) {
    const std::string* wanted = setting_of(*migration_, "statement_timeout");
    own(Role::control,
        {fmt::format(
            "SET LOCAL statement_timeout = '{}'",
            wanted != nullptr ? *wanted : std::to_string(context_.statement_timeout.count()))});
  }
}

void ScriptWriter::verify(const SqlStatement& statement) {
  const bool sqlite = on_sqlite();
  if (sqlite) {
    own(Role::control, {"PRAGMA query_only = ON"});
  } else {
    own(Role::control, {"SAVEPOINT drover_verify"});
    own(Role::control, {"SET LOCAL transaction_read_only = on"});
  }
  bytes_ += statement.text.size();
  lines_.push_back({Role::verify, Expect::truth, {}, &statement, migration_, step_});
  if (sqlite) {
    own(Role::control, {"PRAGMA query_only = OFF"});
  } else {
    own(Role::control, {"ROLLBACK TO SAVEPOINT drover_verify"});
    own(Role::control, {"RELEASE SAVEPOINT drover_verify"});
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

void ScriptWriter::finish(const Step& step) {
  if (!on_sqlite()) {
    own(Role::control, {"RESET ROLE"});
    own(Role::control, {"SET CONSTRAINTS ALL IMMEDIATE"});
  }
  if (step.units.size() > 1 || step.units.front().kind != Unit::Kind::transaction || step.resumed) {
    own(Role::control, context_.tables->clear_steps(step.migration->id));
  }
  const RevisionId& id = step.migration->id;
  if (!step.recorded) {
    own(Role::record, context_.tables->add_event("down", id.value, context_.by, "from partial"));
    return;
  }
  std::vector<OwnedStatement> rows =
      step.direction == Direction::up
          ? context_.tables->record_up(*step.migration, context_.by, Milliseconds{0})
          : context_.tables->record_down(id, context_.by);
  Expect expect = on_sqlite() ? Expect::one_row_changed : Expect::nothing;
  for (OwnedStatement& row : rows) {
    own(Role::record, std::move(row), expect);
    expect = Expect::nothing;
  }
}

void ScriptWriter::transaction(const Step& step, std::size_t step_index, std::size_t unit_index) {
  step_ = step_index;
  const bool last = unit_index + 1 == step.units.size();
  const Unit& unit = step.units[unit_index];
  begin(&step, last ? std::string() : step.migration->id.value);
  header_settings();
  body(unit);
  if (last) {
    finish(step);
  } else {
    if (!on_sqlite()) {
      own(Role::control, {"RESET ROLE"});
      own(Role::control, {"SET CONSTRAINTS ALL IMMEDIATE"});
    }
    own(Role::record,
        context_.tables->step_done({step.migration->id,
                                    step.direction,
                                    static_cast<int>(unit_index) + 1,
                                    0,
                                    checksum_of(unit)}));
  }
  commit();
}

void ScriptWriter::journal(const Step& step,
                           std::size_t step_index,
                           const std::optional<StepRecord>& done,
                           const std::optional<StepRecord>& started) {
  step_ = step_index;
  begin(&step, step.migration->id.value);
  if (done) {
    own(Role::record, context_.tables->step_done(*done));
  }
  if (started) {
    own(Role::record, context_.tables->step_started(*started));
  }
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
    header_settings();
    for (const Unit& unit : steps[i].units) {
      body(unit);
    }
    finish(steps[i]);
    if (i + 1 < steps.size()) {
      settle(Resets::yes);
    }
  }
  commit();
}

void ScriptWriter::administer(const std::vector<OwnedStatement>& statements,
                              const std::string& in_progress) {
  begin(nullptr, in_progress);
  for (const OwnedStatement& statement : statements) {
    own(Role::record, statement);
  }
  own(Role::commit, {"COMMIT"});
}

}  // namespace drover::engine
