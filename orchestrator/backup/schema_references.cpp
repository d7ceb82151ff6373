#include "orchestrator/backup/schema_references.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "engine/sql_value.h"

namespace drover::orchestrator::backup {
namespace {

/// Catalogs whose objects are in a schema, and the column that says in which.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kInSchema = {
    {{"pg_class", "relnamespace"},
     {"pg_type", "typnamespace"},
     {"pg_proc", "pronamespace"},
     {"pg_constraint", "connamespace"},
     {"pg_operator", "oprnamespace"},
     {"pg_opclass", "opcnamespace"},
     {"pg_opfamily", "opfnamespace"},
     {"pg_collation", "collnamespace"},
     {"pg_conversion", "connamespace"},
     {"pg_statistic_ext", "stxnamespace"},
     {"pg_ts_config", "cfgnamespace"},
     {"pg_ts_dict", "dictnamespace"},
     {"pg_ts_parser", "prsnamespace"},
     {"pg_ts_template", "tmplnamespace"},
     {"pg_default_acl", "defaclnamespace"}}};

/// A catalog whose objects are parts of others: whose, and by which column.
struct PartCatalog {
  std::string_view name;
  std::string_view column;
  std::string_view whole;
  std::string_view whole_column;
};

constexpr std::array<PartCatalog, 6> kInRelation = {
    {{"pg_rewrite", "ev_class", "pg_class", "relnamespace"},
     {"pg_trigger", "tgrelid", "pg_class", "relnamespace"},
     {"pg_attrdef", "adrelid", "pg_class", "relnamespace"},
     {"pg_policy", "polrelid", "pg_class", "relnamespace"},
     {"pg_amop", "amopfamily", "pg_opfamily", "opfnamespace"},
     {"pg_amproc", "amprocfamily", "pg_opfamily", "opfnamespace"}}};

/// {0} what belongs to the schema, as rows of catalog and object; $1 schema. The triggers that
/// check a foreign key of ours at the other table go with the key, and TOAST tables with theirs; a
/// view is meant where its rule is found.
constexpr std::string_view kReferences = R"(WITH space AS (
  SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1),
mine (catalog, object) AS MATERIALIZED ({0}),
found AS (
  SELECT DISTINCT CASE WHEN r.oid IS NULL THEN d.classid
                       ELSE 'pg_catalog.pg_class'::pg_catalog.regclass END AS catalog,
         coalesce(r.ev_class, d.objid) AS object,
         CASE WHEN r.oid IS NULL THEN d.objsubid ELSE 0 END AS part
    FROM mine m
    JOIN pg_catalog.pg_depend d ON d.refclassid = m.catalog AND d.refobjid = m.object
    LEFT JOIN pg_catalog.pg_rewrite r
           ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = d.objid
   WHERE NOT EXISTS (SELECT FROM mine o WHERE o.catalog = d.classid AND o.object = d.objid)
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                      WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
                        AND t.oid = d.objid AND t.tgisinternal)
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND c.oid = d.objid AND c.relkind = 't'))
SELECT DISTINCT i.type || ' ' || i.identity
  FROM found f, pg_catalog.pg_identify_object(f.catalog, f.object, f.part) i
 ORDER BY 1)";

std::string belongings() {
  std::string sql = R"(
  SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid, oid FROM space)";
  for (const auto& [catalog, column] : kInSchema) {
    sql += fmt::format(R"(
  UNION ALL SELECT 'pg_catalog.{0}'::pg_catalog.regclass, oid
    FROM pg_catalog.{0} WHERE {1} = (SELECT oid FROM space))",
                       catalog,
                       column);
  }
  for (const PartCatalog& part : kInRelation) {
    sql += fmt::format(R"(
  UNION ALL SELECT 'pg_catalog.{0}'::pg_catalog.regclass, p.oid
    FROM pg_catalog.{0} p JOIN pg_catalog.{2} w ON w.oid = p.{1}
   WHERE w.{3} = (SELECT oid FROM space))",
                       part.name,
                       part.column,
                       part.whole,
                       part.whole_column);
  }
  return sql;
}

}  // namespace

std::vector<std::string> references_to_schema(Desk& desk,
                                              std::string_view schema,
                                              const engine::Patience& patience) {
  static const std::string kSql = fmt::format(kReferences, belongings());
  const engine::ResultSet answer =
      desk.ask({kSql, {std::string(schema)}},
               fmt::format("looking for what refers to schema '{}'", schema),
               patience);
  std::vector<std::string> references;
  for (const auto& row : answer.rows) {
    references.push_back(engine::text_of(row.at(0)));
  }
  return references;
}

}  // namespace drover::orchestrator::backup
