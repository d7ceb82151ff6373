/// A batch section of a test's own and a session in a tenant, to send the section's statements by
/// hand.

#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "engine/batch_path.h"
#include "engine/batch_script.h"
#include "engine/batch_tables.h"
#include "engine/session_hygiene.h"
#include "engine/sql_value.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {

/// What a test says of its section.
struct SectionText {
  std::string keys = {};   ///< Behind "batch", "table=hits rows=1..10".
  std::string lines = {};  ///< Behind the directive: "-- drover: done n > 0\n".
  std::string sql = "UPDATE hits SET n = n + 1 WHERE {range}";
};

/// A session that may fail: what it answers is looked at by the test.
class Speaker {
 public:
  explicit Speaker(const Target& target) {
    OpenOptions options;
    options.create_file = true;
    options.settings = session_settings(target.dialect, target.schema, {});
    OpenResult opened = Sessions().open(target, options, {});
    if (!opened.session) {
      throw std::runtime_error(opened.error->message);
    }
    session_ = std::move(opened.session);
    if (target.dialect == Dialect::postgres) {
      answers(settings_statements(session_->info(), options.settings));
    }
  }

  Exchange send(const std::vector<OwnedStatement>& statements) {
    std::vector<Statement> views;
    views.reserve(statements.size());
    for (const OwnedStatement& statement : statements) {
      views.push_back(statement.view());
    }
    return views.empty() ? Exchange() : session_->exchange(views, {});
  }

  /// As send(); throws for what was refused.
  std::vector<ResultSet> answers(const std::vector<OwnedStatement>& statements) {
    Exchange exchange = send(statements);
    if (!exchange.ok()) {
      throw std::runtime_error(
          fmt::format("{}\n{}",
                      exchange.error->message,
                      statements[std::min(exchange.results.size(), statements.size() - 1)].sql));
    }
    return std::move(exchange.results);
  }
  ResultSet answer(const OwnedStatement& statement) { return answers({statement}).front(); }
  std::string value(const OwnedStatement& statement) {
    const ResultSet rows = answer(statement);
    return rows.rows.empty() ? "" : text_of(rows.rows.front().front());
  }

  /// "ok", or the SQLSTATE.
  std::string told(const std::vector<OwnedStatement>& statements) {
    const Exchange exchange = send(statements);
    return exchange.ok() ? "ok" : exchange.error->sqlstate;
  }

  int version() const { return session_->info().server_version; }

 private:
  std::unique_ptr<Session> session_;
};

/// The first row as a key; nullopt without a row.
inline std::optional<BatchKey> key_of(const ResultSet& rows) {
  if (rows.rows.empty()) {
    return std::nullopt;
  }
  BatchKey key;
  for (const SqlValue& value : rows.rows.front()) {
    key.push_back(text_of(value));
  }
  return key;
}

class Walk {
 public:
  Walk(const Target& target, const SectionText& text)
      : speaker(target),
        dialect_(target.dialect),
        migration_(parse::parse_migration(
            fmt::format("-- drover: parents none\n-- drover: batch {}\n{}{};\n-- drover: down\n"
                        "SELECT 1;\n",
                        text.keys.empty() ? "table=hits" : text.keys,
                        text.lines,
                        text.sql),
            "migrations/0001_test.sql")) {}

  const Section& section() const { return migration_.sections.front(); }

  std::variant<FoundPath, TenantFault> look() {
    return found_path(dialect_,
                      section().batch,
                      speaker.answers(path_questions(dialect_, section().batch)),
                      speaker.version());
  }
  FoundPath found() {
    auto result = look();
    if (const auto* const fault = std::get_if<TenantFault>(&result)) {
      throw std::runtime_error(fault->message);
    }
    return std::get<FoundPath>(std::move(result));
  }
  /// "kind: message" of the fault, or "found".
  std::string fault() {
    const auto result = look();
    const auto* const fault = std::get_if<TenantFault>(&result);
    return fault == nullptr ? "found" : fmt::format("{}: {}", fault->kind, fault->message);
  }
  BatchScript script() { return {dialect_, section(), found().path}; }

  /// Goes through all parts, `size` rows a time, and answers how many rows each statement changed.
  /// All in one transaction: a commit for each row would take minutes.
  std::vector<std::uint64_t> go(std::uint64_t size) {
    std::vector<std::uint64_t> changed;
    const FoundPath path = found();
    const BatchScript script(dialect_, section(), path.path);
    speaker.answer({"BEGIN"});
    for (const std::string& part : path.parts) {
      const std::optional<BatchKey> end = key_of(speaker.answer(script.last(part)));
      std::optional<BatchKey> from;
      while (end && from != end) {
        const auto to = key_of(speaker.answer(script.probe(part, from, *end, size)));
        if (to && to == from) {
          throw std::runtime_error("the walk stands still at " + BatchScript::readable(*to));
        }
        const BatchKey until = to.value_or(*end);
        changed.push_back(speaker.answer(script.work(part, from, until)).affected);
        from = until;
      }
    }
    speaker.answer({"COMMIT"});
    return changed;
  }

  Speaker speaker;

 private:
  Dialect dialect_;
  Migration migration_;
};

/// What go() answers when each statement changed as many rows as it should.
inline std::vector<std::uint64_t> in_stretches(std::uint64_t rows, std::uint64_t size) {
  std::vector<std::uint64_t> stretches(rows / size, size);
  if (rows % size > 0) {
    stretches.push_back(rows % size);
  }
  return stretches;
}

}  // namespace drover::engine::test
