/// One schema of a PostgreSQL database as a StoreDb, by libpqxx.
///
/// The only file that knows libpqxx in this room. A connection is never used again after it broke,
/// and libpqxx may not reconnect by itself (it would, in silence). Every transaction brings its own
/// settings and nothing is prepared, so a pooler in transaction mode may stand in between.
///
/// Errors: what the server refuses is told by SQLSTATE. A connection that cannot be made is Error
/// unreachable: journal_unreachable. No message holds the connection string.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/secret.h"
#include "orchestrator/store/store_db.h"

namespace drover::orchestrator::store {

class PostgresDb final : public StoreDb {
 public:
  /// Connects when it is first needed. `where` is a URL or keywords and values, as libpq reads
  /// them; `schema` is the schema's bare name.
  PostgresDb(engine::Secret where, std::string schema);
  ~PostgresDb() override;

  void transact(Access access, const Body& body) override;
  void prepare_for_schema(StoreTransaction& transaction) override;
  const StoreDialect& dialect() const noexcept override;
  const std::string& name() const noexcept override { return name_; }

  /// Called with every transaction's connection just before its commit; for tests that break it
  /// there. The argument is the pid of the server's process.
  void before_commit(std::function<void(int)> hook) { before_commit_ = std::move(hook); }

 private:
  struct Connection;  // keeps pqxx out of this header

  void connect();
  std::optional<Error> try_transact(Access access, const Body& body);
  void run_in_transaction(Access access, const Body& body);

  const engine::Secret where_;
  const std::string schema_;
  std::string name_ = "run journal in PostgreSQL";
  std::unique_ptr<Connection> connection_;
  std::function<void(int)> before_commit_;
};

/// `where` with what a store needs and the caller did not say: time-outs, keepalives, UTF-8.
std::string with_connection_defaults(const std::string& where);

}  // namespace drover::orchestrator::store
