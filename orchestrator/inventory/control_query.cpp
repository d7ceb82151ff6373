#include "orchestrator/inventory/control_query.h"

#include <fmt/format.h>

#include <pqxx/pqxx>

#include "engine/error.h"
#include "orchestrator/inventory/connection_words.h"
#include "orchestrator/inventory/source_row.h"

namespace drover::orchestrator::inventory {
namespace {

/// Our defaults stand first, so that the target's own words win; but not over the encoding.
std::string words_for(const engine::Target& target, const Timeouts& timeouts) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(timeouts.connect).count();
  std::string words =
      fmt::format("application_name=drover connect_timeout={} {}", seconds, target.connection);
  if (!target.password.empty()) {
    words += " " + connection_word("password", target.password.reveal());
  }
  return words + " client_encoding=UTF8";
}

/// libpqxx 6 reconnects by itself unless told not to, and calls telling it deprecated; 7 never
/// does.
void stay_connected(pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR < 7
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
#else
  static_cast<void>(connection);
#endif
}

QueryAnswer answer_of(const pqxx::result& result) {
  if (result.size() > static_cast<pqxx::result::size_type>(kMostRows)) {
    throw Error(ErrorCode::usage,
                "source_failed",
                fmt::format("the query gives {} rows, more than {}", result.size(), kMostRows),
                "Select fewer tenants.");
  }
  QueryAnswer answer;
  for (pqxx::row::size_type column = 0; column < result.columns(); ++column) {
    answer.columns.emplace_back(result.column_name(column));
  }
  for (const auto& row : result) {
    std::vector<std::optional<std::string>> values;
    for (const auto& field : row) {
      values.push_back(field.is_null() ? std::nullopt
                                       : std::optional<std::string>(std::string(field.c_str())));
    }
    answer.rows.push_back(std::move(values));
  }
  return answer;
}

}  // namespace

QueryAnswer query_postgres(const engine::Target& target,
                           const std::string& sql,
                           const Timeouts& timeouts) {
  try {
    pqxx::connection connection(words_for(target, timeouts));
    stay_connected(connection);
    pqxx::work transaction(connection);
    transaction.exec("SET TRANSACTION READ ONLY");
    transaction.exec(fmt::format("SET LOCAL statement_timeout = {}", timeouts.statement.count()));
    return answer_of(transaction.exec(sql));
  } catch (const pqxx::broken_connection& error) {
    throw Error(ErrorCode::unreachable,
                "source_unreachable",
                fmt::format("database '{}' on {} cannot be reached: {}",
                            target.database,
                            target.server,
                            first_line(error.what())),
                "Check the address, the server and the password.");
  } catch (const pqxx::sql_error& error) {
    throw Error(ErrorCode::usage,
                "source_failed",
                fmt::format("database '{}' on {} refuses the query: {} (SQLSTATE {})",
                            target.database,
                            target.server,
                            first_line(error.what()),
                            error.sqlstate()),
                "Try the query with psql as the same user.");
  } catch (const pqxx::pqxx_exception& error) {
    throw Error(ErrorCode::usage,
                "source_failed",
                fmt::format("the query on database '{}' on {} failed: {}",
                            target.database,
                            target.server,
                            first_line(error.base().what())),
                "Give one SELECT statement.");
  }
}

}  // namespace drover::orchestrator::inventory
