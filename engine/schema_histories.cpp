#include "engine/schema_histories.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// Which of `schemas` exist, and which of them hold a history.
constexpr std::string_view kLook = R"(SELECT n.nspname, EXISTS (
    SELECT FROM pg_catalog.pg_class c
     WHERE c.relnamespace = n.oid AND c.relname = 'drover_tenant')
  FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1::text[]))";

/// `schemas` as an array literal.
std::string array_of(const std::vector<std::string>& schemas) {
  std::string text = "{";
  for (const std::string& schema : schemas) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : schema) {
      if (c == '"' || c == '\\') {
        text += '\\';
      }
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

/// One statement for the histories of `schemas`: the rows of HistoryTables::read() with the number
/// of the schema in front. Its SQL is built from that one, so the two cannot drift apart.
std::string read_all(const std::vector<std::string>& schemas) {
  std::string sql;
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    const HistoryTables tables(Dialect::postgres, schemas[i]);
    sql += fmt::format("{}SELECT {} AS schema_number, h.* FROM ({}) h",
                       i == 0 ? "" : "\nUNION ALL\n",
                       i,
                       tables.read().sql);
  }
  return sql;
}

void take(const ResultSet& rows,
          const std::vector<std::string>& schemas,
          std::map<std::string, History>& by_schema) {
  ResultSet one;
  for (std::size_t from = 0; from < rows.rows.size();) {
    const SqlValue& number = rows.rows[from].front();
    std::size_t to = from;
    one.rows.clear();
    for (; to < rows.rows.size() && rows.rows[to].front() == number; ++to) {
      one.rows.emplace_back(rows.rows[to].begin() + 1, rows.rows[to].end());
    }
    History history = decode_history(one);
    const bool plain =
        history.tenant.in_progress.empty() && history.tenant.format <= kHistoryFormat;
    if (history.exists && plain) {
      by_schema[schemas[static_cast<std::size_t>(integer_of(number))]] = std::move(history);
    }
    from = to;
  }
}

}  // namespace

SchemaHistories read_schema_histories(Session& session,
                                      const std::vector<std::string>& schemas,
                                      const Patience& patience) {
  SchemaHistories result;
  for (std::size_t from = 0; from < schemas.size(); from += kSchemasPerStatement) {
    const std::size_t to = std::min(from + kSchemasPerStatement, schemas.size());
    const std::vector<std::string> chunk(schemas.begin() + static_cast<std::ptrdiff_t>(from),
                                         schemas.begin() + static_cast<std::ptrdiff_t>(to));
    const Statement look{kLook, {array_of(chunk)}, Author::drover};
    const Exchange seen = session.exchange(std::span(&look, 1), patience);
    if (!seen.ok()) {
      result.fault = fault_from(*seen.error, "reading the histories of many schemas");
      return result;
    }
    std::set<std::string> there;
    std::vector<std::string> with_history;
    for (const auto& row : seen.results.front().rows) {
      there.insert(text_of(row[0]));
      if (truth_of(row[1])) {
        with_history.push_back(text_of(row[0]));
      } else {
        result.by_schema[text_of(row[0])] = {};
      }
    }
    std::copy_if(chunk.begin(),
                 chunk.end(),
                 std::back_inserter(result.missing),
                 [&](const std::string& schema) { return !there.contains(schema); });
    if (with_history.empty()) {
      continue;
    }
    const std::string sql = read_all(with_history);
    const Statement read{sql, {}, Author::drover};
    const Exchange answer = session.exchange(std::span(&read, 1), patience);
    if (answer.ok()) {
      take(answer.results.front(), with_history, result.by_schema);
    } else if (!session.alive()) {
      result.fault = fault_from(*answer.error, "reading the histories of many schemas");
      return result;
    }
  }
  return result;
}

}  // namespace drover::engine
