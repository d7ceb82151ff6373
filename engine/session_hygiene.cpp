#include "engine/session_hygiene.h"

#include <algorithm>

#include <fmt/format.h>

namespace drover::engine {
namespace {

/// The server looks every half second whether the client is still there, so that the statements of
/// a dead runner stop before they can do harm (PostgreSQL 14 and later).
constexpr int kHasConnectionCheck = 140000;

}  // namespace

SessionSetting search_path_setting(const std::string& schema) {
  return {"search_path", quoted_identifier(schema)};
}

std::vector<SessionSetting> session_settings(Dialect dialect,
                                             const std::string& schema,
                                             const TenantFacts& facts) {
  if (dialect == Dialect::sqlite) {
    return {};
  }
  std::vector<SessionSetting> settings{
      search_path_setting(schema),
      {"client_connection_check_interval", "500ms", kHasConnectionCheck},
      {"idle_session_timeout", "10min", kHasConnectionCheck}};
  for (const auto& [name, value] : facts) {
    settings.push_back({"drover." + name, value});
  }
  return settings;
}

std::vector<OwnedStatement> settings_statements(const SessionInfo& info,
                                                const std::vector<SessionSetting>& settings) {
  OwnedStatement statement{"SELECT ", {}};
  const auto set = [&statement](const std::string& name, const std::string& value) {
    const std::size_t at = statement.params.size();
    statement.sql += fmt::format(
        "{}pg_catalog.set_config(${}, ${}, false)", at == 0 ? "" : ", ", at + 1, at + 2);
    statement.params.emplace_back(name);
    statement.params.emplace_back(value);
  };
  for (const SessionSetting& setting : settings) {
    const bool there =
        std::find(info.settings.begin(), info.settings.end(), setting) != info.settings.end();
    if (!there && setting.since <= info.server_version) {
      set(setting.name, setting.value);
    }
  }
  for (const SessionSetting& old : info.settings) {
    const bool wanted = std::any_of(settings.begin(), settings.end(), [&](const auto& setting) {
      return setting.name == old.name;
    });
    if (!wanted) {
      set(old.name, "");
    }
  }
  if (statement.params.empty()) {
    return {};
  }
  // Behind a pooler they would stay in a session of others; the lock's statement finds that out.
  statement.sql += fmt::format(" WHERE pg_catalog.pg_backend_pid() = {}", info.backend_pid);
  return {std::move(statement)};
}

const std::vector<OwnedStatement>& reset_statements(Dialect dialect) {
  static const std::vector<OwnedStatement> kNone;
  static const std::vector<OwnedStatement> kPostgres{{"RESET SESSION AUTHORIZATION"},
                                                     {"RESET ROLE"},
                                                     {"RESET ALL"},
                                                     {"CLOSE ALL"},
                                                     {"UNLISTEN *"},
                                                     {std::string(kForgetPrepared)},
                                                     {"DISCARD TEMP"}};
  return dialect == Dialect::postgres ? kPostgres : kNone;
}

}  // namespace drover::engine
