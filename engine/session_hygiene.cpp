#include "engine/session_hygiene.h"

#include <fmt/format.h>

namespace drover::engine {
namespace {

/// The server looks every half second whether the client is still there, so that the statements of
/// a dead runner stop before they can do harm (PostgreSQL 14 and later).
constexpr int kHasConnectionCheck = 140000;

}  // namespace

std::vector<OwnedStatement> settings_statements(Dialect dialect,
                                                const SessionInfo& info,
                                                const std::string& schema,
                                                const TenantFacts& facts) {
  if (dialect == Dialect::sqlite) {
    return {};
  }
  OwnedStatement settings{"SELECT ", {}};
  const auto add = [&settings](std::string name, std::string value) {
    if (!settings.params.empty()) {
      settings.sql += ", ";
    }
    settings.sql += "pg_catalog.set_config($" + std::to_string(settings.params.size() + 1) + ", $" +
                    std::to_string(settings.params.size() + 2) + ", false)";
    settings.params.emplace_back(std::move(name));
    settings.params.emplace_back(std::move(value));
  };
  add("search_path", quoted_identifier(schema));
  if (info.server_version >= kHasConnectionCheck) {
    add("client_connection_check_interval", "500ms");
    add("idle_session_timeout", "10min");
  }
  for (const auto& [name, value] : facts) {
    add("drover." + name, value);
  }
  // Behind a pooler they would stay in a session of others; the lock's statement finds that out.
  settings.sql += fmt::format(" WHERE pg_catalog.pg_backend_pid() = {}", info.backend_pid);
  return {std::move(settings)};
}

const std::vector<OwnedStatement>& reset_statements(Dialect dialect) {
  static const std::vector<OwnedStatement> kNone;
  static const std::vector<OwnedStatement> kPostgres{{"RESET SESSION AUTHORIZATION"},
                                                     {"RESET ROLE"},
                                                     {"RESET ALL"},
                                                     {"CLOSE ALL"},
                                                     {"UNLISTEN *"},
                                                     {"DEALLOCATE ALL"},
                                                     {"DISCARD TEMP"}};
  return dialect == Dialect::postgres ? kPostgres : kNone;
}

}  // namespace drover::engine
