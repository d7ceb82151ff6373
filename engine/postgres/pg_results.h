/// Results of libpq as ours, and notices within limits.
///
/// Thread safety: one thread at a time.

#pragma once

#include <libpq-fe.h>

#include <vector>

#include "engine/session.h"

namespace drover::engine::postgres {

/// Adds the columns (once), rows and affected count of `from`. A migration's statement keeps no
/// more than kKeptRows rows.
void add_result(ResultSet& to, const PGresult& from, Author author);

/// The libpq notice receiver; `notices` is a std::vector<Notice>*. Keeps the first hundred, and two
/// kilobytes of each.
void receive_notice(void* notices, const PGresult* notice) noexcept;

/// Whether the command tag of `result` is that of transaction control.
bool is_transaction_control(PGresult& result) noexcept;

}  // namespace drover::engine::postgres
