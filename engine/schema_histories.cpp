#include "engine/schema_histories.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <span>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// Which of `schemas` exist, and which of them hold a history.
constexpr std::string_view kLook = R"(SELECT n.nspname, EXISTS (
    SELECT FROM pg_catalog.pg_class c
     WHERE c.relnamespace = n.oid AND c.relname IN ('drover_tenant', 'drover_revisions'))
  FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1::text[]))";

/// For this one exchange: the planner takes 250 small tables for a large query, and compiling it
/// takes five times as long as running it.
constexpr std::string_view kNoJit = "SELECT pg_catalog.set_config('jit', 'off', true)";

/// One statement for the histories of `schemas`: the rows of HistoryTables::read() with the number
/// of the schema in front.
std::string read_all(std::span<const std::string> schemas) {
  std::string sql;
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    sql += i == 0 ? "" : "\nUNION ALL\n";
    sql += HistoryTables(Dialect::postgres, schemas[i]).read_numbered(i);
  }
  return sql;
}

void take(ResultSet rows,
          std::span<const std::string> schemas,
          std::map<std::string, History>& by_schema) {
  std::vector<ResultSet> by_number(schemas.size());
  for (std::vector<SqlValue>& row : rows.rows) {
    const auto number = static_cast<std::size_t>(integer_of(row.front()));
    row.erase(row.begin());
    by_number.at(number).rows.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < schemas.size(); ++i) {
    History history = decode_history(by_number[i]);
    const bool plain = history.tenant.in_progress.empty() && history.tenant.at_batch.empty() &&
                       history.tenant.format <= kHistoryFormat;
    if (history.exists && plain) {
      by_schema[schemas[i]] = std::move(history);
    }
  }
}

class Reader {
 public:
  Reader(Session& session, const Patience& patience) : session_(session), patience_(patience) {}

  /// False when nothing more can be asked.
  bool read_chunk(const std::vector<std::string>& schemas);
  SchemaHistories take_result() { return std::move(result_); }

 private:
  bool read_histories(std::span<const std::string> schemas);
  bool give_up(const SqlError& error);

  Session& session_;
  const Patience& patience_;
  SchemaHistories result_;
};

bool Reader::give_up(const SqlError& error) {
  result_.fault = fault_from(error, "reading the histories of many schemas");
  return false;
}

bool Reader::read_chunk(const std::vector<std::string>& schemas) {
  const Statement look{kLook, {text_array_of(schemas)}, Author::drover};
  const Exchange seen = session_.exchange(std::span(&look, 1), patience_);
  if (!seen.ok()) {
    return give_up(*seen.error);
  }
  std::set<std::string> there;
  std::vector<std::string> with_history;
  for (const auto& row : seen.results.front().rows) {
    there.insert(text_of(row[0]));
    if (truth_of(row[1])) {
      with_history.push_back(text_of(row[0]));
    } else {
      result_.by_schema[text_of(row[0])] = {};
    }
  }
  std::copy_if(schemas.begin(),
               schemas.end(),
               std::back_inserter(result_.missing),
               [&](const std::string& schema) { return !there.contains(schema); });
  return read_histories(with_history);
}

/// One schema that cannot be read spoils the statement for all, so halves are tried by themselves.
bool Reader::read_histories(std::span<const std::string> schemas) {
  if (schemas.empty()) {
    return true;
  }
  const std::string sql = read_all(schemas);
  const Statement read[] = {{kNoJit, {}, Author::drover}, {sql, {}, Author::drover}};
  Exchange answer = session_.exchange(read, patience_);
  if (answer.ok()) {
    take(std::move(answer.results.back()), schemas, result_.by_schema);
    return true;
  }
  if (!session_.alive()) {
    return give_up(*answer.error);
  }
  const std::size_t half = schemas.size() / 2;
  return half == 0 ||
         (read_histories(schemas.first(half)) && read_histories(schemas.subspan(half)));
}

}  // namespace

SchemaHistories read_schema_histories(Session& session,
                                      const std::vector<std::string>& schemas,
                                      const Patience& patience) {
  Reader reader(session, patience);
  bool go_on = true;
  for (std::size_t from = 0; go_on && from < schemas.size(); from += kSchemasPerStatement) {
    const auto begin = schemas.begin() + static_cast<std::ptrdiff_t>(from);
    const std::size_t count = std::min(kSchemasPerStatement, schemas.size() - from);
    go_on = reader.read_chunk({begin, begin + static_cast<std::ptrdiff_t>(count)});
  }
  return reader.take_result();
}

}  // namespace drover::engine
