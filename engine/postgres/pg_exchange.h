/// One exchange with a server: sends the statements, reads the answers, keeps to the Patience.
///
/// Thread safety: one thread at a time per connection.
/// Errors: what a server or a network does is in the Exchange; std::system_error when the system
/// has no file descriptor left.

#pragma once

#include <libpq-fe.h>

#include <memory>
#include <span>

#include "engine/session.h"

namespace drover::engine::postgres {

/// Whether a connection may be used again. Closing it is the caller's part.
enum class Afterwards { usable, broken };

struct Exchanged {
  Exchange exchange;
  Afterwards afterwards = Afterwards::usable;
};

/// `cancel` belongs to `connection`; it is used when the deadline passes or the stop comes.
Exchanged exchange_on(PGconn& connection,
                      std::span<const Statement> statements,
                      const Patience& patience,
                      const std::shared_ptr<PGcancel>& cancel);

}  // namespace drover::engine::postgres
