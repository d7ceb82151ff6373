#include "engine/readiness.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/sql_value.h"

namespace drover::engine {
namespace {

constexpr std::string_view kDatabase = R"(SELECT current_user,
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('transaction_read_only') = 'on',
       pg_catalog.pg_database_size(d.oid),
       pg_catalog.age(d.datfrozenxid)
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";

/// unnest() of several arrays is syntax, and takes no schema. $1 schemas, $2 schemas of the
/// histories, $3 and $4 high and low halves of the lock keys. The tables of Drover need no owner:
/// rows are all that is written there once they exist.
constexpr std::string_view kSchemas = R"(WITH asked AS MATERIALIZED (
  SELECT a.number, n.oid AS schema, h.oid AS history, h.nspname AS history_name, a.high, a.low
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
         WITH ORDINALITY AS a (schema, history, high, low, number)
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = a.schema
    LEFT JOIN pg_catalog.pg_namespace h ON h.nspname = a.history),
things AS MATERIALIZED (
  SELECT c.relnamespace AS schema,
         pg_catalog.sum(c.relpages::bigint)
           * pg_catalog.current_setting('block_size')::bigint AS bytes,
         pg_catalog.count(*) FILTER (WHERE foreign_) AS foreign_count,
         pg_catalog.min(c.relname::text) FILTER (WHERE foreign_) AS foreign_first
    FROM pg_catalog.pg_class c,
         LATERAL (SELECT c.relkind IN ('r', 'p', 'v', 'm', 'f')
                         AND c.relname !~ '^drover_'
                         AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE') AS foreign_) f
   WHERE c.relnamespace IN (SELECT schema FROM asked)
   GROUP BY c.relnamespace),
histories AS MATERIALIZED (
  SELECT c.relnamespace AS schema,
         pg_catalog.min(c.relname::text) FILTER (
           WHERE NOT pg_catalog.has_table_privilege(c.oid, 'INSERT')) AS closed
    FROM pg_catalog.pg_class c
   WHERE c.relnamespace IN (SELECT history FROM asked)
     AND c.relkind = 'r' AND c.relname IN ('drover_tenant', 'drover_revisions', 'drover_history')
   GROUP BY c.relnamespace),
locks AS MATERIALIZED (
  SELECT DISTINCT ON (l.classid, l.objid)
         l.classid::bigint AS high, l.objid::bigint AS low, l.pid, a.application_name, a.usename,
         a.state,
         pg_catalog.date_trunc('second', pg_catalog.clock_timestamp() - a.backend_start) AS age
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
   WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
     AND l.database = (SELECT oid FROM pg_catalog.pg_database
                        WHERE datname = pg_catalog.current_database()))
SELECT CASE WHEN y.closed IS NOT NULL THEN pg_catalog.format('INSERT on table %I', y.closed)
            WHEN y.schema IS NULL AND NOT pg_catalog.has_schema_privilege(a.history, 'CREATE')
              THEN pg_catalog.format('CREATE on schema %I', a.history_name) END,
       coalesce(t.foreign_count, 0), t.foreign_first, coalesce(t.bytes, 0),
       l.pid, l.application_name, l.usename, l.state, l.age
  FROM asked a
  LEFT JOIN things t ON t.schema = a.schema
  LEFT JOIN histories y ON y.schema = a.history
  LEFT JOIN locks l ON l.high = a.high AND l.low = a.low
 ORDER BY a.number)";

/// A role's own limit does not bind superusers.
constexpr std::string_view kServer = R"(SELECT
       pg_catalog.current_setting('max_connections')::int
         - pg_catalog.current_setting('superuser_reserved_connections')::int,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
         WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()),
       CASE WHEN r.rolconnlimit >= 0 AND NOT r.rolsuper THEN r.rolconnlimit
              - (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity
                  WHERE usesysid = r.oid AND pid <> pg_catalog.pg_backend_pid()) END,
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE'),
       pg_catalog.inet_server_addr() IS NULL,
       CASE WHEN pg_catalog.pg_has_role(r.oid, 'pg_read_all_settings', 'USAGE')
            THEN pg_catalog.current_setting('data_directory') END
  FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)";

}  // namespace

std::vector<OwnedStatement> readiness_message(const std::vector<ReadinessQuestion>& schemas) {
  std::vector<std::string> names;
  std::vector<std::string> histories;
  std::vector<std::string> high;
  std::vector<std::string> low;
  for (const ReadinessQuestion& question : schemas) {
    names.push_back(question.schema);
    histories.push_back(question.history_schema);
    const auto bits = static_cast<std::uint64_t>(question.lock_key);
    high.push_back(std::to_string(bits >> 32U));
    low.push_back(std::to_string(bits & 0xFFFFFFFFU));
  }
  return {
      {std::string(kDatabase)},
      {std::string(kSchemas),
       {text_array_of(names), text_array_of(histories), text_array_of(high), text_array_of(low)}}};
}

DatabaseReadiness decode_readiness(const Exchange& answer, std::size_t count) {
  DatabaseReadiness result;
  const std::vector<SqlValue>& database = answer.results.at(0).rows.at(0);
  result.role = text_of(database.at(0));
  result.standby = truth_of(database.at(1));
  result.read_only = truth_of(database.at(2));
  result.bytes = integer_of(database.at(3));
  result.oldest_xid = integer_of(database.at(4));
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<SqlValue>& row = answer.results.at(1).rows.at(i);
    SchemaReadiness& schema = result.schemas.emplace_back();
    schema.missing_right = text_of(row.at(0));
    schema.foreign_count = integer_of(row.at(1));
    schema.foreign_first = text_of(row.at(2));
    schema.bytes = integer_of(row.at(3));
    if (row.at(4)) {
      schema.lock_holder = Blocker{integer_of(row.at(4)),
                                   text_of(row.at(5)),
                                   text_of(row.at(6)),
                                   text_of(row.at(7)),
                                   text_of(row.at(8))};
    }
  }
  return result;
}

ServerAnswer read_server_facts(Session& session, const Patience& patience) {
  const Statement question{kServer};
  const Exchange answer = session.exchange(std::span(&question, 1), patience);
  if (!answer.ok()) {
    return {{}, answer.error};
  }
  const std::vector<SqlValue>& row = answer.results.at(0).rows.at(0);
  ServerFacts facts;
  facts.connections_allowed = integer_of(row.at(0));
  facts.connections_used = integer_of(row.at(1));
  if (row.at(2)) {
    facts.role_connections_free = integer_of(row.at(2));
  }
  facts.standby = truth_of(row.at(3));
  facts.sees_others = truth_of(row.at(4));
  facts.local = truth_of(row.at(5));
  facts.data_directory = text_of(row.at(6));
  return {std::move(facts), std::nullopt};
}

std::int64_t ServerFacts::connections_free() const noexcept {
  const std::int64_t free = connections_allowed - connections_used;
  return std::min(free, role_connections_free.value_or(free));
}

}  // namespace drover::engine
