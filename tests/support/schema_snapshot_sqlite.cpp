// The SQLite half of schema_snapshot.h.

#include <algorithm>
#include <cctype>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <sqlite3.h>

#include "tests/support/schema_snapshot.h"

namespace drover::test {
namespace {

using Lines = std::vector<std::string>;
using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

/// Stands before every query below.
constexpr const char* kOurs = R"sql(
WITH ours AS (
  SELECT type, name, tbl_name, sql FROM sqlite_schema
   WHERE tbl_name NOT LIKE 'drover\_%' ESCAPE '\' AND tbl_name NOT LIKE 'sqlite\_%' ESCAPE '\'
), tables AS (
  SELECT name FROM ours WHERE type IN ('table', 'view')
)
)sql";

/// Each gives a head and, behind it, SQL text that is still to be normalised, or NULL.
constexpr const char* kSchemaQueries[] = {
    // Everything that was created by a statement; this alone shows checks, and where an index
    // holds.
    "SELECT type || ' ' || name || ' ', sql FROM ours WHERE sql IS NOT NULL ORDER BY name",
    R"sql(
SELECT printf('column %s.%d %s %s%s%s%s%s', t.name, x.cid + 1, x.name, x.type,
              CASE WHEN x."notnull" THEN ' not null' ELSE '' END,
              CASE WHEN x.pk > 0 THEN ' primary key ' || x.pk ELSE '' END,
              CASE WHEN x.hidden > 0 THEN ' hidden ' || x.hidden ELSE '' END,
              CASE WHEN x.dflt_value IS NULL THEN '' ELSE ' default ' END), x.dflt_value
  FROM tables t, pragma_table_xinfo(t.name) x ORDER BY t.name, x.cid
)sql",
    R"sql(
SELECT printf('foreign key %s.%d.%d %s -> %s.%s on update %s on delete %s', t.name, f.id, f.seq,
              f."from", f."table", ifnull(f."to", 'primary key'), f.on_update, f.on_delete), NULL
  FROM tables t, pragma_foreign_key_list(t.name) f ORDER BY t.name, f.id, f.seq
)sql",
    R"sql(
SELECT printf('index of %s: %s%s%s origin %s', t.name, i.name,
              CASE WHEN i."unique" THEN ' unique' ELSE '' END,
              CASE WHEN i.partial THEN ' partial' ELSE '' END, i.origin), NULL
  FROM tables t, pragma_index_list(t.name) i ORDER BY t.name, i.name
)sql",
    R"sql(
SELECT printf('index column %s.%d %s%s collate %s%s', i.name, x.seqno + 1,
              CASE WHEN x.cid = -1 THEN 'rowid' ELSE ifnull(x.name, 'an expression') END,
              CASE WHEN x."desc" THEN ' desc' ELSE '' END, x.coll,
              CASE WHEN x.key THEN '' ELSE ' carried' END), NULL
  FROM tables t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) x
 ORDER BY i.name, x.seqno
)sql",
};

/// Gives a SELECT for each table, as text: 'name ' || json_object('column', quote(column), ...).
constexpr const char* kRowQueries = R"sql(
SELECT printf('SELECT ''%s '' || json_object(%s), NULL FROM "%w"', replace(t.name, '''', ''''''),
              (SELECT group_concat(printf('''%s'', quote("%w")', replace(x.name, '''', ''''''),
                                          x.name))
                 FROM (SELECT name FROM pragma_table_xinfo(t.name) WHERE hidden <> 1
                        ORDER BY name) x), t.name), NULL
  FROM ours t WHERE t.type = 'table' ORDER BY t.name
)sql";

bool is_word(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         (static_cast<unsigned char>(c) & 0x80U) != 0;
}

/// How many characters of `sql`, which is not empty, belong to its first token, blanks and comments
/// counted as tokens.
std::size_t token_length(std::string_view sql) {
  const auto through = [sql](std::string_view end, std::size_t from) {
    const std::size_t found = sql.find(end, from);
    return found == std::string_view::npos ? sql.size() : found + end.size();
  };
  const char first = sql.front();
  if (sql.substr(0, 2) == "--") {
    return through("\n", 2);
  }
  if (sql.substr(0, 2) == "/*") {
    return through("*/", 2);
  }
  if (first == '[') {
    return through("]", 1);
  }
  if (first == '\'' || first == '"' || first == '`') {
    std::size_t length = through(sql.substr(0, 1), 1);
    while (length < sql.size() && sql[length] == first) {  // a doubled quote goes on
      length = through(sql.substr(0, 1), length + 1);
    }
    return length;
  }
  const auto same_kind = is_word(first) ? is_word : [](char c) noexcept {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
  };
  std::size_t length = 1;
  while (same_kind(first) && length < sql.size() && same_kind(sql[length])) {
    ++length;
  }
  return length;
}

/// `token` without quotes that it does not need: ALTER TABLE adds them, people do not.
std::string_view unquoted(std::string_view token) {
  const char first = token.front();
  if (token.size() < 3 || (first != '"' && first != '`' && first != '[')) {
    return token;
  }
  const std::string_view name = token.substr(1, token.size() - 2);
  const bool plain = std::all_of(name.begin(), name.end(), is_word) &&
                     std::isdigit(static_cast<unsigned char>(name.front())) == 0;
  return plain ? name : token;
}

/// The tokens of `sql` with one blank between them, however it was laid out.
std::string normalised(std::string_view sql) {
  std::string text;
  while (!sql.empty()) {
    const std::string_view token = sql.substr(0, token_length(sql));
    sql.remove_prefix(token.size());
    const bool is_comment = token.substr(0, 2) == "--" || token.substr(0, 2) == "/*";
    if (is_comment || std::isspace(static_cast<unsigned char>(token.front())) != 0) {
      continue;
    }
    text += text.empty() ? "" : " ";
    text += unquoted(token);
  }
  return text;
}

Database reader_of(const std::filesystem::path& file) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READONLY, nullptr);
  Database database(raw, &sqlite3_close);
  if (code != SQLITE_OK) {
    throw std::runtime_error(fmt::format("{}: {}", file.string(), sqlite3_errmsg(raw)));
  }
  return database;
}

/// The first column of each row, and the second as normalised SQL behind it.
Lines query(sqlite3* database, const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(database, sql.c_str(), -1, &raw, nullptr);
  const Statement statement(raw, &sqlite3_finalize);
  const auto text = [raw](int column) -> std::string_view {
    const void* const bytes = sqlite3_column_blob(raw, column);
    const int size = sqlite3_column_bytes(raw, column);
    return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
  };
  Lines lines;
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    code = sqlite3_step(raw);
    if (code == SQLITE_ROW) {
      lines.push_back(std::string(text(0)) + normalised(text(1)));
    }
  }
  if (code != SQLITE_DONE) {
    throw std::runtime_error(fmt::format("{} in: {}", sqlite3_errmsg(database), sql));
  }
  return lines;
}

}  // namespace

std::vector<std::string> schema_of_sqlite(const std::filesystem::path& file) {
  const Database database = reader_of(file);
  Lines lines;
  for (const char* const sql : kSchemaQueries) {
    const Lines some = query(database.get(), fmt::format("{}{}", kOurs, sql));
    lines.insert(lines.end(), some.begin(), some.end());
  }
  return lines;
}

std::vector<std::string> rows_of_sqlite(const std::filesystem::path& file) {
  const Database database = reader_of(file);
  Lines lines;
  for (const std::string& sql : query(database.get(), fmt::format("{}{}", kOurs, kRowQueries))) {
    const Lines some = query(database.get(), sql);
    lines.insert(lines.end(), some.begin(), some.end());
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace drover::test
