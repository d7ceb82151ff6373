/// The whole schema of a database as text, one line for each thing, so that a test can say "exactly
/// as before" and see what is not.
///
/// Two snapshots are equal when tables, columns in their order, types, defaults, constraints,
/// indexes, triggers, views, functions, sequences and comments are. The name of the schema is left
/// out, so that two schemas compare; drover_* tables are left out, because they are not the
/// tenant's own. How a statement was written does not count: blanks, comments and quotes that a
/// name does not need are gone, so a table that was built anew equals the one it replaces.
///
/// Not seen: owners, privileges, policies, rules, statistics, and where a sequence stands. The
/// product compares schemas by other means; this reads the catalogues on its own, for a second
/// opinion.
///
/// Thread safety: free functions, each with a connection of its own. Errors: std::runtime_error,
/// also for a schema or a file that is not there, which would equal any other missing one.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace drover::test {

/// The schema called `schema`, unquoted, in the database that libpq's `conninfo` leads to. Read in
/// one transaction.
std::vector<std::string> schema_of_postgres(const std::string& conninfo, const std::string& schema);

/// The same of an SQLite file.
std::vector<std::string> schema_of_sqlite(const std::filesystem::path& file);

/// Every row of every table, "table {column: value, ...}", sorted; drover_* tables left out. The
/// order of columns and of rows on disk does not count.
std::vector<std::string> rows_of_postgres(const std::string& conninfo, const std::string& schema);
std::vector<std::string> rows_of_sqlite(const std::filesystem::path& file);

/// What makes `after` differ from `before`: "- line" for what is gone, then "+ line" for what is
/// new. Empty when both hold the same lines.
std::vector<std::string> difference(std::vector<std::string> before,
                                    std::vector<std::string> after);

}  // namespace drover::test
