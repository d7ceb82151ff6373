#include "engine/parse/statement_checks.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "engine/parse/batch_assignments.h"
#include "engine/parse/batch_statement.h"
#include "engine/parse/directive.h"
#include "engine/parse/pragma.h"
#include "engine/parse/sql_tokens.h"
#include "engine/parse/statement_kind.h"
#include "engine/parse/statement_names.h"
#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

/// A statement under examination.
struct Candidate {
  const Migration& file;
  const Section& section;
  std::string_view text;
  StatementKind kind;
  Dialect dialect;

  [[noreturn]] void refuse(std::string kind_name,
                           const std::string& message,
                           std::string hint) const {
    parse::refuse(file, text.data(), std::move(kind_name), message, std::move(hint));
  }
};

struct KindName {
  StatementKind kind;
  std::string_view name;
};

/// How messages call what needs a section of its own.
constexpr KindName kNames[] = {
    {StatementKind::create_index_concurrently, "CREATE INDEX CONCURRENTLY"},
    {StatementKind::drop_index_concurrently, "DROP INDEX CONCURRENTLY"},
    {StatementKind::reindex_concurrently, "REINDEX CONCURRENTLY"},
    {StatementKind::reindex, "REINDEX"},
    {StatementKind::detach_concurrently, "DETACH PARTITION CONCURRENTLY"},
    {StatementKind::vacuum, "VACUUM"},
    {StatementKind::create_database, "CREATE DATABASE"},
    {StatementKind::drop_database, "DROP DATABASE"},
    {StatementKind::alter_system, "ALTER SYSTEM"},
    {StatementKind::alter_database_tablespace, "ALTER DATABASE SET TABLESPACE"},
    {StatementKind::create_tablespace, "CREATE TABLESPACE"},
    {StatementKind::drop_tablespace, "DROP TABLESPACE"},
    {StatementKind::subscription, "a statement about a subscription"},
    {StatementKind::cluster_all, "CLUSTER of all tables"},
};

/// Whether the statement itself calls pg_advisory_unlock_all(). One that a function of theirs hides
/// is found by nobody; the fence stands behind the lock.
bool releases_locks(std::string_view text) {
  constexpr std::string_view kName = "pg_advisory_unlock_all";
  if (std::search(text.begin(), text.end(), kName.begin(), kName.end(), [](char a, char b) {
        return (a | 0x20) == b || a == b;
      }) == text.end()) {
    return false;  // nearly all of them, without reading tokens
  }
  TokenReader reader(text, Dialect::postgres);
  while (const auto token = reader.next_code()) {
    if (token->is_word(kName)) {
      return true;
    }
  }
  return false;
}

std::string name_of(StatementKind kind) {
  const auto* const found = std::find_if(std::begin(kNames),
                                         std::end(kNames),
                                         [&](const KindName& each) { return each.kind == kind; });
  return std::string(found == std::end(kNames) ? "the statement" : found->name);
}

std::string excerpt(std::string_view statement) {
  return shown(folded(statement));
}

/// "-- drover: up sqlite no-transaction", the section that a statement could move to.
std::string fitting_section(const Candidate& statement) {
  return std::string("'-- drover: ") +
         (statement.section.kind == Section::Kind::down ? "down " : "up ") +
         std::string(name_of(statement.dialect)) + " no-transaction'";
}

[[noreturn]] void refuse_copy(const Candidate& statement) {
  const bool by_client = fits(statement.text, statement.dialect, "copy ... from stdin") ||
                         fits(statement.text, statement.dialect, "copy ... to stdout");
  if (by_client) {
    statement.refuse("copy",
                     "COPY from or to the client needs data that a migration file cannot hold",
                     "Write the rows as an INSERT statement.");
  }
  statement.refuse("copy",
                   "COPY with a file or program acts on the server's machine, which other tenants "
                   "do not share",
                   "Write the rows as an INSERT statement.");
}

void check_pragma(const Candidate& statement) {
  const PragmaFinding pragma = look_at_pragma(statement.text);
  if (pragma.verdict == PragmaVerdict::forbidden) {
    statement.refuse("writable_schema",
                     "PRAGMA " + pragma.name + " could damage the database file",
                     "Rebuild the table instead: create, copy, drop, rename.");
  }
  if (pragma.verdict == PragmaVerdict::fine ||
      statement.section.transactional == Transactional::no) {
    return;
  }
  statement.refuse(
      "pragma",
      "PRAGMA " + pragma.name + " does not work inside a transaction",
      pragma.name == "foreign_keys"
          ? "Write '-- drover: set foreign_keys=on' in the header; without it they are "
            "off while the file runs, and checked before the commit."
          : "Move it to a section " + fitting_section(statement) + ".");
}

void check_statement(const Candidate& statement) {
  if (statement.text.front() == '.') {
    statement.refuse("client_command",
                     excerpt(statement.text) + " is a command of the sqlite3 shell",
                     "Write SQL; no shell stands between the file and the database.");
  }
  if (statement.kind == StatementKind::transaction_control) {
    statement.refuse(
        "transaction_control",
        excerpt(statement.text) + " controls the transaction, which Drover does itself",
        "Remove it; what must not run in one transaction goes into several sections.");
  }
  if (statement.kind == StatementKind::copy) {
    refuse_copy(statement);
  }
  if (statement.kind == StatementKind::attach_detach) {
    statement.refuse("attach",
                     excerpt(statement.text) + " reaches for another database file",
                     "Remove it; each database file is a tenant of its own.");
  }
  if (statement.kind == StatementKind::pragma && statement.dialect == Dialect::sqlite) {
    check_pragma(statement);
  }
  if (statement.dialect == Dialect::postgres &&
      fits(statement.text, statement.dialect, "discard all")) {
    statement.refuse("discard_all",
                     "DISCARD ALL would drop the lock that guards this tenant",
                     "Name what to discard: DISCARD PLANS, SEQUENCES or TEMP.");
  }
  if (statement.dialect == Dialect::postgres && releases_locks(statement.text)) {
    statement.refuse(
        "advisory_unlock",
        "pg_advisory_unlock_all() would drop the lock that guards this tenant",
        "Unlock the keys that the migration took, one by one, or take transaction locks.");
  }
  if (needs_no_transaction(statement.kind) &&
      statement.section.transactional == Transactional::yes) {
    statement.refuse("needs_no_transaction",
                     name_of(statement.kind) + " cannot run inside a transaction",
                     "Move it to a section " + fitting_section(statement) + ".");
  }
}

void check_marks(const Migration& file, const SectionText& text, const Section& section) {
  if (text.backslash != nullptr) {
    refuse(file,
           text.backslash,
           "client_command",
           "a backslash outside of quotes begins a command of psql",
           "Write SQL; no psql stands between the file and the database.");
  }
  if (text.load_extension != nullptr) {
    refuse(file,
           text.load_extension,
           "load_extension",
           "load_extension() would run foreign code in this program",
           "Remove it; extensions cannot be loaded from a migration.");
  }
  if (section.kind != Section::Kind::batch && !text.ranges.empty()) {
    refuse(file,
           text.ranges.front(),
           "misplaced_range",
           "{range} has a meaning in a batch only",
           "Make the section a batch, or write out the condition.");
  }
}

/// How messages call what is open, and what to do about it.
struct OpenRule {
  Unterminated::What what;
  std::string_view name;
  std::string_view hint;
};

constexpr std::string_view kCloseQuote =
    "Close it; no directive is seen inside of quotes and comments.";
constexpr std::string_view kCloseBody =
    "Close it; a directive ends the section even inside of parentheses and bodies.";

constexpr OpenRule kOpenRules[] = {
    {Unterminated::What::quote, "the quote", kCloseQuote},
    {Unterminated::What::quoted_name, "the quoted name", kCloseQuote},
    {Unterminated::What::dollar_quote, "the dollar quote", kCloseQuote},
    {Unterminated::What::comment, "the comment", kCloseQuote},
    {Unterminated::What::parenthesis, "the parenthesis", kCloseBody},
    {Unterminated::What::body, "the body", kCloseBody},
};

const char* behind(std::string_view text) {
  return text.data() + text.size();
}

void check_verify(const Migration& file, const Section& section) {
  const std::string hint =
      "Write one SELECT that gives one row with one column, true when all is well.";
  const auto& statements = section.statements;
  if (statements.empty()) {
    refuse(file, section.text.data(), "bad_verify", "the verify section holds no statement", hint);
  }
  if (statements.size() > 1) {
    refuse(file,
           statements[1].text.data(),
           "bad_verify",
           "the verify section holds " + std::to_string(statements.size()) + " statements",
           hint);
  }
  const SqlStatement& statement = statements.front();
  for (const Dialect dialect : dialects_of(section.dialect)) {
    if (kind_of(statement.text, dialect) != StatementKind::select) {
      refuse(file,
             statement.text.data(),
             "bad_verify",
             excerpt(statement.text) + " is not a SELECT, which a verify must be",
             hint);
    }
  }
}

void check_batch_statement(const Migration& file, const SectionText& text, const Section& section) {
  const auto& statements = section.statements;
  const auto refuse_batch = [&](const char* at, const std::string& message) {
    refuse(file,
           at,
           "bad_batch",
           message,
           "Write one statement with {range} where the condition on the key belongs, outside of "
           "quotes and comments.");
  };
  if (statements.empty()) {
    refuse_batch(section.text.data(), "the batch holds no statement");
  }
  if (statements.size() > 1) {
    refuse_batch(statements[1].text.data(),
                 "the batch holds " + std::to_string(statements.size()) + " statements");
  }
  if (text.ranges.empty()) {
    refuse_batch(behind(statements.front().text), "the statement of the batch holds no {range}");
  }
  if (text.ranges.size() > 1) {
    refuse_batch(text.ranges[1], "the statement of the batch holds {range} twice");
  }
}

/// A key that moves would have its row met again, or never.
void check_batch_key(const Migration& file, const Section& section) {
  for (const std::string& column : section.batch.key) {
    const auto& writes = section.batch.writes;
    if (std::find(writes.begin(), writes.end(), column) != writes.end()) {
      refuse(file,
             section.statements.front().text.data(),
             "bad_batch",
             "the statement of the batch changes " + shown(column) +
                 ", by which rows are gone through",
             "Go by a key that stays, or change it in another revision.");
    }
  }
}

}  // namespace

void refuse_open(const Migration& file, const Unterminated& open) {
  const auto* const rule =
      std::find_if(std::begin(kOpenRules), std::end(kOpenRules), [&](const OpenRule& each) {
        return each.what == open.what;
      });
  refuse(file,
         open.opened_at,
         "unterminated",
         std::string(rule->name) + " opened here is not closed before the section ends",
         std::string(rule->hint));
}

void take_statements(const Migration& file, const SectionText& text, Section& section) {
  for (const std::string_view statement : text.scan.statements) {
    // Of a section for both: what PostgreSQL has a word for, else what SQLite has.
    SqlStatement stored{statement, StatementKind::other};
    for (const Dialect dialect : dialects_of(section.dialect)) {
      const StatementKind kind = kind_of(statement, dialect);
      check_statement({file, section, statement, kind, dialect});
      stored.kind = stored.kind == StatementKind::other ? kind : stored.kind;
      name_objects(stored, dialect);
    }
    section.statements.push_back(stored);
  }
  check_marks(file, text, section);
  if (!text.scan.open.empty()) {
    refuse_open(file, text.scan.open.front());
  }
  if (section.kind == Section::Kind::verify) {
    check_verify(file, section);
  } else if (section.kind == Section::Kind::batch) {
    check_batch_statement(file, text, section);
    read_batch_statement(section.statements.front().text,
                         text.ranges.front(),
                         dialects_of(section.dialect).front(),
                         section.batch);
    check_batch_key(file, section);
    if (section.batch.check == BatchOptions::Check::checksum) {
      read_batch_assignments(file, section);
    }
  }
}

}  // namespace drover::engine::parse
