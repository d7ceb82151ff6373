#include "engine/parse/statement_names.h"

#include <string_view>

#include "engine/parse/name_pattern.h"

namespace drover::engine::parse {
namespace {

/// Where the names of a kind of statement stand.
struct NameRule {
  StatementKind kind;
  std::string_view pattern;  ///< As name_pattern.h reads it.
};

constexpr NameRule kNameRules[] = {
    {StatementKind::create_index_concurrently,
     "create [unique] index concurrently [if] [not] [exists] [OBJECT] on TABLE"},
    {StatementKind::drop_index_concurrently, "drop index concurrently [if] [exists] OBJECT"},
    {StatementKind::detach_concurrently,
     "alter table [if] [exists] TABLE ... detach partition OBJECT"},
    {StatementKind::alter_type_add_value, "alter type OBJECT add value [if] [not] [exists] VALUE"},
    {StatementKind::validate_constraint,
     "alter table [if] [exists] TABLE ... validate constraint OBJECT"},
    {StatementKind::validate_constraint, "alter domain TABLE validate constraint OBJECT"},
    {StatementKind::create_database, "create database OBJECT"},
    {StatementKind::drop_database, "drop database [if] [exists] OBJECT"},
    {StatementKind::create_tablespace, "create tablespace OBJECT"},
    {StatementKind::drop_tablespace, "drop tablespace [if] [exists] OBJECT"},
};

}  // namespace

void name_objects(SqlStatement& statement, Dialect dialect) {
  if (dialect != Dialect::postgres) {
    return;
  }
  for (const NameRule& rule : kNameRules) {
    if (rule.kind != statement.kind) {
      continue;
    }
    if (const auto names = read_names(statement.text, rule.pattern)) {
      statement.object = names->object;
      statement.table = names->tables.empty() ? std::string_view() : names->tables.front();
      return;
    }
  }
}

}  // namespace drover::engine::parse
