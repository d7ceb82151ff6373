#include "engine/batch_path.h"

#include <algorithm>

#include <fmt/format.h>

#include "engine/sql_value.h"
#include "engine/tenant_session.h"

namespace drover::engine {
namespace {

constexpr int kTidRanges = 140000;  ///< The first server that scans a range of ctid.

/// $1 table as written. Size by statistics; -1 is "never analysed".
constexpr std::string_view kTableQuery = R"(SELECT c.oid::bigint,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
       CASE WHEN c.relkind = 'p' THEN (
         SELECT pg_catalog.sum(GREATEST(l.reltuples, 0))
           FROM pg_catalog.pg_partition_tree(c.oid) t
           JOIN pg_catalog.pg_class l ON l.oid = t.relid WHERE t.isleaf)
       ELSE c.reltuples END::bigint
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind IN ('r', 'p'))";

/// $1 table, $2 the key's columns as written, NULL for the primary key. The columns of the first
/// unique index that fits: name, type, whether NULL is refused.
constexpr std::string_view kKeyQuery = R"(WITH wanted AS (
  SELECT pg_catalog.array_agg((pg_catalog.parse_ident(u.name))[1] ORDER BY u.place) AS names
    FROM pg_catalog.unnest($2::text[]) WITH ORDINALITY u (name, place)),
fits AS (
  SELECT i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts
    FROM pg_catalog.pg_index i, wanted w
   WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisunique AND i.indisvalid
     AND i.indpred IS NULL AND i.indexprs IS NULL
     AND CASE WHEN $2::text[] IS NULL THEN i.indisprimary ELSE w.names = (
           SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
             FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE k.place <= i.indnkeyatts) END
   ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1)
SELECT pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull
  FROM fits f, pg_catalog.unnest(f.indkey::int2[]) WITH ORDINALITY k (number, place)
  JOIN pg_catalog.pg_attribute a ON a.attnum = k.number
 WHERE a.attrelid = f.indrelid AND k.place <= f.indnkeyatts ORDER BY k.place)";

/// $1 table. Its leaves; of a table without partitions none.
constexpr std::string_view kLeavesQuery = R"(SELECT
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
  FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($1)) t
  JOIN pg_catalog.pg_class c ON c.oid = t.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE t.isleaf AND t.parentrelid IS NOT NULL AND c.relkind = 'r' ORDER BY c.oid)";

/// $1 table, $2 columns as written.
constexpr std::string_view kTypesQuery =
    R"(SELECT COALESCE(pg_catalog.format_type(a.atttypid, a.atttypmod), 'text')
  FROM pg_catalog.unnest($2::text[]) WITH ORDINALITY u (name, place)
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = pg_catalog.to_regclass($1)
   AND a.attname = (pg_catalog.parse_ident(u.name))[1] AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY u.place)";

/// What a quoted name stands for; another one as it is.
std::string without_quotes(std::string_view name) {
  if (name.size() < 2 || name.front() != '"') {
    return std::string(name);
  }
  std::string text;
  for (std::size_t i = 1; i + 1 < name.size(); ++i) {
    text += name[i];
    i += name.substr(i, 2) == "\"\"" ? 1U : 0U;
  }
  return text;
}

std::string in_lower_case(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name;
}

/// A name as SQLite's functions take it: without quotes, and without "main.".
std::string bare(std::string_view name) {
  bool in_quotes = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    in_quotes = in_quotes != (name[i] == '"');
    begin = name[i] == '.' && !in_quotes ? i + 1 : begin;
  }
  return without_quotes(name.substr(begin));
}

/// SQLite knows a name in any case.
bool is_same(const std::string& a, const std::string& b) {
  return in_lower_case(a) == in_lower_case(b);
}

std::vector<OwnedStatement> questions_for_sqlite(const BatchOptions& options) {
  const std::string table = bare(options.table);
  return {
      {"SELECT wr, name FROM pragma_table_list "
       "WHERE schema = 'main' AND lower(name) = lower(?1) AND type = 'table'",
       {table}},
      {"SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1) ORDER BY pk, cid", {table}},
      {"SELECT l.name, i.name FROM pragma_index_list(?1) l, pragma_index_info(l.name) i "
       "WHERE l.\"unique\" AND NOT l.partial ORDER BY l.name, i.seqno",
       {table}}};
}

TenantFault fault_of_table(const BatchOptions& options,
                           std::string kind,
                           const std::string& what,
                           std::string hint) {
  return found(ErrorCode::incomplete,
               std::move(kind),
               fmt::format("table '{}' of the batch {}", options.table, what),
               std::move(hint));
}

struct Column {
  std::string name;  ///< Quoted.
  std::string type;
  bool not_null = false;
};

std::vector<Column> columns_of_postgres(const ResultSet& answer) {
  std::vector<Column> columns;
  for (const auto& row : answer.rows) {
    columns.push_back({text_of(row[0]), text_of(row[1]), truth_of(row[2])});
  }
  return columns;
}

/// Whether a unique index has just the columns of `names`, in their order.
bool has_unique_index(const ResultSet& indexes, const std::vector<std::string>& names) {
  std::string index;
  std::vector<std::string> columns;
  bool fits = false;
  for (const auto& row : indexes.rows) {
    if (text_of(row[0]) != index) {
      fits = fits || (columns == names && !names.empty());
      index = text_of(row[0]);
      columns.clear();
    }
    columns.push_back(text_of(row[1]));
  }
  return fits || (columns == names && !names.empty());
}

std::vector<Column> columns_of_sqlite(const BatchOptions& options,
                                      const std::vector<ResultSet>& answers) {
  const bool without_rowid = truth_of(answers[0].rows.front().front());
  std::vector<std::string> primary;
  for (const auto& row : answers[1].rows) {
    if (integer_of(row[3]) > 0) {
      primary.push_back(text_of(row[0]));
    }
  }
  std::vector<std::string> wanted = primary;
  if (!options.key.empty()) {
    wanted.clear();
    for (const std::string& written : options.key) {
      const auto& known = answers[1].rows;
      const auto row = std::find_if(known.begin(), known.end(), [&](const auto& one) {
        return is_same(text_of(one[0]), bare(written));
      });
      if (row == known.end()) {
        return {};
      }
      wanted.push_back(text_of((*row)[0]));
    }
    if (wanted != primary && !has_unique_index(answers[2], wanted)) {
      return {};
    }
  }
  std::vector<Column> columns;
  for (const std::string& name : wanted) {
    const auto row = std::find_if(answers[1].rows.begin(),
                                  answers[1].rows.end(),
                                  [&](const auto& one) { return text_of(one[0]) == name; });
    if (row == answers[1].rows.end()) {
      return {};
    }
    const bool rowid = primary.size() == 1 && wanted == primary &&
                       (text_of((*row)[1]) == "INTEGER" || text_of((*row)[1]) == "integer");
    columns.push_back(
        {quoted_identifier(name),
         text_of((*row)[1]),
         rowid || truth_of((*row)[2]) || (without_rowid && integer_of((*row)[3]) > 0)});
  }
  return columns;
}

/// Names as written, a quoted one with its quotes, mean the same column.
bool same_name(const std::string& written, const std::string& column) {
  const auto folded = [](const std::string& name) {
    return name.starts_with('"') ? without_quotes(name) : in_lower_case(name);
  };
  return folded(written) == folded(column);
}

/// SQLite lets primary keys be NULL, though hardly any is: there the rows are looked at.
std::optional<TenantFault> key_fault(Dialect dialect,
                                     const BatchOptions& options,
                                     const std::vector<Column>& columns) {
  if (columns.empty()) {
    return options.key.empty()
               ? fault_of_table(options,
                                "batch_key_missing",
                                "has no primary key",
                                "Name the columns of a unique index: key=a,b.")
               : fault_of_table(
                     options,
                     "batch_key_not_unique",
                     fmt::format("has no unique index on just {}, in this order",
                                 fmt::join(options.key, ", ")),
                     "Leave out key= to go by the primary key, or name a unique index's columns.");
  }
  for (const Column& column : columns) {
    if (!column.not_null && dialect == Dialect::postgres) {
      return fault_of_table(options,
                            "batch_key_nullable",
                            fmt::format("lets its key column {} be NULL, and such rows would never "
                                        "be met",
                                        column.name),
                            "Go by a key whose columns are NOT NULL.");
    }
    for (const std::string& written : options.writes) {
      if (dialect == Dialect::sqlite ? is_same(bare(written), bare(column.name))
                                     : same_name(written, column.name)) {
        return fault_of_table(
            options,
            "batch_key_changes",
            fmt::format("is gone through by {}, which the statement changes", column.name),
            "Name another unique key with key=.");
      }
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<OwnedStatement> path_questions(Dialect dialect, const BatchOptions& options) {
  if (dialect == Dialect::sqlite) {
    return questions_for_sqlite(options);
  }
  return {
      {std::string(kTableQuery), {options.table}},
      {std::string(kKeyQuery),
       {options.table, options.key.empty() ? SqlValue() : SqlValue(text_array_of(options.key))}},
      {std::string(kLeavesQuery), {options.table}}};
}

OwnedStatement value_types_question(const BatchOptions& options) {
  std::vector<std::string> columns;
  for (const BatchOptions::Assignment& one : options.assigns) {
    columns.push_back(one.column);
  }
  return {std::string(kTypesQuery), {options.table, SqlValue(text_array_of(columns))}};
}

std::variant<FoundPath, TenantFault> found_path(Dialect dialect,
                                                const BatchOptions& options,
                                                const std::vector<ResultSet>& answers,
                                                int server_version) {
  const bool postgres = dialect == Dialect::postgres;
  if (answers[0].rows.empty()) {
    return fault_of_table(options,
                          "batch_table_missing",
                          "is not there",
                          "Look at the table's name, and at the search_path of the tenant.");
  }
  const std::vector<SqlValue>& table = answers[0].rows.front();
  FoundPath found;
  found.path.descending = options.descending;
  found.path.table = postgres ? text_of(table[1]) : quoted_identifier(text_of(table[1]));
  found.path.table_oid = postgres ? integer_of(table[0]) : 0;
  if (postgres) {
    const std::int64_t estimate = integer_of(table[2]);
    found.analysed = estimate >= 0;
    found.estimated_rows = static_cast<std::uint64_t>(std::max<std::int64_t>(estimate, 0));
    for (const auto& row : answers[2].rows) {
      found.parts.push_back(text_of(row.front()));
    }
  }
  if (found.parts.empty()) {
    found.parts.emplace_back();
  }
  if (options.heap) {
    if (server_version < kTidRanges) {
      return fault_of_table(options,
                            "batch_needs_newer_server",
                            "is gone through in the heap's order, which takes PostgreSQL 14",
                            "Go by a key instead: leave out scan=heap.");
    }
    found.path.scan = BatchPath::Scan::heap;
    found.path.columns = {"ctid"};
    return found;
  }
  const std::vector<Column> columns =
      postgres ? columns_of_postgres(answers[1]) : columns_of_sqlite(options, answers);
  if (auto fault = key_fault(dialect, options, columns)) {
    return std::move(*fault);
  }
  for (const Column& column : columns) {
    found.path.columns.push_back(column.name);
    if (!column.not_null) {
      const bool first = found.look_for_null.empty();
      found.look_for_null += first ? "SELECT 1 FROM " + found.path.table + " WHERE " : " OR ";
      found.look_for_null += column.name + " IS NULL";
    }
    if (postgres) {
      found.path.types.push_back(column.type);
    }
  }
  return found;
}

}  // namespace drover::engine
