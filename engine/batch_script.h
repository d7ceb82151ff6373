/// The statements of a batch over the table of the user's: which keys come next, the work itself,
/// and its check.
///
/// A range of keys is always one lower and one upper bound on the columns of the key and nothing
/// else, so that the server reads an index from one to the other; the user's own conditions stand
/// inside (batches.md §2.2). Several columns are compared as a row. Of a partitioned table each
/// leaf is gone through by itself: an index of the leaf gives the order, and the statement names
/// the leaf.
///
/// On PostgreSQL values travel as parameters, cast to their types; on SQLite they are literals that
/// SQLite wrote itself.
///
/// Thread safety: immutable. Nothing here throws.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch.h"
#include "engine/dialect.h"
#include "engine/history.h"
#include "engine/migration.h"
#include "engine/session.h"

namespace drover::engine {

class BatchScript {
 public:
  /// `section` is a batch of `dialect`, and must outlive the script.
  BatchScript(Dialect dialect, const Section& section, BatchPath path);

  const BatchPath& path() const noexcept { return path_; }

  /// The statement for the rows above `from` (all, when none) up to `to`.
  OwnedStatement work(const std::string& part,
                      const std::optional<BatchKey>& from,
                      const BatchKey& to) const;

  /// The same for the one row with `key`.
  OwnedStatement work_one(const std::string& part, const BatchKey& key) const;

  /// The key of the `rows`-th row behind `from`; no row where there are fewer up to `end`.
  OwnedStatement probe(const std::string& part,
                       const std::optional<BatchKey>& from,
                       const BatchKey& end,
                       std::uint64_t rows) const;

  /// How many rows there are above `from` up to `to`.
  OwnedStatement count(const std::string& part,
                       const std::optional<BatchKey>& from,
                       const BatchKey& to) const;

  /// The last key there is now, in the order of the path; no row in an empty table.
  OwnedStatement last(const std::string& part) const;

  /// A key near the middle between `from` and `end`, of a sample; no row where the sample is empty.
  /// PostgreSQL only.
  OwnedStatement middle(const std::string& part,
                        const std::optional<BatchKey>& from,
                        const BatchKey& end,
                        double percent) const;

  /// Whether rows can be told that are not as they should be: the section says what done means, or
  /// has its values computed again.
  bool can_check() const noexcept;

  /// Looks whether the next `rows` rows above `from` up to `to` are as they should be; in a heap
  /// all up to `to`. Only where can_check().
  OwnedStatement check(const std::string& part,
                       const std::optional<BatchKey>& from,
                       const BatchKey& to,
                       std::uint64_t rows) const;

  struct Checked {
    std::uint64_t undone = 0;
    BatchKey last;                  ///< Up to here it was looked at.
    std::optional<BatchKey> first;  ///< Of those that are not as they should be.
  };

  /// The answer to check(); none: there were no rows.
  std::optional<Checked> checked_in(const ResultSet& answer) const;

  /// How the server would carry out `statement`. One row of JSON on PostgreSQL; rows of
  /// EXPLAIN QUERY PLAN on SQLite.
  OwnedStatement explain(const OwnedStatement& statement) const;

  /// A line of the answer that reads the whole table; empty: none does.
  std::string whole_table_read(const ResultSet& plan, const std::string& part) const;

  /// A trigger that changes each row that others write, and what takes it away again. `schema`
  /// holds Drover's tables. Only where the section says what done means.
  std::vector<OwnedStatement> make_trigger(const BatchId& id, const std::string& schema) const;
  std::vector<OwnedStatement> drop_trigger(const BatchId& id, const std::string& schema) const;

  /// The key in the first row of an answer to probe(), last() or middle(); none where there is
  /// none.
  std::optional<BatchKey> key_in(const ResultSet& answer) const;

  /// A key's values as people read them: (17, 'x').
  static std::string readable(const BatchKey& key);

 private:
  struct Bounds {
    std::string condition;
    std::vector<SqlValue> params;
  };

  Bounds bounds(const std::optional<BatchKey>& from,
                const std::optional<BatchKey>& to,
                const std::string& qualifier) const;
  std::string compare(std::string_view comparison,
                      const BatchKey& key,
                      const std::string& qualifier,
                      std::vector<SqlValue>& params) const;
  std::string columns_as_text(std::string_view qualifier) const;
  std::string order(bool backwards, std::string_view qualifier) const;
  std::string statement_with(const std::string& part, const std::string& condition) const;
  std::string table_of(const std::string& part) const;
  std::string qualifier() const;
  bool compares() const noexcept { return options_.check == BatchOptions::Check::checksum; }
  std::string values_differ() const;
  std::string is_due() const;
  std::string is_meant_and_due() const;
  std::string texts_of(char alias) const;
  std::optional<BatchKey> key_at(const std::vector<SqlValue>& row, std::size_t first_column) const;
  OwnedStatement work_where(const std::string& part, Bounds range) const;
  bool heap() const noexcept { return path_.scan == BatchPath::Scan::heap; }
  bool postgres() const noexcept { return dialect_ == Dialect::postgres; }

  Dialect dialect_;
  const BatchOptions& options_;
  std::string_view statement_;
  BatchPath path_;
};

/// The name of the trigger, and of its function, that make_trigger() makes.
std::string trigger_name(const BatchId& id);

}  // namespace drover::engine
