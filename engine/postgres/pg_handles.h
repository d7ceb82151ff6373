/// Owners of what libpq allocates. For this room only.

#pragma once

#include <libpq-fe.h>

#include <memory>

namespace drover::engine::postgres {

struct PgDeleter {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
  void operator()(PGresult* result) const noexcept { PQclear(result); }
  void operator()(PGcancel* cancel) const noexcept { PQfreeCancel(cancel); }
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
  void operator()(char* text) const noexcept { PQfreemem(text); }
};

using PgConnection = std::unique_ptr<PGconn, PgDeleter>;
using PgResult = std::unique_ptr<PGresult, PgDeleter>;
using PgConninfo = std::unique_ptr<PQconninfoOption, PgDeleter>;  ///< An array that ends in null.
using PgText = std::unique_ptr<char, PgDeleter>;

}  // namespace drover::engine::postgres
