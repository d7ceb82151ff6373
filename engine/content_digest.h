/// What a table holds, in a few bytes: to tell whether two copies of it are equal.
///
/// Rows count in any order, since a restored table need not have its rows where they were: the
/// digest is the sum, modulo 2^128, of the first 16 bytes of each row's SHA-256 (an incremental
/// multiset hash, Clarke et al. 2003; against damage and mistakes, not against somebody who may
/// choose the rows). What the bytes of a row are is the caller's to say; digests of two ways of
/// writing rows down cannot be compared.
///
/// Thread safety: values.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/sha256.h"

namespace drover::engine {

struct TableDigest {
  std::string table;  ///< "public.files"; on SQLite just its name.
  std::uint64_t rows = 0;
  std::string sum;  ///< 32 hexadecimal digits.

  bool operator==(const TableDigest&) const = default;
};

/// Adds up the rows of one table.
class RowSum {
 public:
  void add(std::string_view row);

  TableDigest digest_of(std::string table) const;

 private:
  base::Sha256 sha_;
  std::uint64_t rows_ = 0;
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

/// What differs between two copies, as sentences without a full stop: "table 'files' has 3 rows,
/// and had 5"; at most `most` of them. Both lists may be in any order.
std::vector<std::string> differences(const std::vector<TableDigest>& was,
                                     const std::vector<TableDigest>& is,
                                     std::size_t most = 10);

}  // namespace drover::engine
