#include "engine/postgres/pg_session.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string_view>
#include <utility>

#include "engine/postgres/pg_connect.h"
#include "engine/postgres/pg_error.h"
#include "engine/postgres/pg_exchange.h"
#include "engine/postgres/pg_handles.h"
#include "engine/session_hygiene.h"

namespace drover::engine::postgres {

namespace {

class PgSession final : public Session {
 public:
  PgSession(PgConnection connection, std::vector<SessionSetting> settings)
      : connection_(std::move(connection)),
        cancel_(PQgetCancel(connection_.get()), PgDeleter()),
        info_{PQserverVersion(connection_.get()),
              PQbackendPID(connection_.get()),
              std::move(settings)} {}

  Dialect dialect() const noexcept override { return Dialect::postgres; }
  const SessionInfo& info() const noexcept override { return info_; }
  bool alive() const noexcept override { return connection_ != nullptr; }

  bool in_transaction() const noexcept override {
    if (!alive()) {
      return false;
    }
    const PGTransactionStatusType status = PQtransactionStatus(connection_.get());
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
  }

  Exchange exchange(std::span<const Statement> statements, const Patience& patience) override {
    if (!alive()) {
      return {{}, connection_error("the session is closed"), {}};
    }
    PgConnection connection = std::move(connection_);  // comes back when all went well
    busy_ = true;
    Exchanged exchanged = exchange_on(*connection, statements, patience, cancel_);
    busy_ = false;
    if (exchanged.afterwards == Afterwards::usable) {
      connection_ = std::move(connection);
    }
    return std::move(exchanged.exchange);
  }

  void cancel() noexcept override {
    if (busy_) {
      request_cancel(cancel_);
    }
  }

 private:
  PgConnection connection_;                 // null once the session is dead
  const std::shared_ptr<PGcancel> cancel_;  // shared with threads that are sending a cancel request
  const SessionInfo info_;
  std::atomic<bool> busy_ = false;  // for cancel(), from other threads
};

constexpr std::size_t kMostStartupBytes = 4096;  // the server reads 10,000, all options together
constexpr std::string_view kUnknownSetting = "42704";

/// Whether the startup packet can carry `text`: it is not converted to the database's encoding.
bool travels(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return c != '\0' && static_cast<unsigned char>(c) < 0x80U;
  });
}

/// The settings that a session with `target` is given at the start: its schema, and those of
/// `wanted` that a server of `version` (0: any) takes.
std::vector<SessionSetting> settings_at_start(const Target& target,
                                              const std::vector<SessionSetting>& wanted,
                                              int version) {
  std::vector<SessionSetting> given{search_path_setting(target.schema)};
  std::size_t bytes = 0;
  for (const SessionSetting& setting : wanted) {
    bytes += setting.name.size() + 2 * setting.value.size();
    if (setting != given.front() && setting.since <= version && travels(setting.value) &&
        bytes <= kMostStartupBytes) {
      given.push_back(setting);
    }
  }
  return given;
}

}  // namespace

OpenResult PgSessionFactory::open(const Target& target,
                                  const OpenOptions& options,
                                  const Patience& patience) {
  const bool pooled = options.purpose == OpenOptions::Purpose::read && !target.pooled.empty();
  const int version = version_of(target.server);
  OpenOptions opening = options;
  opening.settings =
      pooled ? std::vector<SessionSetting>() : settings_at_start(target, options.settings, version);
  Connected connected = connect(target, opening, patience);
  if (connected.error && connected.error->sqlstate == kUnknownSetting && version != 0) {
    opening.settings = settings_at_start(target, options.settings, 0);  // older than it was
    connected = connect(target, opening, patience);
  }
  if (connected.error) {
    return {nullptr, std::move(connected.error)};
  }
  if (!pooled) {
    remember(target.server, PQserverVersion(connected.connection.get()));
  }
  return {std::make_unique<PgSession>(std::move(connected.connection), std::move(opening.settings)),
          std::nullopt};
}

int PgSessionFactory::version_of(const std::string& server) {
  const std::lock_guard lock(mutex_);
  const auto known = versions_.find(server);
  return known == versions_.end() ? 0 : known->second;
}

void PgSessionFactory::remember(const std::string& server, int version) {
  const std::lock_guard lock(mutex_);
  versions_[server] = version;
}

}  // namespace drover::engine::postgres
