#include "tests/support/schema_snapshot.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <libpq-fe.h>

namespace drover::test {
namespace {

using Lines = std::vector<std::string>;
using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// Stands before every query below. $1: the schema.
constexpr const char* kOurs = R"sql(
WITH ns AS (
  SELECT oid, nspname FROM pg_namespace WHERE nspname = $1
), ours AS (
  SELECT c.* FROM pg_class c JOIN ns ON c.relnamespace = ns.oid
   WHERE c.relname NOT LIKE 'drover\_%'
)
)sql";

/// Each gives lines. With the schema as search_path, the server's own functions leave its name out.
constexpr const char* kSchemaQueries[] = {
    // Relations. relkind c is a composite type.
    R"sql(
SELECT format('%s %s', CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
                                    WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'composite type'
                                    WHEN 'm' THEN 'materialized view' ELSE 'view' END, relname)
       || CASE relpersistence WHEN 'u' THEN ' unlogged' ELSE '' END
       || coalesce(' partition by ' || CASE WHEN relkind = 'p' THEN pg_get_partkeydef(oid) END, '')
       || coalesce(' partition ' || pg_get_expr(relpartbound, oid), '')
       || coalesce(' with ' || array_to_string(reloptions, ', '), '')
       || coalesce(' as ' || CASE WHEN relkind IN ('v', 'm')
                                  THEN ltrim(pg_get_viewdef(oid, true)) END, '')
  FROM ours WHERE relkind IN ('r', 'p', 'f', 'c', 'v', 'm') ORDER BY relname
)sql",
    R"sql(
SELECT format('column %s.%s %s %s', c.relname,
              row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
              a.attname, format_type(a.atttypid, a.atttypmod))
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(CASE a.attgenerated WHEN '' THEN ' default ' ELSE ' generated ' END
                   || pg_get_expr(d.adbin, d.adrelid, true), '')
       || CASE a.attidentity WHEN 'a' THEN ' identity always'
                             WHEN 'd' THEN ' identity by default' ELSE '' END
       || coalesce(' collate ' || (SELECT collname FROM pg_collation WHERE oid = a.attcollation
                                      AND oid <> t.typcollation), '')
  FROM ours c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'f', 'c', 'v', 'm') ORDER BY c.relname, a.attnum
)sql",
    // Constraints of tables and of domains; NOT NULL, a constraint since 18, stands at its column.
    R"sql(
SELECT format('constraint %s on %s %s', k.conname,
              coalesce(c.relname::text, format_type(k.contypid, NULL)),
              pg_get_constraintdef(k.oid, true))
       || CASE WHEN k.convalidated THEN '' ELSE ' [not validated]' END
  FROM pg_constraint k JOIN ns ON ns.oid = k.connamespace LEFT JOIN ours c ON c.oid = k.conrelid
 WHERE k.contype NOT IN ('n', 't') AND (c.oid IS NOT NULL OR k.contypid <> 0)
 ORDER BY c.relname, k.conname
)sql",
    R"sql(
SELECT format('index %s', pg_get_indexdef(i.indexrelid, 0, true))
       || CASE WHEN i.indisprimary THEN ' [primary]' ELSE '' END
       || CASE WHEN i.indisclustered THEN ' [clustered]' ELSE '' END
       || CASE WHEN i.indisreplident THEN ' [replica identity]' ELSE '' END
       || CASE WHEN i.indisvalid THEN '' ELSE ' [invalid]' END
  FROM pg_index i JOIN ours c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid
 ORDER BY c.relname, n.relname
)sql",
    R"sql(
SELECT format('trigger %s', pg_get_triggerdef(t.oid, true))
       || CASE t.tgenabled WHEN 'O' THEN '' ELSE format(' [enabled: %s]', t.tgenabled) END
  FROM pg_trigger t JOIN ours c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
 ORDER BY c.relname, t.tgname
)sql",
    // pg_get_functiondef always writes the schema: cut its first place, which is the header.
    R"sql(
SELECT 'function ' || overlay(f.definition placing ''
                              from strpos(f.definition, f.prefix) for length(f.prefix))
  FROM (SELECT p.proname, p.oid, pg_get_functiondef(p.oid) AS definition,
               quote_ident(ns.nspname) || '.' AS prefix
          FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
         WHERE p.prokind <> 'a' AND p.proname NOT LIKE 'drover\_%') f
 ORDER BY f.proname, pg_get_function_identity_arguments(f.oid)
)sql",
    R"sql(
SELECT format('enum %s (%s)', t.typname,
              (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                 FROM pg_enum e WHERE e.enumtypid = t.oid))
  FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
 WHERE t.typtype = 'e' AND t.typname NOT LIKE 'drover\_%' ORDER BY t.typname
)sql",
    R"sql(
SELECT format('domain %s %s', t.typname, format_type(t.typbasetype, t.typtypmod))
       || CASE WHEN t.typnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || t.typdefault, '')
  FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
 WHERE t.typtype = 'd' AND t.typname NOT LIKE 'drover\_%' ORDER BY t.typname
)sql",
    R"sql(
SELECT format('sequence %s %s start %s increment %s min %s max %s cache %s%s%s', c.relname,
              format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
              s.seqcache, CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END,
              ' owned by ' || pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))
  FROM ours c JOIN pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
 ORDER BY c.relname
)sql",
    R"sql(
, objects AS (
  SELECT 'pg_class'::regclass AS class, oid FROM ours
  UNION ALL
  SELECT 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN ours ON ours.oid = t.tgrelid
  UNION ALL
  SELECT 'pg_constraint'::regclass, k.oid
    FROM pg_constraint k JOIN ns ON ns.oid = k.connamespace
   WHERE k.conrelid = 0 OR k.conrelid IN (SELECT oid FROM ours)
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace
   WHERE p.proname NOT LIKE 'drover\_%'
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
   WHERE t.typname NOT LIKE 'drover\_%'
)
SELECT format('comment on %s: %s', pg_describe_object(d.classoid, d.objoid, d.objsubid),
              d.description)
  FROM pg_description d JOIN objects o ON o.class = d.classoid AND o.oid = d.objoid
 ORDER BY 1
)sql",
};

/// Gives a SELECT for each table, as text.
constexpr const char* kRowQueries = R"sql(
SELECT format('SELECT %L || to_jsonb(t)::text FROM %I.%I t', relname || ' ', $1, relname)
  FROM ours WHERE relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
)sql";

/// One line in a snapshot must be one line in a report.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    line += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return line;
}

/// First column of all rows. `schema` becomes $1, unless it is null.
Lines query(PGconn* connection, const std::string& sql, const char* schema = nullptr) {
  const Result result(PQexecParams(connection,
                                   sql.c_str(),
                                   schema == nullptr ? 0 : 1,
                                   nullptr,
                                   &schema,
                                   nullptr,
                                   nullptr,
                                   0),
                      &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(fmt::format("{} in: {}", PQerrorMessage(connection), sql));
  }
  Lines lines;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    lines.push_back(one_line(PQgetvalue(result.get(), row, 0)));
  }
  return lines;
}

/// A connection inside a read-only transaction whose search path is `schema`.
Connection reader_of(const std::string& conninfo, const std::string& schema) {
  Connection connection(PQconnectdb(conninfo.c_str()), &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection.get()));
  }
  query(connection.get(), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const Lines found = query(connection.get(),
                            "SELECT set_config('search_path', quote_ident(nspname), true)"
                            "  FROM pg_namespace WHERE nspname = $1",
                            schema.c_str());
  if (found.empty()) {
    throw std::runtime_error(fmt::format("there is no schema '{}'", schema));
  }
  return connection;
}

}  // namespace

std::vector<std::string> schema_of_postgres(const std::string& conninfo,
                                            const std::string& schema) {
  const Connection connection = reader_of(conninfo, schema);
  Lines lines;
  for (const char* const sql : kSchemaQueries) {
    const Lines some = query(connection.get(), fmt::format("{}{}", kOurs, sql), schema.c_str());
    lines.insert(lines.end(), some.begin(), some.end());
  }
  return lines;
}

std::vector<std::string> rows_of_postgres(const std::string& conninfo, const std::string& schema) {
  const Connection connection = reader_of(conninfo, schema);
  Lines lines;
  for (const std::string& sql :
       query(connection.get(), fmt::format("{}{}", kOurs, kRowQueries), schema.c_str())) {
    const Lines some = query(connection.get(), sql);
    lines.insert(lines.end(), some.begin(), some.end());
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

std::vector<std::string> difference(std::vector<std::string> before,
                                    std::vector<std::string> after) {
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  Lines gone;
  Lines added;
  std::set_difference(
      before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(gone));
  std::set_difference(
      after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(added));
  Lines lines;
  for (const std::string& line : gone) {
    lines.push_back("- " + line);
  }
  for (const std::string& line : added) {
    lines.push_back("+ " + line);
  }
  return lines;
}

}  // namespace drover::test
