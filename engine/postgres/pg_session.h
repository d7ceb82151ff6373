/// Sessions with PostgreSQL, on libpq.
///
/// A message of one statement travels by itself in the extended protocol, so that CREATE INDEX
/// CONCURRENTLY and VACUUM work; a message of several is one pipeline with one Sync. Both cost one
/// round trip. Answers are read while a long message is still being sent, so that two full buffers
/// never wait for each other. A session is never repaired: what broke once is closed.
///
/// Of a migration's statement the first kKeptRows rows are kept and the rest is dropped as it
/// arrives (libpq's single-row mode), so that a SELECT over a whole table costs no memory. Of a
/// message 100 notices are kept.
///
/// Settings are given at the start where that is safe: those that every server knows, and those of
/// newer versions once a server has told its version. A server that turns out to be older is asked
/// again without them. SessionInfo::settings says which were given; the rest is the caller's.
///
/// A target without keepalives, application_name and so on gets ours: keepalives 10/5/3 s,
/// tcp_user_timeout 15 s. PGOPTIONS is not read; "options" within a target is.
///
/// Thread safety and errors: see engine/session.h. std::system_error when the system has no file
/// descriptor left, std::bad_alloc.

#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/session.h"

namespace drover::engine::postgres {

/// Rows of a migration's own statement that are worth keeping: nobody looks at more.
inline constexpr std::size_t kKeptRows = 100;

class PgSessionFactory final : public SessionFactory {
 public:
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override;

 private:
  int version_of(const std::string& server);
  void remember(const std::string& server, int version);

  std::mutex mutex_;
  std::unordered_map<std::string, int> versions_;  ///< By Target::server, as it last told.
};

}  // namespace drover::engine::postgres
