/// What CREATE DATABASE and an archive of a database do not carry: its owner, privileges, settings,
/// limits, comment and labels, and the locale that it was made with.
///
/// Reads them, says them as statements that give them to another database of the same server, and
/// compares two readings. Sends nothing; desk.h does. PostgreSQL 13 to 18: an older server is not
/// asked for what it does not know.
///
/// Thread safety: values and pure functions.

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/history.h"
#include "engine/session.h"

namespace drover::orchestrator::backup {

/// One privilege of one role.
struct DatabaseGrant {
  std::string grantor;
  std::string grantee;    ///< Empty: PUBLIC.
  std::string privilege;  ///< "CONNECT", "CREATE" or "TEMPORARY"
  bool grantable = false;

  auto operator<=>(const DatabaseGrant&) const = default;
};

/// ALTER DATABASE ... SET, or ALTER ROLE ... IN DATABASE ... SET.
struct DatabaseSetting {
  std::string role;  ///< Empty: of the database, for every role.
  std::string name;
  std::string value;  ///< As the catalog holds it; of lists "\"$user\", public".

  auto operator<=>(const DatabaseSetting&) const = default;
};

struct DatabaseLabel {
  std::string provider;
  std::string text;

  auto operator<=>(const DatabaseLabel&) const = default;
};

struct DatabaseProperties {
  std::string owner;
  std::string encoding;
  std::string collate;
  std::string ctype;
  char locale_provider = 'c';  ///< As pg_database has it: c libc, i ICU, b builtin.
  std::string locale;          ///< Of ICU and builtin.
  std::string icu_rules;
  std::string tablespace;
  int connection_limit = -1;
  bool allows_connections = true;
  bool is_template = false;
  std::string comment;                    ///< Without a closing mark.
  std::vector<DatabaseGrant> grants;      ///< Those in force, so the default ones too. Sorted.
  std::vector<DatabaseSetting> settings;  ///< Sorted.
  std::vector<DatabaseLabel> labels;      ///< Security labels. Sorted.
};

/// What to ask, in any database of the server, about `database`; one message.
std::vector<engine::OwnedStatement> database_properties_message(std::string_view database,
                                                                int server_version);

/// What was answered; nullopt when there is no such database.
std::optional<DatabaseProperties> decode_database_properties(
    const std::vector<engine::ResultSet>& answer);

/// CREATE DATABASE of an empty `name` whose encoding, locale and tablespace are those of `like`.
std::string create_database_statement(std::string_view name, const DatabaseProperties& like);

/// Gives `name` the rest of `properties`, but whether it allows connections, and `purpose` as a
/// mark in front of the comment; each statement to be sent by itself, in order, in another
/// database. A grant of a role that is not the owner is made as that role, by SET ROLE.
std::vector<std::string> property_statements(std::string_view name,
                                             const DatabaseProperties& properties,
                                             const std::string& purpose);

/// What `is` lacks or has in excess of `was`, as sentences without a full stop: "owner is 'ann',
/// and was 'bob'". Says nothing of allows_connections.
std::vector<std::string> differences(const DatabaseProperties& was, const DatabaseProperties& is);

}  // namespace drover::orchestrator::backup
