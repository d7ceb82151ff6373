#include "orchestrator/backup/database_properties.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/sql_value.h"
#include "orchestrator/backup/marked_comment.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

std::string quoted_literal(std::string_view text) {
  return engine::quoted_literal(engine::Dialect::postgres, text);
}

/// {0} provider, {1} locale, {2} ICU rules: their columns have other names in each version. $1 name
constexpr std::string_view kDatabase = R"(SELECT pg_catalog.pg_get_userbyid(d.datdba),
       pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, {0}, {1}, {2},
       t.spcname, d.datconnlimit, d.datallowconn, d.datistemplate, c.description
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
  LEFT JOIN pg_catalog.pg_shdescription c
         ON c.objoid = d.oid AND c.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
 WHERE d.datname = $1)";

/// $1 name
constexpr std::string_view kGrants = R"(SELECT pg_catalog.pg_get_userbyid(g.grantor),
       CASE WHEN g.grantee <> 0 THEN pg_catalog.pg_get_userbyid(g.grantee) END,
       g.privilege_type, g.is_grantable
  FROM pg_catalog.pg_database d,
       pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) g
 WHERE d.datname = $1)";

/// $1 name
constexpr std::string_view kSettings = R"(SELECT
       CASE WHEN s.setrole <> 0 THEN pg_catalog.pg_get_userbyid(s.setrole) END, c.text
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_db_role_setting s ON s.setdatabase = d.oid,
       pg_catalog.unnest(s.setconfig) AS c (text)
 WHERE d.datname = $1)";

/// $1 name
constexpr std::string_view kLabels = R"(SELECT l.provider, l.label
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_shseclabel l
    ON l.objoid = d.oid AND l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
 WHERE d.datname = $1)";

/// Settings whose values are lists that the server quotes piece by piece (GUC_LIST_QUOTE): given
/// back as one literal they would become a list of one strange name. pg_dump has the same table.
constexpr std::array<std::string_view, 6> kListSettings = {"local_preload_libraries",
                                                           "search_path",
                                                           "session_preload_libraries",
                                                           "shared_preload_libraries",
                                                           "temp_tablespaces",
                                                           "unix_socket_directories"};

/// The name in quotes that begins at `at`, which goes behind it.
std::string quoted_name(std::string_view list, std::size_t& at) {
  std::string name;
  for (++at; at < list.size(); ++at) {
    if (list[at] == '"' && (++at == list.size() || list[at] != '"')) {
      break;
    }
    name += list[at];
  }
  return name;
}

/// The names in a list as the catalog holds it: `"$user", public`.
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while (at < list.size()) {
    if (list[at] == '"') {
      names.push_back(quoted_name(list, at));
    } else {
      const std::size_t end = std::min(list.find(',', at), list.size());
      names.emplace_back(list.substr(at, end - at));
      at = end;
    }
    at = std::min(list.find_first_not_of(", ", at), list.size());
  }
  return names;
}

std::string value_as_sql(const DatabaseSetting& setting) {
  const bool list =
      std::find(kListSettings.begin(), kListSettings.end(), setting.name) != kListSettings.end();
  if (!list || setting.value.empty()) {
    return quoted_literal(setting.value);
  }
  std::vector<std::string> names = names_in(setting.value);
  std::transform(names.begin(), names.end(), names.begin(), quoted_literal);
  return fmt::format("{}", fmt::join(names, ", "));
}

/// "app.tenant" has a dot between two names.
std::string name_as_sql(std::string_view setting) {
  const std::size_t dot = setting.find('.');
  return dot == std::string_view::npos ? quoted_identifier(setting)
                                       : quoted_identifier(setting.substr(0, dot)) + "." +
                                             quoted_identifier(setting.substr(dot + 1));
}

std::string setting_statement(std::string_view database, const DatabaseSetting& setting) {
  const std::string whose = setting.role.empty()
                                ? fmt::format("DATABASE {}", quoted_identifier(database))
                                : fmt::format("ROLE {} IN DATABASE {}",
                                              quoted_identifier(setting.role),
                                              quoted_identifier(database));
  return fmt::format(
      "ALTER {} SET {} TO {}", whose, name_as_sql(setting.name), value_as_sql(setting));
}

std::string role_as_sql(const std::string& role) {
  return role.empty() ? "PUBLIC" : quoted_identifier(role);
}

std::string grant_statement(std::string_view database, const DatabaseGrant& grant) {
  return fmt::format("GRANT {} ON DATABASE {} TO {}{}",
                     grant.privilege,
                     quoted_identifier(database),
                     role_as_sql(grant.grantee),
                     grant.grantable ? " WITH GRANT OPTION" : "");
}

/// Every grant after the one that its grantor has the right from.
void add_grants(std::vector<std::string>& statements,
                std::string_view database,
                const DatabaseProperties& properties) {
  std::vector<DatabaseGrant> left = properties.grants;
  std::set<std::pair<std::string, std::string>> may;  // who may grant what
  const auto can_be_made = [&](const DatabaseGrant& grant) {
    return grant.grantor == properties.owner || may.contains({grant.grantor, grant.privilege});
  };
  while (true) {
    const auto next = std::find_if(left.begin(), left.end(), can_be_made);
    if (next == left.end()) {
      return;  // differences() tells of those that nobody may make
    }
    const bool as_owner = next->grantor == properties.owner;
    if (!as_owner) {
      statements.push_back("SET ROLE " + quoted_identifier(next->grantor));
    }
    statements.push_back(grant_statement(database, *next));
    if (!as_owner) {
      statements.emplace_back("RESET ROLE");
    }
    if (next->grantable) {
      may.emplace(next->grantee, next->privilege);
    }
    left.erase(next);
  }
}

std::string words_of(const DatabaseGrant& grant) {
  return fmt::format("{} of {} from {}{}",
                     grant.privilege,
                     grant.grantee.empty() ? "PUBLIC" : "'" + grant.grantee + "'",
                     "'" + grant.grantor + "'",
                     grant.grantable ? " with grant option" : "");
}

std::string words_of(const DatabaseSetting& setting) {
  return fmt::format("setting {} = '{}'{}",
                     setting.name,
                     setting.value,
                     setting.role.empty() ? "" : " of role '" + setting.role + "'");
}

std::string words_of(const DatabaseLabel& label) {
  return fmt::format("security label '{}' of {}", label.text, label.provider);
}

template <typename Thing>
void compare_lists(const std::vector<Thing>& was,
                   const std::vector<Thing>& is,
                   std::vector<std::string>& found) {
  std::vector<Thing> only;
  std::set_difference(was.begin(), was.end(), is.begin(), is.end(), std::back_inserter(only));
  for (const Thing& thing : only) {
    found.push_back(words_of(thing) + " is missing");
  }
  only.clear();
  std::set_difference(is.begin(), is.end(), was.begin(), was.end(), std::back_inserter(only));
  for (const Thing& thing : only) {
    found.push_back(words_of(thing) + " was not there");
  }
}

}  // namespace

std::vector<engine::OwnedStatement> database_properties_message(std::string_view database,
                                                                int server_version) {
  const bool tells_provider = server_version >= 150000;
  const bool tells_rules = server_version >= 160000;
  const std::string_view locale = server_version >= 170000 ? "d.datlocale" : "d.daticulocale";
  const std::string name(database);
  return {{fmt::format(kDatabase,
                       tells_provider ? "d.datlocprovider" : "'c'",
                       tells_provider ? locale : "NULL",
                       tells_rules ? "d.daticurules" : "NULL"),
           {name}},
          {std::string(kGrants), {name}},
          {std::string(kSettings), {name}},
          {std::string(kLabels), {name}}};
}

std::optional<DatabaseProperties> decode_database_properties(
    const std::vector<engine::ResultSet>& answer) {
  using engine::text_of;
  using engine::truth_of;
  if (answer.at(0).rows.empty()) {
    return std::nullopt;
  }
  const std::vector<engine::SqlValue>& row = answer.at(0).rows.front();
  DatabaseProperties result;
  result.owner = text_of(row.at(0));
  result.encoding = text_of(row.at(1));
  result.collate = text_of(row.at(2));
  result.ctype = text_of(row.at(3));
  result.locale_provider = text_of(row.at(4)).at(0);
  result.locale = text_of(row.at(5));
  result.icu_rules = text_of(row.at(6));
  result.tablespace = text_of(row.at(7));
  result.connection_limit = static_cast<int>(engine::integer_of(row.at(8)));
  result.allows_connections = truth_of(row.at(9));
  result.is_template = truth_of(row.at(10));
  result.comment = marked_comment_of(text_of(row.at(11))).comment;
  for (const auto& grant : answer.at(1).rows) {
    result.grants.push_back(
        {text_of(grant.at(0)), text_of(grant.at(1)), text_of(grant.at(2)), truth_of(grant.at(3))});
  }
  for (const auto& setting : answer.at(2).rows) {
    const std::string text = text_of(setting.at(1));
    const std::size_t equals = std::min(text.find('='), text.size() - 1);
    result.settings.push_back(
        {text_of(setting.at(0)), text.substr(0, equals), text.substr(equals + 1)});
  }
  for (const auto& label : answer.at(3).rows) {
    result.labels.push_back({text_of(label.at(0)), text_of(label.at(1))});
  }
  std::sort(result.grants.begin(), result.grants.end());
  std::sort(result.settings.begin(), result.settings.end());
  std::sort(result.labels.begin(), result.labels.end());
  return result;
}

std::string create_database_statement(std::string_view name, const DatabaseProperties& like) {
  std::string sql = fmt::format(
      "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} "
      "LC_CTYPE {}",
      quoted_identifier(name),
      quoted_literal(like.encoding),
      quoted_literal(like.collate),
      quoted_literal(like.ctype));
  if (like.locale_provider == 'i') {
    sql += " LOCALE_PROVIDER icu ICU_LOCALE " + quoted_literal(like.locale);
    sql += like.icu_rules.empty() ? "" : " ICU_RULES " + quoted_literal(like.icu_rules);
  } else if (like.locale_provider == 'b') {
    sql += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + quoted_literal(like.locale);
  }
  // Naming even the default one takes a right that only superusers have.
  return like.tablespace == "pg_default"
             ? sql
             : sql + " TABLESPACE " + quoted_identifier(like.tablespace);
}

std::vector<std::string> property_statements(std::string_view name,
                                             const DatabaseProperties& properties,
                                             const std::string& purpose) {
  const std::string database = quoted_identifier(name);
  std::vector<std::string> statements = {
      fmt::format("ALTER DATABASE {} OWNER TO {}", database, quoted_identifier(properties.owner)),
      fmt::format("REVOKE ALL PRIVILEGES ON DATABASE {} FROM PUBLIC, {}",
                  database,
                  quoted_identifier(properties.owner))};
  add_grants(statements, name, properties);
  for (const DatabaseSetting& setting : properties.settings) {
    statements.push_back(setting_statement(name, setting));
  }
  statements.push_back(
      fmt::format("COMMENT ON DATABASE {} IS {}", database, sql_of({purpose, properties.comment})));
  for (const DatabaseLabel& label : properties.labels) {
    statements.push_back(fmt::format("SECURITY LABEL FOR {} ON DATABASE {} IS {}",
                                     quoted_identifier(label.provider),
                                     database,
                                     quoted_literal(label.text)));
  }
  statements.push_back(
      fmt::format("ALTER DATABASE {} CONNECTION LIMIT {}", database, properties.connection_limit));
  if (properties.is_template) {
    statements.push_back(fmt::format("ALTER DATABASE {} IS_TEMPLATE true", database));
  }
  return statements;
}

std::vector<std::string> differences(const DatabaseProperties& was, const DatabaseProperties& is) {
  std::vector<std::string> found;
  const auto compare = [&](std::string_view what, const auto& before, const auto& after) {
    if (before != after) {
      found.push_back(fmt::format("{} is '{}', and was '{}'", what, after, before));
    }
  };
  compare("owner", was.owner, is.owner);
  compare("encoding", was.encoding, is.encoding);
  compare("collation", was.collate, is.collate);
  compare("character type", was.ctype, is.ctype);
  compare("locale provider", was.locale_provider, is.locale_provider);
  compare("locale", was.locale, is.locale);
  compare("ICU rules", was.icu_rules, is.icu_rules);
  compare("tablespace", was.tablespace, is.tablespace);
  compare("connection limit", was.connection_limit, is.connection_limit);
  compare("template mark", was.is_template, is.is_template);
  compare("comment", was.comment, is.comment);
  compare_lists(was.grants, is.grants, found);
  compare_lists(was.settings, is.settings, found);
  compare_lists(was.labels, is.labels, found);
  return found;
}

}  // namespace drover::orchestrator::backup
