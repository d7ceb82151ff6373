/// One migration file, understood: header, sections, statements, and the units that they run in.
///
/// This is the data that everything else works on. parse/migration_text.h makes it from text,
/// migration_set.h gives it checksums and a place in the graph, executor.h runs it. The grammar is
/// in docs of parse/migration_text.h.
///
/// Thread safety: plain values; share them by const reference.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/dialect.h"
#include "engine/error.h"
#include "engine/revision_graph.h"

namespace drover::engine {

/// What a statement is, as far as running it safely asks. Everything else is `other`.
enum class StatementKind {
  other,
  create_index_concurrently,
  drop_index_concurrently,
  reindex_concurrently,
  reindex,               ///< REINDEX without CONCURRENTLY; DATABASE and SYSTEM forms too.
  detach_concurrently,   ///< ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY
  refresh_concurrently,  ///< REFRESH MATERIALIZED VIEW CONCURRENTLY (allowed in a transaction)
  vacuum,
  alter_type_add_value,  ///< ALTER TYPE ... ADD VALUE (its value is unusable until commit)
  validate_constraint,   ///< ALTER TABLE ... VALIDATE CONSTRAINT
  create_database,
  drop_database,
  alter_system,
  create_tablespace,
  drop_tablespace,
  subscription,  ///< CREATE, ALTER or DROP SUBSCRIPTION, which may refuse a transaction
  cluster_all,   ///< CLUSTER without a table
  select,        ///< SELECT, VALUES, TABLE, or WITH that ends in one
  pragma,        ///< SQLite PRAGMA
  transaction_control,
  copy,
  attach_detach,              ///< SQLite
  alter_database_tablespace,  ///< ALTER DATABASE ... SET TABLESPACE
};

/// One statement of a section.
struct SqlStatement {
  std::string_view text;  ///< From its first token to its last, no semicolon. Into Migration::text.
  StatementKind kind = StatementKind::other;

  /// What it is about, as written ("s"."my index"), where recovering it must ask: the index, the
  /// constraint, the detached partition, the enum type, the database. Empty: not named.
  std::string_view object = {};
  std::string_view table = {};  ///< The table that the object is on; of ADD VALUE: the literal.
};

enum class Transactional { no, yes };

/// What a `batch` section asks for: how a table is gone through, how fast, and what is checked.
struct BatchOptions {
  enum class OnPoison { stop, park };
  enum class Check {
    none,
    count,     ///< Rows that are not done; where the section says what done means.
    checksum,  ///< And rows whose values are not what the statement computes from them now.
  };

  /// What an UPDATE gives one column; both as written.
  struct Assignment {
    std::string column;
    std::string value;

    bool operator==(const Assignment&) const = default;
  };

  std::map<std::string, std::string> keys;  ///< As written, with defaults; what is below says what
                                            ///< they mean.
  std::string table;                        ///< As written, perhaps qualified.
  std::vector<std::string> key;             ///< Columns; empty: the primary key.
  bool heap = false;                        ///< In the order of the heap instead of a key's.
  bool descending = false;
  std::chrono::milliseconds target{500};  ///< How long a transaction should take.
  std::uint64_t least_rows = 50;          ///< Of a transaction,
  std::uint64_t most_rows = 50'000;
  std::uint64_t wal_bytes = 16ULL << 20U;  ///< and so much WAL at most, about.
  unsigned workers = 1;
  double vacuum = 0.2;       ///< Dead rows for each live one at which we vacuum on the way.
  bool sync_commit = false;  ///< Whether each COMMIT waits for the disk.
  OnPoison on_poison = OnPoison::stop;
  Check check = Check::count;
  bool background = false;    ///< A run that goes no further does not wait; what depends on the
                              ///< revision does.
  bool sync_trigger = false;  ///< A trigger changes rows that others write meanwhile.

  std::string done;      ///< True for a row that needs no change any more; empty: not said.
  std::string where;     ///< Which rows of a range are meant; empty: all.
  std::string throttle;  ///< A SELECT that says whether to wait; empty: none.

  std::string called;               ///< The table's name in the statement: an alias, or its own;
                                    ///< empty: not found there.
  std::size_t table_at = 0;         ///< Where that stands in the statement,
  std::size_t table_size = 0;       ///< how long its name is, without an alias,
  bool aliased = false;             ///< and whether it has one.
  bool returns = false;             ///< Whether it has a RETURNING of its own.
  std::vector<std::string> writes;  ///< The columns that an UPDATE assigns to, as written.
  std::size_t range_at = 0;         ///< Where {range} stands in the text of the statement.
  std::vector<Assignment> assigns;  ///< Of an UPDATE with check=checksum,
  std::size_t condition_at = 0;     ///< and where what follows its WHERE begins.
};

struct Section {
  enum class Kind { up, down, verify, batch };

  Kind kind = Kind::up;
  std::optional<Dialect> dialect;  ///< nullopt: for both.
  Transactional transactional = Transactional::yes;
  std::string directive;  ///< Its line with runs of blanks folded, as it is hashed.
  std::string_view text;  ///< From the line after the directive to the next section.
  std::vector<SqlStatement> statements;
  BatchOptions batch;  ///< Only for Kind::batch.

  bool is_for(Dialect wanted) const noexcept { return !dialect || *dialect == wanted; }
};

/// A header's `set NAME=VALUE`.
struct HeaderSetting {
  std::string name;  ///< lock_timeout, statement_timeout, role, search_path or foreign_keys.
  std::string value;

  bool operator==(const HeaderSetting&) const = default;
};

/// The three SHA-256 of a revision for one dialect, in lower-case hex (MIGRATIONS: once released
/// they never change; tests/engine pins a vector).
struct Checksums {
  std::string up;
  std::string down;
  std::string chain;  ///< Filled by MigrationSet, which knows the parents.

  bool operator==(const Checksums&) const = default;
};

/// One file. Copies share the text.
struct Migration {
  RevisionId id;
  std::vector<RevisionId> parents;  ///< Empty for `parents none`.
  std::vector<RevisionId> depends;
  std::vector<std::string> labels;
  std::string message;
  std::optional<std::string> irreversible;  ///< The reason; such a file may lack `down`.
  std::optional<RevisionId> requires_fleet;
  std::vector<HeaderSetting> settings;
  std::vector<Section> sections;  ///< In the order of the file.

  std::filesystem::path source;             ///< As a person would name it; for messages.
  std::shared_ptr<const std::string> text;  ///< Normalised (no BOM, LF). Every string_view above
                                            ///< points into it. Ends with the last reader.
  std::map<Dialect, Checksums> checksums;   ///< One entry for each dialect.

  /// Line and column (in characters) of `at`, which points into `text`. Linear in the file.
  Place place_of(const char* at) const;

  /// Line and column of character `position` (from 1) of `statement`, as a server counts.
  Place place_of(const SqlStatement& statement, std::size_t position) const;
};

/// What runs as one: neighbouring transactional up and verify sections are one transaction; a
/// no-transaction section or a batch is a unit of its own.
struct Unit {
  enum class Kind { transaction, statements, batch };

  Kind kind = Kind::transaction;
  std::vector<const Section*> sections;  ///< Into the Migration; up and verify, in order.

  bool has_verify() const noexcept;
};

/// The units of `migration` going up in `dialect`, in order. Never empty: a revision with nothing
/// to do in a dialect still has one transaction, that of its history row. The result points into
/// `migration`.
std::vector<Unit> up_units(const Migration& migration, Dialect dialect);

/// The same going down: `down` sections only.
std::vector<Unit> down_units(const Migration& migration, Dialect dialect);

/// The value of the header's `set NAME=...`, or nullptr.
const std::string* setting_of(const Migration& migration, std::string_view name) noexcept;

}  // namespace drover::engine
