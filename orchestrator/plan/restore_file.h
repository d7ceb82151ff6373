/// An order to restore as a file: its text, its digest, and reading both back.
///
/// The digest is over what the order says: the SHA-256 of the bytes of canonical.h for the text
/// "drover restore 1", environment, author, created, and the list of restores with tenant, backup,
/// uid and sha256 each.
///
/// Thread safety: free functions without state.
/// Errors: Error usage: order_exists, invalid_order, with the place; Error verification:
/// order_changed, when the text says something else than its digest; Error storage:
/// file_not_readable, file_not_writable.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "orchestrator/restore_order.h"

namespace drover::orchestrator::plan {

/// JSON with a line per tenant and a line break at its end.
std::string to_text(const RestoreOrder& order);

/// "sha256:" and 64 lower-case hexadecimal digits.
std::string digest_of(const RestoreOrder& order);

/// Reads what to_text() wrote. `name` is the file, for places.
RestoreOrder restore_from_text(std::string_view text, const std::string& name);

/// Makes the file, mode 0600, whole or not at all.
void write_file(const RestoreOrder& order, const std::filesystem::path& file);

/// Reads an order of at most 64 MiB.
RestoreOrder read_restore_file(const std::filesystem::path& file);

/// Whether `file` holds an order to restore, by its first lines, rather than a plan.
bool is_restore_file(const std::filesystem::path& file);

}  // namespace drover::orchestrator::plan
