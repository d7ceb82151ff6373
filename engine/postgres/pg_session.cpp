#include "engine/postgres/pg_session.h"

#include <atomic>
#include <memory>
#include <utility>

#include "engine/postgres/pg_connect.h"
#include "engine/postgres/pg_error.h"
#include "engine/postgres/pg_exchange.h"
#include "engine/postgres/pg_handles.h"

namespace drover::engine::postgres {

namespace {

class PgSession final : public Session {
 public:
  explicit PgSession(PgConnection connection)
      : connection_(std::move(connection)),
        cancel_(PQgetCancel(connection_.get()), PgDeleter()),
        info_{PQserverVersion(connection_.get()), PQbackendPID(connection_.get())} {}

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

}  // namespace

OpenResult PgSessionFactory::open(const Target& target,
                                  const OpenOptions& options,
                                  const Patience& patience) {
  Connected connected = connect(target, options, patience);
  if (connected.error) {
    return {nullptr, std::move(connected.error)};
  }
  return {std::make_unique<PgSession>(std::move(connected.connection)), std::nullopt};
}

}  // namespace drover::engine::postgres
