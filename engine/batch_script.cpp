#include "engine/batch_script.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// Of the table in our own queries. Without it, ORDER BY would mean a column of the answer, a text.
constexpr std::string_view kRow = "k.";

constexpr std::size_t kRangeSize = std::string_view("{range}").size();

/// Where what is behind `key` begins in a heap: `key` is a page, or a page and a row of it.
std::string behind(const BatchKey& key) {
  return key.size() == 1 ? fmt::format("({},0)", integer_of(key[0]) + 1)
                         : fmt::format("({},{})", key[0], integer_of(key[1]) + 1);
}

/// The last name of "a"."b", with its quotes.
std::string unqualified(const std::string& table) {
  std::size_t begin = 0;
  bool in_quotes = false;
  for (std::size_t i = 0; i < table.size(); ++i) {
    in_quotes = in_quotes != (table[i] == '"');
    begin = table[i] == '.' && !in_quotes ? i + 1 : begin;
  }
  return table.substr(begin);
}

/// A quoted name without its quotes.
std::string bare_name(const std::string& name) {
  return name.size() > 1 && name.front() == '"' ? name.substr(1, name.size() - 2) : name;
}

}  // namespace

std::string trigger_name(const BatchId& id) {
  constexpr std::size_t kDigits = 16;
  return "drover_sync_" +
         base::sha256_hex(fmt::format("{} {}", id.revision.value, id.unit)).substr(0, kDigits);
}

BatchScript::BatchScript(Dialect dialect, const Section& section, BatchPath path)
    : dialect_(dialect),
      options_(section.batch),
      statement_(section.statements.front().text),
      path_(std::move(path)) {}

std::string BatchScript::readable(const BatchKey& key) {
  return fmt::format("({})", fmt::join(key, ", "));
}

std::optional<BatchKey> BatchScript::key_in(const ResultSet& answer) const {
  return answer.rows.empty() ? std::nullopt : key_at(answer.rows.front(), 0);
}

std::optional<BatchScript::Checked> BatchScript::checked_in(const ResultSet& answer) const {
  if (answer.rows.empty()) {
    return std::nullopt;
  }
  const std::vector<SqlValue>& row = answer.rows.front();
  return Checked{static_cast<std::uint64_t>(integer_of(row[0])),
                 *key_at(row, 1),
                 key_at(row, 1 + path_.columns.size())};
}

std::optional<BatchKey> BatchScript::key_at(const std::vector<SqlValue>& row,
                                            std::size_t first_column) const {
  if (!row[first_column]) {
    return std::nullopt;
  }
  const auto begin = row.begin() + static_cast<std::ptrdiff_t>(first_column);
  BatchKey key;
  std::transform(begin,
                 begin + static_cast<std::ptrdiff_t>(path_.columns.size()),
                 std::back_inserter(key),
                 text_of);
  if (heap() && key.front().starts_with('(')) {  // "(17,3)"
    const std::string& place = key.front();
    const std::size_t comma = place.find(',');
    return BatchKey{place.substr(1, comma - 1), place.substr(comma + 1, place.size() - comma - 2)};
  }
  return key;
}

std::string BatchScript::table_of(const std::string& part) const {
  return part.empty() ? path_.table : part;
}

/// `comparison` of the key's columns with `key`, as one value or as a row.
std::string BatchScript::compare(std::string_view comparison,
                                 const BatchKey& key,
                                 const std::string& qualifier,
                                 std::vector<SqlValue>& params) const {
  std::string left;
  std::string right;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const std::string_view comma = i == 0 ? "" : ", ";
    left += fmt::format("{}{}{}", comma, qualifier, path_.columns[i]);
    if (postgres()) {
      params.emplace_back(key[i]);
      right += fmt::format("{}${}::{}", comma, params.size(), path_.types[i]);
    } else {
      right += fmt::format("{}{}", comma, key[i]);
    }
  }
  return key.size() == 1 ? fmt::format("{} {} {}", left, comparison, right)
                         : fmt::format("({}) {} ({})", left, comparison, right);
}

BatchScript::Bounds BatchScript::bounds(const std::optional<BatchKey>& from,
                                        const std::optional<BatchKey>& to,
                                        const std::string& qualifier) const {
  Bounds bounds;
  const auto add = [&](const std::string& condition) {
    bounds.condition += (bounds.condition.empty() ? "" : " AND ") + condition;
  };
  if (heap()) {
    for (const auto& [key, comparison] : {std::pair(from, ">="), std::pair(to, "<")}) {
      if (key) {
        bounds.params.emplace_back(behind(*key));
        add(fmt::format("{}ctid {} ${}::tid", qualifier, comparison, bounds.params.size()));
      }
    }
  } else {
    if (from) {
      add(compare(path_.descending ? "<" : ">", *from, qualifier, bounds.params));
    }
    if (to) {
      add(compare(path_.descending ? ">=" : "<=", *to, qualifier, bounds.params));
    }
  }
  bounds.condition = bounds.condition.empty() ? "true" : bounds.condition;
  return bounds;
}

std::string BatchScript::columns_as_text(std::string_view qualifier) const {
  std::string list;
  for (const std::string& column : path_.columns) {
    list += list.empty() ? "" : ", ";
    list += postgres() ? fmt::format("{}{}::text", qualifier, column)
                       : fmt::format("quote({}{})", qualifier, column);
  }
  return list;
}

std::string BatchScript::order(bool backwards, std::string_view qualifier) const {
  std::string list;
  for (const std::string& column : path_.columns) {
    list += fmt::format("{}{}{}{}",
                        list.empty() ? "" : ", ",
                        qualifier,
                        column,
                        path_.descending != backwards ? " DESC" : "");
  }
  return list;
}

/// The user's statement with `condition` in its place, and the leaf in the table's.
std::string BatchScript::statement_with(const std::string& part,
                                        const std::string& condition) const {
  std::string sql(statement_);
  sql.replace(options_.range_at, kRangeSize, condition);
  if (!part.empty() && options_.table_size > 0) {
    const bool before = options_.table_at < options_.range_at;
    const std::size_t at =
        before ? options_.table_at : options_.table_at + condition.size() - kRangeSize;
    sql.replace(at,
                options_.table_size,
                options_.aliased ? part : fmt::format("{} AS {}", part, options_.called));
  }
  return sql;
}

OwnedStatement BatchScript::work(const std::string& part,
                                 const std::optional<BatchKey>& from,
                                 const BatchKey& to) const {
  return work_where(part, bounds(from, to, qualifier()));
}

OwnedStatement BatchScript::work_one(const std::string& part, const BatchKey& key) const {
  Bounds range;
  if (heap()) {
    range.condition = qualifier() + "ctid = $1::tid";
    range.params = {fmt::format("({})", fmt::join(key, ","))};
  } else {
    range.condition = compare("=", key, qualifier(), range.params);
  }
  return work_where(part, std::move(range));
}

/// The name by which the statement calls the table, for its columns.
std::string BatchScript::qualifier() const {
  return options_.called.empty() ? "" : options_.called + ".";
}

OwnedStatement BatchScript::work_where(const std::string& part, Bounds range) const {
  std::string condition = "(" + range.condition;
  if (!options_.where.empty()) {
    condition += fmt::format(" AND ({})", options_.where);
  }
  if (can_check()) {  // so that going over a row again does it no harm
    condition += fmt::format(" AND {}", is_due());
  }
  return {statement_with(part, condition + ")"), std::move(range.params)};
}

bool BatchScript::can_check() const noexcept {
  return !options_.done.empty() || compares();
}

/// The values are compared as text, each as its column would hold it: not every type can be
/// compared, and text is told apart where a collation would not.
std::string BatchScript::values_differ() const {
  std::string condition;
  for (std::size_t i = 0; i < options_.assigns.size(); ++i) {
    const BatchOptions::Assignment& one = options_.assigns[i];
    condition += condition.empty() ? "" : " OR ";
    condition += postgres() ? fmt::format("({0}{1})::text IS DISTINCT FROM (({2})::{3})::text",
                                          qualifier(),
                                          one.column,
                                          one.value,
                                          path_.value_types[i])
                            : fmt::format("{}{} IS NOT ({})", qualifier(), one.column, one.value);
  }
  return condition;
}

/// The condition on a row that the statement is still to change.
std::string BatchScript::is_due() const {
  std::string condition;
  if (!options_.done.empty()) {
    condition = fmt::format("({}) IS NOT TRUE", options_.done);
  }
  if (compares()) {
    condition += fmt::format("{}{}", condition.empty() ? "" : " OR ", values_differ());
  }
  return "(" + condition + ")";
}

OwnedStatement BatchScript::probe(const std::string& part,
                                  const std::optional<BatchKey>& from,
                                  const BatchKey& end,
                                  std::uint64_t rows) const {
  Bounds range = bounds(from, end, std::string(kRow));
  return {fmt::format("SELECT {} FROM {} AS k WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
                      columns_as_text(kRow),
                      table_of(part),
                      range.condition,
                      order(false, kRow),
                      rows - 1),
          std::move(range.params)};
}

OwnedStatement BatchScript::count(const std::string& part,
                                  const std::optional<BatchKey>& from,
                                  const BatchKey& to) const {
  Bounds range = bounds(from, to, std::string(kRow));
  return {fmt::format("SELECT count(*) FROM {} AS k WHERE {}", table_of(part), range.condition),
          std::move(range.params)};
}

OwnedStatement BatchScript::last(const std::string& part) const {
  if (heap()) {
    return {
        "SELECT pg_catalog.pg_relation_size($1::regclass) / "
        "pg_catalog.current_setting('block_size')::bigint - 1",
        {table_of(part)}};
  }
  return {fmt::format("SELECT {} FROM {} AS k ORDER BY {} LIMIT 1",
                      columns_as_text(kRow),
                      table_of(part),
                      order(true, kRow))};
}

OwnedStatement BatchScript::middle(const std::string& part,
                                   const std::optional<BatchKey>& from,
                                   const BatchKey& end,
                                   double percent) const {
  Bounds range = bounds(from, end, std::string(kRow));
  return {
      fmt::format("WITH sample AS (SELECT {0} FROM {1} AS k TABLESAMPLE SYSTEM ({2}) WHERE {3}) "
                  "SELECT {4} FROM sample AS k ORDER BY {5} LIMIT 1 "
                  "OFFSET (SELECT count(*) / 2 FROM sample)",
                  fmt::format("k.{}", fmt::join(path_.columns, ", k.")),
                  table_of(part),
                  percent,
                  range.condition,
                  columns_as_text(kRow),
                  order(false, kRow)),
      std::move(range.params)};
}

/// The condition on a row of the table that it is meant and not as it should be.
std::string BatchScript::is_meant_and_due() const {
  std::string condition = is_due();
  if (compares()) {  // which rows are meant, says the statement's own condition
    std::string own(statement_.substr(options_.condition_at));
    own.replace(options_.range_at - options_.condition_at, kRangeSize, "1 = 1");
    condition += fmt::format(" AND ({})", own);
  }
  if (!options_.where.empty()) {
    condition += fmt::format(" AND ({})", options_.where);
  }
  return condition;
}

std::string BatchScript::texts_of(char alias) const {
  std::string list;
  for (std::size_t i = 0; i < path_.columns.size(); ++i) {
    list += fmt::format("{}{}.t{}", i == 0 ? "" : ", ", alias, i);
  }
  return list;
}

/// One pass over the rows: to look for the end of the chunk first would read them twice.
OwnedStatement BatchScript::check(const std::string& part,
                                  const std::optional<BatchKey>& from,
                                  const BatchKey& to,
                                  std::uint64_t rows) const {
  const std::string table = table_of(part);
  const std::string qualified = options_.called.empty() ? table + "." : qualifier();
  Bounds range = bounds(from, to, qualified);
  std::string columns;
  std::string forth;
  std::string back;
  for (std::size_t i = 0; i < path_.columns.size(); ++i) {
    const std::string column = qualified + path_.columns[i];
    const std::string_view comma = i == 0 ? "" : ", ";
    columns += fmt::format("{0} AS k{1}, {2} AS t{1}, ",
                           column,
                           i,
                           postgres() ? column + "::text" : fmt::format("quote({})", column));
    forth += fmt::format("{}k{}{}", comma, i, path_.descending ? " DESC" : "");
    back += fmt::format("{}k{}{}", comma, i, path_.descending ? "" : " DESC");
  }
  const std::string cut =
      heap() ? "" : fmt::format(" ORDER BY {} LIMIT {}", order(false, qualified), rows);
  return {fmt::format("WITH chunk AS (SELECT {}({}) AS due FROM {}{} WHERE {}{}) "
                      "SELECT (SELECT count(*) FROM chunk WHERE due), {}, {} "
                      "FROM (SELECT * FROM chunk ORDER BY {} LIMIT 1) AS l LEFT JOIN "
                      "(SELECT * FROM chunk WHERE due ORDER BY {} LIMIT 1) AS f ON 1 = 1",
                      columns,
                      is_meant_and_due(),
                      table,
                      options_.called.empty() ? "" : " AS " + options_.called,
                      range.condition,
                      cut,
                      texts_of('l'),
                      texts_of('f'),
                      back,
                      forth),
          std::move(range.params)};
}

OwnedStatement BatchScript::explain(const OwnedStatement& statement) const {
  return {(postgres() ? "EXPLAIN " : "EXPLAIN QUERY PLAN ") + statement.sql, statement.params};
}

std::string BatchScript::whole_table_read(const ResultSet& plan, const std::string& part) const {
  // "  ->  Seq Scan on files f  (cost=...": without the schema. SQLite: "SCAN files".
  const std::string_view verb = postgres() ? "Seq Scan on " : "SCAN ";
  const std::string table = unqualified(table_of(part));
  for (const auto& row : plan.rows) {
    const std::string line = text_of(row.back());
    const std::size_t at = line.find(verb);
    if (at == std::string::npos) {
      continue;
    }
    const std::string scanned = line.substr(at + verb.size()) + " ";
    const bool is_ours = scanned.starts_with(table + " ") ||
                         (!postgres() && (scanned.starts_with(options_.called + " ") ||
                                          scanned.starts_with(bare_name(table) + " ")));
    if (is_ours) {
      return line.substr(line.find_first_not_of(" ->"));
    }
  }
  return "";
}

std::vector<OwnedStatement> BatchScript::make_trigger(const BatchId& id,
                                                      const std::string& schema) const {
  const std::string name = trigger_name(id);
  std::string same_row;
  for (const std::string& column : path_.columns) {
    same_row += fmt::format(
        "{}{}{} = NEW.{}", same_row.empty() ? "" : " AND ", qualifier(), column, column);
  }
  const std::string condition =
      fmt::format("({}{} AND {})",
                  same_row,
                  options_.where.empty() ? "" : fmt::format(" AND ({})", options_.where),
                  is_due());
  const std::string sql = statement_with("", condition);
  std::vector<OwnedStatement> statements = drop_trigger(id, schema);
  if (!postgres()) {
    for (const auto& [suffix, event] : {std::pair("_i", "INSERT"), std::pair("_u", "UPDATE")}) {
      statements.push_back({fmt::format("CREATE TRIGGER {}{} AFTER {} ON {} BEGIN {}; END",
                                        name,
                                        suffix,
                                        event,
                                        path_.table,
                                        sql)});
    }
    return statements;
  }
  const std::string function = fmt::format("{}.{}", quoted_identifier(schema), name);
  statements.push_back(
      {fmt::format("CREATE FUNCTION {0}() RETURNS trigger LANGUAGE plpgsql "
                   "SET search_path FROM CURRENT AS ${1}$\nBEGIN\n"
                   "  PERFORM pg_catalog.set_config('drover.in_batch', 'on', true);\n  {2};\n"
                   "  PERFORM pg_catalog.set_config('drover.in_batch', '', true);\n"
                   "  RETURN NULL;\nEND ${1}$",
                   function,
                   name,
                   sql)});
  statements.push_back({fmt::format(
      "CREATE TRIGGER {} AFTER INSERT OR UPDATE ON {} FOR EACH ROW "
      "WHEN (pg_catalog.current_setting('drover.in_batch', true) IS DISTINCT FROM 'on') "
      "EXECUTE FUNCTION {}()",
      name,
      path_.table,
      function)});
  return statements;
}

std::vector<OwnedStatement> BatchScript::drop_trigger(const BatchId& id,
                                                      const std::string& schema) const {
  const std::string name = trigger_name(id);
  if (postgres()) {
    return {
        {fmt::format("DROP FUNCTION IF EXISTS {}.{}() CASCADE", quoted_identifier(schema), name)}};
  }
  return {{fmt::format("DROP TRIGGER IF EXISTS {}_i", name)},
          {fmt::format("DROP TRIGGER IF EXISTS {}_u", name)}};
}

}  // namespace drover::engine
