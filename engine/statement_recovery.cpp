#include "engine/statement_recovery.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

using Verdict = Recovery::Verdict;

Recovery unknown(const SqlStatement& statement, std::string why) {
  constexpr std::size_t kShown = 80;
  std::string head(statement.text.substr(0, kShown));
  std::replace(head.begin(), head.end(), '\n', ' ');
  Recovery recovery;
  recovery.verdict = Verdict::unknown;
  recovery.fault =
      found(ErrorCode::incomplete,
            "in_doubt",
            fmt::format("it is not known whether this statement took effect: {}{} ({})",
                        head,
                        statement.text.size() > kShown ? " ..." : "",
                        why),
            "Look at the database, then say so with repair --done or repair --redo.");
  return recovery;
}

/// The first `count` words of `text`, in upper case, without comments.
std::string first_words(std::string_view text, std::size_t count) {
  std::string words;
  for (std::size_t i = 0; i < text.size() && count > 0; ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("--")) {
      i += std::min(rest.find('\n'), rest.size());
    } else if (rest.starts_with("/*")) {
      i += std::min(rest.find("*/"), rest.size()) + 1;
    } else if (std::isalpha(c) != 0) {
      words += static_cast<char>(std::toupper(c));
      continue;
    }
    if (!words.empty() && words.back() != ' ') {
      words += ' ';
      --count;
    }
  }
  return words;
}

/// Runs one question; the rows, or nothing when it could not be asked.
std::optional<ResultSet> ask(TenantSession& tenant,
                             const OwnedStatement& question,
                             const Patience& patience) {
  Exchange answer = tenant.exchange({question}, patience);
  if (!answer.ok()) {
    tenant.roll_back();
    return std::nullopt;
  }
  return std::move(answer.results.front());
}

std::string written(std::string_view name) {
  return std::string(name);
}

struct IndexState {
  bool exists = false;
  bool valid = false;
  bool being_built = false;
  std::string name;        ///< Qualified and quoted.
  std::string definition;  ///< The server's own text.
};

std::optional<IndexState> look_at_index(TenantSession& tenant,
                                        const SqlStatement& statement,
                                        const Patience& patience) {
  // $1 index name and $2 table name, as the migration writes them
  const auto rows = ask(tenant,
                        {R"(SELECT i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid),
       EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p
                WHERE p.index_relid = i.indexrelid),
       pg_catalog.format('%I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_class t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  JOIN pg_catalog.pg_class c ON c.relnamespace = t.relnamespace
       AND c.relname = (pg_catalog.parse_ident($1))[pg_catalog.cardinality(pg_catalog.parse_ident($1))]
  JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
 WHERE t.oid = pg_catalog.to_regclass($2))",
                         {written(statement.object), written(statement.table)}},
                        patience);
  if (!rows) {
    return std::nullopt;
  }
  if (rows->rows.empty()) {
    return IndexState{};
  }
  const auto& row = rows->rows.front();
  return IndexState{true, truth_of(row[0]), truth_of(row[2]), text_of(row[3]), text_of(row[1])};
}

/// What of the server's own text tells one index definition from another: all but the names.
std::string shape_of(const std::string& definition) {
  const std::size_t using_at = definition.find(" USING ");
  return (definition.starts_with("CREATE UNIQUE") ? "unique" : "") +
         definition.substr(std::min(using_at, definition.size()));
}

/// The server's own text of the index that `statement` asks for, from an empty table like the real
/// one; rolled back.
std::optional<std::string> wanted_definition(TenantSession& tenant,
                                             const SqlStatement& statement,
                                             const Patience& patience) {
  const char* const rest = statement.table.data() + statement.table.size();
  const std::string tail(rest, statement.text.data() + statement.text.size());
  const Exchange answer = tenant.exchange(
      {{"BEGIN"},
       {fmt::format("CREATE TEMP TABLE drover_like (LIKE {})", statement.table)},
       {fmt::format("CREATE {} INDEX drover_like_index ON pg_temp.drover_like {}",
                    first_words(statement.text, 2) == "CREATE UNIQUE " ? "UNIQUE" : "",
                    tail)},
       {"SELECT pg_catalog.pg_get_indexdef('pg_temp.drover_like_index'::pg_catalog.regclass)"},
       {"ROLLBACK"}},
      patience);
  if (!answer.ok()) {
    tenant.roll_back();
    return std::nullopt;
  }
  return text_of(answer.results[3].rows.front().front());
}

Recovery drop_invalid(TenantSession& tenant,
                      const SqlStatement& statement,
                      const std::string& index,
                      const Patience& patience) {
  const std::string sql = fmt::format("DROP INDEX CONCURRENTLY IF EXISTS {}", index);
  const Statement drop{sql};
  const Exchange answer = tenant.exchange(std::span(&drop, 1), patience);
  if (answer.ok()) {
    return {};
  }
  return unknown(statement,
                 fmt::format("it left the INVALID index {}, which cannot be dropped: {}",
                             index,
                             answer.error->message));
}

Recovery recover_create_index(TenantSession& tenant,
                              const SqlStatement& statement,
                              const Patience& patience) {
  if (statement.object.empty()) {
    return unknown(statement, "the index has no name in the migration");
  }
  const auto index = look_at_index(tenant, statement, patience);
  if (!index) {
    return unknown(statement, "the catalogue could not be read");
  }
  if (!index->exists) {
    return {};
  }
  if (!index->valid) {
    return index->being_built
               ? unknown(statement, fmt::format("a backend is building {}", index->name))
               : drop_invalid(tenant, statement, index->name, patience);
  }
  const auto wanted = wanted_definition(tenant, statement, patience);
  if (wanted && shape_of(*wanted) == shape_of(index->definition)) {
    return {Verdict::done};
  }
  return unknown(statement, fmt::format("{} is there, and is another index", index->name));
}

/// Asks a question whose only value tells whether the statement took effect.
Recovery by_question(TenantSession& tenant,
                     const SqlStatement& statement,
                     const OwnedStatement& question,
                     const Patience& patience) {
  const auto rows = ask(tenant, question, patience);
  if (!rows || rows->rows.empty()) {
    return unknown(statement, "the catalogue could not be read");
  }
  return {truth_of(rows->rows.front().front()) ? Verdict::done : Verdict::redo};
}

Recovery recover_detach(TenantSession& tenant,
                        const SqlStatement& statement,
                        const Patience& patience) {
  // $1 partition, $2 parent
  const auto rows = ask(tenant,
                        {"SELECT inhdetachpending FROM pg_catalog.pg_inherits "
                         "WHERE inhrelid = pg_catalog.to_regclass($1) "
                         "AND inhparent = pg_catalog.to_regclass($2)",
                         {written(statement.object), written(statement.table)}},
                        patience);
  if (!rows) {
    return unknown(statement, "the catalogue could not be read");
  }
  if (rows->rows.empty()) {
    return {Verdict::done};
  }
  Recovery recovery;
  if (truth_of(rows->rows.front().front())) {
    recovery.instead = fmt::format(
        "ALTER TABLE {} DETACH PARTITION {} FINALIZE", statement.table, statement.object);
  }
  return recovery;
}

/// REINDEX CONCURRENTLY that was cut short leaves INVALID "_ccnew" (or "_ccold") indexes.
Recovery recover_reindex(TenantSession& tenant,
                         const SqlStatement& statement,
                         const Patience& patience) {
  // $1 schema
  const auto rows = ask(tenant,
                        {R"(SELECT pg_catalog.string_agg(c.relname, ', ' ORDER BY c.relname)
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT i.indisvalid AND n.nspname = $1 AND c.relname ~ '_cc(new|old)[0-9]*$')",
                         {tenant.target().schema}},
                        patience);
  if (!rows) {
    return unknown(statement, "the catalogue could not be read");
  }
  const std::string leftovers = text_of(rows->rows.front().front());
  return leftovers.empty() ? Recovery{}
                           : unknown(statement, "it left INVALID indexes behind: " + leftovers);
}

OwnedStatement exists_in(std::string_view catalogue,
                         std::string_view column,
                         std::string_view wanted,
                         std::string_view name) {
  // $1 name
  return {fmt::format("SELECT {} EXISTS (SELECT FROM pg_catalog.{} "
                      "WHERE {} = (pg_catalog.parse_ident($1))[1])",
                      wanted,
                      catalogue,
                      column),
          {written(name)}};
}

/// The question that tells whether a statement of this kind took effect; empty: there is none.
OwnedStatement question_for(const SqlStatement& statement) {
  switch (statement.kind) {
    case StatementKind::drop_index_concurrently:
      return {"SELECT pg_catalog.to_regclass($1) IS NULL", {written(statement.object)}};
    case StatementKind::alter_type_add_value:
      return {fmt::format("SELECT EXISTS (SELECT FROM pg_catalog.pg_enum "
                          "WHERE enumtypid = pg_catalog.to_regtype($1) AND enumlabel = {})",
                          statement.table),
              {written(statement.object)}};
    case StatementKind::validate_constraint:
      return {
          "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE convalidated "
          "AND conrelid = pg_catalog.to_regclass($2) "
          "AND conname = (pg_catalog.parse_ident($1))[1])",
          {written(statement.object), written(statement.table)}};
    case StatementKind::create_database:
      return exists_in("pg_database", "datconnlimit <> -2 AND datname", "", statement.object);
    case StatementKind::drop_database:
      return exists_in("pg_database", "datname", "NOT", statement.object);
    case StatementKind::create_tablespace:
      return exists_in("pg_tablespace", "spcname", "", statement.object);
    case StatementKind::drop_tablespace:
      return exists_in("pg_tablespace", "spcname", "NOT", statement.object);
    default:
      return {};
  }
}

/// Statements that may be run once more without harm, whether they took effect or not.
bool may_run_twice(StatementKind kind) {
  constexpr StatementKind kKinds[] = {StatementKind::vacuum,
                                      StatementKind::reindex,
                                      StatementKind::refresh_concurrently,
                                      StatementKind::alter_system,
                                      StatementKind::cluster_all,
                                      StatementKind::pragma};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

}  // namespace

bool runs_without_timeouts(StatementKind kind) noexcept {
  constexpr StatementKind kKinds[] = {StatementKind::create_index_concurrently,
                                      StatementKind::drop_index_concurrently,
                                      StatementKind::reindex_concurrently,
                                      StatementKind::reindex,
                                      StatementKind::detach_concurrently,
                                      StatementKind::refresh_concurrently,
                                      StatementKind::vacuum,
                                      StatementKind::validate_constraint};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

Recovery recover_statement(TenantSession& tenant,
                           const SqlStatement& statement,
                           const Patience& patience) {
  if (may_run_twice(statement.kind)) {
    return {};
  }
  switch (statement.kind) {
    case StatementKind::create_index_concurrently:
      return recover_create_index(tenant, statement, patience);
    case StatementKind::detach_concurrently:
      return recover_detach(tenant, statement, patience);
    case StatementKind::reindex_concurrently:
      return recover_reindex(tenant, statement, patience);
    default:
      break;
  }
  const OwnedStatement question = question_for(statement);
  if (question.sql.empty()) {
    return unknown(statement, "nothing in the database tells");
  }
  return by_question(tenant, statement, question, patience);
}

bool runs_in_several_transactions(StatementKind kind) noexcept {
  constexpr StatementKind kKinds[] = {StatementKind::create_index_concurrently,
                                      StatementKind::reindex_concurrently,
                                      StatementKind::detach_concurrently};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

std::optional<TenantFault> taken_by_another(TenantSession& tenant,
                                            const SqlStatement& statement,
                                            const Patience& patience) {
  if (statement.kind != StatementKind::create_index_concurrently || statement.object.empty()) {
    return std::nullopt;
  }
  const auto index = look_at_index(tenant, statement, patience);
  if (!index || !index->exists) {
    return std::nullopt;
  }
  return found(
      ErrorCode::incomplete,
      "already_exists",
      fmt::format("there is an index {} already that this migration did not make", index->name),
      "Compare the two; drop or rename the one that is there.");
}

}  // namespace drover::engine
