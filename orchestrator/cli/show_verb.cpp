// show: one revision, from its header to its text, and how it will run.

#include <array>

#include <fmt/format.h>

#include "engine/migration.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/new_revision.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/revision_text.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator::cli {
namespace {

using engine::Dialect;
using engine::Migration;
using engine::Unit;

constexpr std::array kDialects = {Dialect::postgres, Dialect::sqlite};

std::string_view name_of(Unit::Kind kind) {
  switch (kind) {
    case Unit::Kind::transaction:
      return "transaction";
    case Unit::Kind::statements:
      return "statements";
    case Unit::Kind::batch:
      return "batch";
  }
  return "";
}

std::size_t statements_in(const Unit& unit) {
  std::size_t count = 0;
  for (const engine::Section* section : unit.sections) {
    count += section->statements.size();
  }
  return count;
}

/// The same for people.
std::string_view spoken(Unit::Kind kind) {
  switch (kind) {
    case Unit::Kind::transaction:
      return "one transaction";
    case Unit::Kind::statements:
      return "no transaction";
    case Unit::Kind::batch:
      return "batch of small transactions";
  }
  return "";
}

/// The beginning of a statement, on one line.
std::string gist_of(std::string_view statement) {
  constexpr std::size_t kCells = 60;
  return report::cut_to(report::printable(statement), kCells);
}

std::string unit_text(const Unit& unit, std::size_t number) {
  std::string text = fmt::format("    {}. {}, {}{}\n",
                                 number,
                                 spoken(unit.kind),
                                 report::count_of(statements_in(unit), "statement"),
                                 unit.has_verify() ? ", verified" : "");
  if (unit.kind == Unit::Kind::transaction) {
    return text;
  }
  for (const engine::Section* section : unit.sections) {
    for (const engine::SqlStatement& statement : section->statements) {
      text += fmt::format("       {}\n", gist_of(statement.text));
    }
  }
  return text;
}

std::string units_text(std::string_view title, const std::vector<Unit>& units) {
  std::string text = fmt::format("{}\n", title);
  for (std::size_t i = 0; i < units.size(); ++i) {
    text += unit_text(units[i], i + 1);
  }
  return text;
}

std::string settings_text(const Migration& migration) {
  std::string text;
  for (const engine::HeaderSetting& setting : migration.settings) {
    text += fmt::format("Setting    {}={}\n", setting.name, report::printable(setting.value));
  }
  if (migration.irreversible) {
    text += fmt::format("No way back: {}\n", report::printable(*migration.irreversible));
  }
  if (migration.requires_fleet) {
    text += fmt::format("Needs the whole fleet at {}\n", migration.requires_fleet->value);
  }
  return text;
}

std::string dialect_text(const Migration& migration, Dialect dialect) {
  const engine::Checksums& sums = migration.checksums.at(dialect);
  std::string text = fmt::format("\n{}\n", engine::name_of(dialect));
  text += fmt::format(
      "  up         {}\n  down       {}\n  chain      {}\n", sums.up, sums.down, sums.chain);
  text += units_text("  units going up", engine::up_units(migration, dialect));
  if (!migration.irreversible) {
    text += units_text("  units going down", engine::down_units(migration, dialect));
  }
  return text;
}

std::string text_of(const RevisionView& view, const Migration& migration) {
  std::string text = view.paragraph(migration.id) + settings_text(migration);
  for (const Dialect dialect : kDialects) {
    text += dialect_text(migration, dialect);
  }
  return text + "\n" + report::printable(*migration.text, report::LineBreaks::keep) + "\n";
}

report::Value units_value(const std::vector<Unit>& units) {
  report::Value list = report::Value::list();
  for (const Unit& unit : units) {
    report::Value value = report::Value::object();
    report::Value statements = report::Value::list();
    for (const engine::Section* section : unit.sections) {
      for (const engine::SqlStatement& statement : section->statements) {
        statements.add(statement.text);
      }
    }
    value.set("kind", name_of(unit.kind))
        .set("transactional", unit.kind == Unit::Kind::transaction)
        .set("verify", unit.has_verify())
        .set("statements", std::move(statements));
    list.add(std::move(value));
  }
  return list;
}

report::Value value_of(const RevisionView& view, const Migration& migration) {
  report::Value value = view.value(migration.id);
  report::Value settings = report::Value::object();
  for (const engine::HeaderSetting& setting : migration.settings) {
    settings.set(setting.name, setting.value);
  }
  report::Value dialects = report::Value::object();
  for (const Dialect dialect : kDialects) {
    const engine::Checksums& sums = migration.checksums.at(dialect);
    report::Value one = report::Value::object();
    one.set("up_checksum", sums.up)
        .set("down_checksum", sums.down)
        .set("chain_checksum", sums.chain)
        .set("up", units_value(engine::up_units(migration, dialect)))
        .set("down", units_value(engine::down_units(migration, dialect)));
    dialects.set(engine::name_of(dialect), std::move(one));
  }
  value.set("settings", std::move(settings))
      .set("irreversible", migration.irreversible)
      .set("requires_fleet",
           migration.requires_fleet ? report::Value(migration.requires_fleet->value)
                                    : report::Value())
      .set("dialects", std::move(dialects))
      .set("text", *migration.text);
  return value;
}

int run_show(Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Workspace workspace = workspace_of(invocation.globals);
  const auto migrations = workspace.migrations();
  const RevisionView view{*migrations, invocation.globals};
  const auto ids = revisions_named(migrations->graph(), {invocation.arguments.value("revision")});
  if (!for_people(invocation)) {
    report::Value rows = report::Value::list();
    for (const engine::RevisionId& id : ids) {
      rows.add(value_of(view, *migrations->find(id)));
    }
    report::Value value = report::opening(occasion_since(started, environment_name(workspace)));
    value.set("revisions", std::move(rows));
    put_document(invocation,
                 {std::move(value), "revisions", {"id", "parents", "message", "file", "text"}});
    return 0;
  }
  for (const engine::RevisionId& id : ids) {
    invocation.console.data(text_of(view, *migrations->find(id)));
  }
  return 0;
}

}  // namespace

VerbSpec show_verb() {
  using Takes = OptionSpec::Takes;
  return {"show",
          "one revision: header, units, checksums, text",
          "  drover show head\n  drover show 0004 -o json\n",
          {{"revision",
            Takes::word,
            "REF",
            "an id, head, heads, a label ...; see drover help references",
            OptionSpec::Need::required}},
          VerbSpec::Selectors::no,
          run_show};
}

}  // namespace drover::orchestrator::cli
