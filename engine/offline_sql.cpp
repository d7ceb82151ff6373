#include "engine/offline_sql.h"

#include <cctype>

#include <fmt/format.h>

#include "engine/transaction_script.h"

namespace drover::engine {
namespace {

constexpr std::string_view kWho = "offline script";

/// `statement` with its parameters as literals.
std::string rendered(Dialect dialect, const OwnedStatement& statement) {
  std::string text;
  for (std::size_t i = 0; i < statement.sql.size(); ++i) {
    const bool parameter = statement.sql[i] == '$' && i + 1 < statement.sql.size() &&
                           std::isdigit(static_cast<unsigned char>(statement.sql[i + 1])) != 0;
    if (!parameter) {
      text += statement.sql[i];
      continue;
    }
    std::size_t end = i + 1;
    std::size_t number = 0;
    while (end < statement.sql.size() &&
           std::isdigit(static_cast<unsigned char>(statement.sql[end])) != 0) {
      number = number * 10 + static_cast<std::size_t>(statement.sql[end++] - '0');
    }
    const SqlValue& value = statement.params.at(number - 1);
    text += value ? quoted_literal(dialect, *value) : "NULL";
    i = end - 1;
  }
  return text;
}

class ScriptText {
 public:
  ScriptText(const MigrationSet& migrations, Dialect dialect, const std::string& schema)
      : migrations_(migrations),
        dialect_(dialect),
        schema_(schema),
        tables_(dialect, schema),
        prefix_(schema.empty() ? std::string() : quoted_identifier(schema) + ".") {}

  std::string write(std::span<const RevisionId> steps, Direction direction) {
    line("-- Written by drover; run it with {}.",
         on_sqlite() ? "sqlite3 FILE" : "psql -X -d DATABASE -f FILE");
    if (on_sqlite()) {
      line(".bail on");
    } else {
      line("\\set ON_ERROR_STOP on");
      line("SET search_path = {};", quoted_identifier(schema_));
    }
    begin();
    for (const OwnedStatement& statement : tables_.create("", false)) {
      ours(statement);
    }
    line("COMMIT;");
    if (on_sqlite()) {
      line("CREATE TEMP TABLE drover_holds (is_true INTEGER NOT NULL CHECK (is_true));");
    }
    for (const RevisionId& id : steps) {
      revision(*migrations_.find(id), direction);
    }
    return std::move(text_);
  }

 private:
  bool on_sqlite() const noexcept { return dialect_ == Dialect::sqlite; }

  template <typename... Values>
  void line(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Values>(values)...);
    text_ += '\n';
  }

  void ours(const OwnedStatement& statement) { line("{};", rendered(dialect_, statement)); }

  void begin() { line("{};", on_sqlite() ? "BEGIN IMMEDIATE" : "BEGIN"); }

  /// Stops the script unless `condition` holds.
  void require(const std::string& condition) {
    if (on_sqlite()) {
      line("INSERT INTO temp.drover_holds VALUES (({}));", condition);
    } else {
      line("SELECT 1 / (CASE WHEN {} THEN 1 ELSE 0 END);", condition);
    }
  }

  std::string is_applied(const RevisionId& id) const {
    return fmt::format("EXISTS (SELECT 1 FROM {}drover_revisions WHERE revision = {})",
                       prefix_,
                       quoted_literal(dialect_, id.value));
  }

  /// The tenant must be where the script was written for.
  void fence(const Migration& migration, Direction direction, const std::string& in_progress) {
    std::string condition =
        direction == Direction::up ? "NOT " + is_applied(migration.id) : is_applied(migration.id);
    if (direction == Direction::up) {
      for (const auto* needed : {&migration.parents, &migration.depends}) {
        for (const RevisionId& id : *needed) {
          condition += " AND " + is_applied(id);
        }
      }
    }
    require(condition);
    line("UPDATE {}drover_tenant SET epoch = epoch + 1, in_progress = {};",
         prefix_,
         quoted_literal(dialect_, in_progress));
  }

  void revision(const Migration& migration, Direction direction) {
    if (direction == Direction::down && migration.irreversible) {
      throw Error(
          ErrorCode::usage,
          "irreversible",
          fmt::format(
              "revision '{}' cannot be undone: {}", migration.id.value, *migration.irreversible),
          "Write the script only down to a revision after it.",
          {migration.source.generic_string(), 0, 0});
    }
    line("\n-- revision {} {}: {}", migration.id.value, name_of(direction), migration.message);
    const std::vector<Unit> units = direction == Direction::up ? up_units(migration, dialect_)
                                                               : down_units(migration, dialect_);
    for (std::size_t i = 0; i < units.size(); ++i) {
      unit(migration, units[i], i + 1 == units.size(), direction);
    }
  }

  void unit(const Migration& migration, const Unit& unit, bool last, Direction direction) {
    if (unit.kind == Unit::Kind::batch) {
      throw Error(ErrorCode::usage,
                  "batch_not_supported",
                  fmt::format("revision '{}' holds a batch section, which no script can run",
                              migration.id.value),
                  "Run it with drover upgrade.",
                  migration.place_of(unit.sections.front()->text.data()));
    }
    if (unit.kind == Unit::Kind::statements) {
      for (const SqlStatement& statement : unit.sections.front()->statements) {
        line("{};", statement.text);
      }
      if (last) {
        begin();
        fence(migration, direction, "");
        finish(migration, direction);
      }
      return;
    }
    if (on_sqlite()) {
      line("PRAGMA foreign_keys = OFF;");
    }
    begin();
    fence(migration, direction, last ? "" : migration.id.value);
    settings(migration);
    for (const Section* section : unit.sections) {
      for (const SqlStatement& statement : section->statements) {
        if (section->kind == Section::Kind::verify) {
          require(fmt::format("({})", statement.text));
        } else {
          line("{};", statement.text);
        }
      }
    }
    if (last) {
      finish(migration, direction);
    } else {
      line("COMMIT;");
    }
  }

  void settings(const Migration& migration) {
    for (const HeaderSetting& setting : migration.settings) {
      if (on_sqlite() || setting.name == "foreign_keys") {
        continue;
      }
      const bool verbatim = setting.name == "search_path";
      line("SET LOCAL {} = {};",
           setting.name,
           verbatim ? setting.value : quoted_literal(dialect_, setting.value));
    }
  }

  void finish(const Migration& migration, Direction direction) {
    if (!on_sqlite()) {
      line("RESET ROLE;");
      line("SET CONSTRAINTS ALL IMMEDIATE;");
    }
    const Provenance by{std::string(kWho), ""};
    for (const OwnedStatement& row : direction == Direction::up
                                         ? tables_.record_up(migration, by, Milliseconds{0})
                                         : tables_.record_down(migration.id, by)) {
      ours(row);
    }
    line("COMMIT;");
  }

  const MigrationSet& migrations_;
  const Dialect dialect_;
  const std::string& schema_;
  const HistoryTables tables_;
  const std::string prefix_;
  std::string text_;
};

}  // namespace

std::string offline_script(const MigrationSet& migrations,
                           Dialect dialect,
                           std::span<const RevisionId> steps,
                           Direction direction,
                           const std::string& schema) {
  return ScriptText(migrations, dialect, schema).write(steps, direction);
}

}  // namespace drover::engine
