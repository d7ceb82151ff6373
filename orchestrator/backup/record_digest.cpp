#include "orchestrator/backup/record_digest.h"

#include <charconv>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/sql_value.h"

namespace drover::orchestrator::backup {
namespace {

/// $1 schema, or empty
constexpr std::string_view kRelations = R"(SELECT n.nspname, c.relname, c.relkind = 'S'
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.relkind IN ('r', 'S') OR c.relkind = 'm' AND c.relispopulated)
   AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND ($1 = '' OR n.nspname = $1)
 ORDER BY n.nspname, c.relname)";

/// The sum of engine::RowSum, as its two halves. {0} is what rows are read from, as "of_row". A
/// hash is cut into words of 32 bits because the server has no unsigned number of 64.
constexpr std::string_view kDigest = R"(SELECT s.rows,
       pg_catalog.div(s.total, 18446744073709551616), pg_catalog.mod(s.total, 18446744073709551616)
  FROM (SELECT pg_catalog.count(*) AS rows,
               pg_catalog.mod(coalesce(pg_catalog.sum(w.a), 0) * 79228162514264337593543950336
                              + coalesce(pg_catalog.sum(w.b), 0) * 18446744073709551616
                              + coalesce(pg_catalog.sum(w.c), 0) * 4294967296
                              + coalesce(pg_catalog.sum(w.d), 0),
                              340282366920938463463374607431768211456) AS total
          FROM (SELECT ('x' || pg_catalog.substr(h.hex, 1, 8))::bit(32)::bigint AS a,
                       ('x' || pg_catalog.substr(h.hex, 9, 8))::bit(32)::bigint AS b,
                       ('x' || pg_catalog.substr(h.hex, 17, 8))::bit(32)::bigint AS c,
                       ('x' || pg_catalog.substr(h.hex, 25, 8))::bit(32)::bigint AS d
                  FROM (SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
                                 (of_row.*)::text, pg_catalog.getdatabaseencoding())), 'hex') AS hex
                          FROM {0} of_row) h) w) s)";

constexpr std::string_view kLargeObjects =
    "(SELECT m.oid, pg_catalog.lo_get(m.oid) FROM pg_catalog.pg_largeobject_metadata m)";

std::uint64_t half_of(const engine::SqlValue& value) {
  const std::string text = engine::text_of(value);
  std::uint64_t half = 0;
  std::from_chars(text.data(), text.data() + text.size(), half);
  return half;
}

engine::TableDigest digest_of(Desk& desk,
                              std::string table,
                              std::string_view rows_from,
                              const engine::Patience& patience) {
  const engine::ResultSet answer = desk.ask(
      {fmt::format(kDigest, rows_from)}, fmt::format("reading table '{}'", table), patience);
  const std::vector<engine::SqlValue>& row = answer.rows.at(0);
  return {std::move(table),
          static_cast<std::uint64_t>(engine::integer_of(row.at(0))),
          fmt::format("{:016x}{:016x}", half_of(row.at(1)), half_of(row.at(2)))};
}

}  // namespace

std::vector<engine::SessionSetting> record_settings() {
  return {{"DateStyle", "ISO, YMD"},
          {"IntervalStyle", "postgres"},
          {"TimeZone", "UTC"},
          {"extra_float_digits", "1"},
          {"bytea_output", "hex"},
          {"xmloption", "content"},
          {"lc_monetary", "C"},
          {"search_path", ""},
          {"row_security", "off"}};
}

std::vector<engine::TableDigest> record_digests(Desk& desk,
                                                std::string_view schema,
                                                const engine::Patience& patience) {
  const engine::ResultSet relations =
      desk.ask({std::string(kRelations), {std::string(schema)}}, "listing tables", patience);
  std::vector<engine::TableDigest> digests;
  for (const auto& row : relations.rows) {
    const std::string space = engine::text_of(row.at(0));
    const std::string name = engine::text_of(row.at(1));
    const std::string quoted =
        engine::quoted_identifier(space) + "." + engine::quoted_identifier(name);
    const bool sequence = engine::truth_of(row.at(2));  // its rows have no type of their own
    digests.push_back(digest_of(
        desk,
        fmt::format("{}.{}", space, name),
        sequence ? fmt::format("(SELECT last_value, is_called FROM {})", quoted) : "ONLY " + quoted,
        patience));
  }
  if (schema.empty()) {
    engine::TableDigest objects =
        digest_of(desk, "pg_catalog.pg_largeobject", kLargeObjects, patience);
    if (objects.rows > 0) {
      digests.push_back(std::move(objects));
    }
  }
  return digests;
}

}  // namespace drover::orchestrator::backup
