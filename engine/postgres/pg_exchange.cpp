#include "engine/postgres/pg_exchange.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/postgres/pg_connect.h"
#include "engine/postgres/pg_error.h"
#include "engine/postgres/pg_handles.h"
#include "engine/postgres/pg_results.h"
#include "engine/postgres/pg_wait.h"
#include "engine/postgres/statement_guard.h"

namespace drover::engine::postgres {

namespace {

/// How long a cancelled statement may take to say so before the connection is closed.
constexpr Milliseconds kCancelGrace{2000};

class Conversation {
 public:
  Conversation(PGconn& connection,
               std::span<const Statement> statements,
               const Patience& patience,
               const std::shared_ptr<PGcancel>& cancel)
      : connection_(connection), statements_(statements), patient_(patience), cancel_(cancel) {}

  Exchanged run();

 private:
  bool is_pipeline() const noexcept { return statements_.size() > 1; }
  bool may_send();
  bool send_all();
  bool send(const Statement& statement);
  bool read_statement(const Statement& statement);
  bool take(PgResult result, const Statement& statement, ResultSet& set);
  void leave_pipeline();
  std::optional<PgResult> next_result();
  std::optional<PgResult> next_result(const PatientWait& patient, Waited& waited);
  void interrupt(Waited waited);
  void refuse_copy(ExecStatusType direction);

  bool fail(SqlError error, Afterwards afterwards);

  PGconn& connection_;
  std::span<const Statement> statements_;
  PatientWait patient_;
  const std::shared_ptr<PGcancel>& cancel_;
  Exchanged out_;
  std::string text_;                 // of the statement being sent, with the NUL that libpq needs
  std::vector<const char*> values_;  // its parameters
};

/// Notes the first error. False, so that callers can `return fail(...)`.
bool Conversation::fail(SqlError error, Afterwards afterwards) {
  if (!out_.exchange.error) {
    out_.exchange.error = std::move(error);
  }
  if (afterwards == Afterwards::broken) {
    out_.afterwards = afterwards;
  }
  return false;
}

Exchanged Conversation::run() {
  PQsetNoticeReceiver(&connection_, receive_notice, &out_.exchange.notices);
  if (!statements_.empty() && may_send() && send_all()) {
    out_.exchange.results.reserve(statements_.size());
    for (const Statement& statement : statements_) {
      if (!read_statement(statement)) {
        break;
      }
    }
    if (is_pipeline() && out_.afterwards == Afterwards::usable) {
      leave_pipeline();
    }
  }
  PQsetNoticeReceiver(
      &connection_, [](void*, const PGresult*) {}, nullptr);
  return std::move(out_);
}

/// Looks at everything that needs no server.
bool Conversation::may_send() {
  const Waited waited = patient_.check();
  if (waited != Waited::ready) {
    return fail(patience_error(waited, "a statement"), Afterwards::broken);
  }
  const auto holds_nul = [](const SqlValue& value) {
    return value && value->find('\0') != std::string::npos;
  };
  for (const Statement& statement : statements_) {
    if (statement.sql.find('\0') != std::string_view::npos ||
        std::any_of(statement.params.begin(), statement.params.end(), holds_nul)) {
      return fail(
          refusal("a statement holds a NUL character", "PostgreSQL cannot store it; take it out."),
          Afterwards::usable);
    }
    if (statement.author == Author::migration) {
      if (std::optional<SqlError> refused = refusal_of_migration_statement(statement.sql)) {
        return fail(std::move(*refused), Afterwards::usable);
      }
    }
  }
  return true;
}

bool Conversation::send(const Statement& statement) {
  text_.assign(statement.sql);
  values_.clear();
  for (const SqlValue& value : statement.params) {
    values_.push_back(value ? value->c_str() : nullptr);
  }
  return PQsendQueryParams(&connection_,
                           text_.c_str(),
                           static_cast<int>(values_.size()),
                           nullptr,
                           values_.data(),
                           nullptr,
                           nullptr,
                           /*resultFormat=*/0) == 1;
}

/// Queues everything; what the socket does not take now goes out while answers are awaited.
bool Conversation::send_all() {
  bool sent = !is_pipeline() || PQenterPipelineMode(&connection_) == 1;
  for (const Statement& statement : statements_) {
    sent = sent && send(statement);
  }
  sent = sent && (!is_pipeline() || PQpipelineSync(&connection_) == 1);
  return sent || fail(connection_error(PQerrorMessage(&connection_)), Afterwards::broken);
}

/// The next result, null between two statements; nullopt when the wait ended early.
std::optional<PgResult> Conversation::next_result(const PatientWait& patient, Waited& waited) {
  while (true) {
    const int unsent = PQflush(&connection_);
    if (PQisBusy(&connection_) == 0) {
      return PgResult(PQgetResult(&connection_));
    }
    waited = patient.wait(PQsocket(&connection_),
                          unsent == 1 ? Interest::read_and_write : Interest::read);
    if (waited != Waited::ready) {
      return std::nullopt;
    }
    if (PQconsumeInput(&connection_) == 0) {
      return PgResult(PQgetResult(&connection_));  // does not block: it reports the loss
    }
  }
}

std::optional<PgResult> Conversation::next_result() {
  Waited waited = Waited::ready;
  std::optional<PgResult> result = next_result(patient_, waited);
  if (!result) {
    interrupt(waited);
  }
  return result;
}

/// The deadline or the stop came: cancel, wait a little for the server to obey, give up.
void Conversation::interrupt(Waited waited) {
  fail(patience_error(waited, "a statement"), Afterwards::broken);
  request_cancel(cancel_);
  const PatientWait grace({std::chrono::steady_clock::now() + kCancelGrace, {}});
  Waited ignored = Waited::ready;
  while (true) {
    const std::optional<PgResult> result = next_result(grace, ignored);
    const ExecStatusType status = result ? PQresultStatus(result->get()) : PGRES_FATAL_ERROR;
    if (!result || !*result || status == PGRES_FATAL_ERROR || status == PGRES_COPY_IN ||
        status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      return;
    }
  }
}

/// Reads all results of one statement. False when it, or the connection, failed.
bool Conversation::read_statement(const Statement& statement) {
  if (statement.author == Author::migration) {
    PQsetSingleRowMode(&connection_);
  }
  ResultSet set;
  bool good = true;
  while (out_.afterwards == Afterwards::usable) {
    std::optional<PgResult> result = next_result();
    if (!result) {
      return false;
    }
    if (!*result) {
      if (good) {
        out_.exchange.results.push_back(std::move(set));
      }
      return good;
    }
    good = take(std::move(*result), statement, set) && good;
  }
  return false;
}

/// Puts one result into `set`. False on an error.
bool Conversation::take(PgResult result, const Statement& statement, ResultSet& set) {
  const ExecStatusType status = PQresultStatus(result.get());
  switch (status) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
      if (statement.author == Author::migration && is_transaction_control(*result)) {
        return fail(refusal(fmt::format("the statement was transaction control ({})",
                                        PQcmdStatus(result.get())),
                            "Take the statement out; Drover opens and ends the transactions."),
                    Afterwards::broken);
      }
      add_result(set, *result, statement.author);
      return true;
    case PGRES_EMPTY_QUERY:
      return true;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      refuse_copy(status);
      return false;
    default: {
      SqlError error = error_of(*result);
      const bool lost = error.origin == SqlError::Origin::connection;
      return fail(std::move(error), lost ? Afterwards::broken : Afterwards::usable);
    }
  }
}

/// A COPY FROM STDIN that travels alone is ended in good order. Everything else (rows on their way
/// to us, a pipeline that the server reads as data) costs the connection.
void Conversation::refuse_copy(ExecStatusType direction) {
  const bool can_end = direction == PGRES_COPY_IN && !is_pipeline() &&
                       PQputCopyEnd(&connection_, "COPY FROM STDIN is not supported") == 1;
  if (!can_end) {
    request_cancel(cancel_);
  }
  fail(refusal("COPY from or to the client is not possible here",
               "Write the rows as INSERT, or load them with a tool made for it."),
       can_end ? Afterwards::usable : Afterwards::broken);
}

/// Reads up to the Sync, over the statements that were skipped after an error.
void Conversation::leave_pipeline() {
  int nulls = 0;
  while (true) {
    const std::optional<PgResult> result = next_result();
    if (!result) {
      return;
    }
    nulls = *result ? 0 : nulls + 1;
    const ExecStatusType status = PQresultStatus(result->get());
    if (status == PGRES_PIPELINE_SYNC) {
      break;
    }
    if (nulls > 1 || (*result && status != PGRES_PIPELINE_ABORTED)) {
      fail(nulls > 1 ? connection_error(PQerrorMessage(&connection_)) : error_of(**result),
           Afterwards::broken);
      return;
    }
  }
  if (PQexitPipelineMode(&connection_) != 1) {
    fail(connection_error(PQerrorMessage(&connection_)), Afterwards::broken);
  }
}

}  // namespace

Exchanged exchange_on(PGconn& connection,
                      std::span<const Statement> statements,
                      const Patience& patience,
                      const std::shared_ptr<PGcancel>& cancel) {
  return Conversation(connection, statements, patience, cancel).run();
}

}  // namespace drover::engine::postgres
