/// Which statements may stand where, and which nowhere.
///
/// What would end or break the transaction that Drover runs a section in, what needs a client that
/// Drover is not (psql, COPY data), what a transaction refuses or ignores. One table per reason;
/// the server judges all else.
///
/// Thread safety: free functions without state.

#pragma once

#include "engine/migration.h"
#include "engine/parse/section_text.h"

namespace drover::engine::parse {

/// Fills in section.statements from `text`, in every dialect that the section is for.
///
/// Throws MigrationTextError for the first statement that may not stand there: transaction_control,
/// copy, discard_all, needs_no_transaction, attach, pragma, writable_schema, load_extension,
/// client_command, unterminated, bad_verify, bad_batch, misplaced_range.
void take_statements(const Migration& file, const SectionText& text, Section& section);

/// Throws MigrationTextError: unterminated.
[[noreturn]] void refuse_open(const Migration& file, const Unterminated& open);

}  // namespace drover::engine::parse
