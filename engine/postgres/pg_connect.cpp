#include "engine/postgres/pg_connect.h"

#include <array>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/postgres/pg_error.h"
#include "engine/postgres/pg_wait.h"

namespace drover::engine::postgres {

namespace {

constexpr Milliseconds kIdleInTransactionLimit{60000};

/// Keywords for PQconnectStartParams, which later ones of the same name override.
class Parameters {
 public:
  void add(const char* keyword, const char* value) {
    keywords_.push_back(keyword);
    values_.push_back(value);
  }

  PGconn* start() {
    add(nullptr, nullptr);
    return PQconnectStartParams(keywords_.data(), values_.data(), /*expand_dbname=*/1);
  }

 private:
  std::vector<const char*> keywords_;
  std::vector<const char*> values_;
};

/// `text` for the server's pg_split_opts(): one word.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool blank = c == ' ' || (c >= '\t' && c <= '\r');
    if (blank || c == '\\') {
      out += '\\';
    }
    out += c;
  }
}

void append_setting(std::string& out, std::string_view name, std::string_view value) {
  out += out.empty() ? "-c " : " -c ";
  append_escaped(out, name);
  out += '=';
  append_escaped(out, value);
}

void append_setting(std::string& out, std::string_view name, Milliseconds value) {
  append_setting(out, name, std::to_string(value.count()));
}

/// The value of the keyword "options" within `connection`; rarely there.
std::string options_within(const std::string& connection) {
  if (connection.find("options") == std::string::npos) {
    return {};
  }
  const PgConninfo parsed(PQconninfoParse(connection.c_str(), nullptr));
  for (const PQconninfoOption* o = parsed.get(); o != nullptr && o->keyword != nullptr; ++o) {
    if (std::string_view(o->keyword) == "options" && o->val != nullptr) {
      return o->val;
    }
  }
  return {};
}

PGconn* start(const Target& target, const OpenOptions& options, const std::string& connection) {
  const bool pooled = &connection == &target.pooled;
  const std::string startup =
      pooled ? std::string() : startup_options(options, options_within(connection));
  Parameters parameters;
  // Ours until the target says otherwise.
  parameters.add("keepalives_idle", "10");
  parameters.add("keepalives_interval", "5");
  parameters.add("keepalives_count", "3");
  parameters.add("tcp_user_timeout", "15000");
  parameters.add("application_name", options.application_name.c_str());
  parameters.add("dbname", connection.c_str());
  // Ours whatever the target says.
  parameters.add("client_encoding", "UTF8");
  if (!target.password.empty()) {
    parameters.add("password", target.password.reveal().c_str());
  }
  if (!pooled) {
    parameters.add("options", startup.c_str());
  }
  return parameters.start();
}

std::optional<SqlError> refused_before_start(const Target& target) {
  if (target.connection.find('\0') != std::string::npos ||
      target.schema.find('\0') != std::string::npos) {
    return refusal("the target holds a NUL character", "Correct the target.");
  }
  return std::nullopt;
}

/// Goes through TCP, TLS and authentication.
std::optional<SqlError> finish(PGconn* connection, const Patience& patience) {
  const PatientWait patient(patience);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
    const Interest interest = next == PGRES_POLLING_READING ? Interest::read : Interest::write;
    const Waited waited = patient.wait(PQsocket(connection), interest);
    if (waited != Waited::ready) {
      return patience_error(waited, "connecting");
    }
    next = PQconnectPoll(connection);
    if (next == PGRES_POLLING_FAILED) {
      break;
    }
  }
  if (PQstatus(connection) != CONNECTION_OK) {
    return connection_error(PQerrorMessage(connection));
  }
  return std::nullopt;
}

}  // namespace

std::string startup_options(const OpenOptions& options, const std::string& target_options) {
  std::string out = target_options;
  append_setting(out, "lock_timeout", options.lock_timeout);
  append_setting(out, "statement_timeout", options.statement_timeout);
  append_setting(out, "idle_in_transaction_session_timeout", kIdleInTransactionLimit);
  for (const SessionSetting& setting : options.settings) {
    append_setting(out, setting.name, setting.value);
  }
  return out;
}

Connected connect(const Target& target, const OpenOptions& options, const Patience& patience) {
  Connected result;
  result.error = refused_before_start(target);
  if (result.error) {
    return result;
  }
  const bool pooled = options.purpose == OpenOptions::Purpose::read && !target.pooled.empty();
  PgConnection connection(start(target, options, pooled ? target.pooled : target.connection));
  PQsetErrorVerbosity(connection.get(), PQERRORS_VERBOSE);  // see connection_error()
  PQsetNoticeReceiver(
      connection.get(), [](void*, const PGresult*) {}, nullptr);
  result.error = finish(connection.get(), patience);
  if (!result.error && PQsetnonblocking(connection.get(), 1) != 0) {
    result.error = connection_error(PQerrorMessage(connection.get()));
  }
  if (!result.error) {
    result.connection = std::move(connection);
  }
  return result;
}

void request_cancel(const std::shared_ptr<PGcancel>& cancel) noexcept {
  try {
    std::thread([cancel] {
      std::array<char, 256> ignored = {};  // best effort: nobody waits for the answer
      PQcancel(cancel.get(), ignored.data(), static_cast<int>(ignored.size()));
    }).detach();
  } catch (const std::system_error&) {
    // No thread to be had. The session is closed anyway, which ends the statement a little later.
  }
}

}  // namespace drover::engine::postgres
