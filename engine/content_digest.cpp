#include "engine/content_digest.h"

#include <map>
#include <set>

#include <fmt/format.h>

namespace drover::engine {
namespace {

/// Eight bytes, the highest first.
std::uint64_t number_in(const base::Sha256::Digest& digest, std::size_t from) {
  std::uint64_t number = 0;
  for (std::size_t i = from; i < from + 8; ++i) {
    number = number << 8U | digest[i];
  }
  return number;
}

/// What is to be said of one table; empty: nothing.
std::string difference(const TableDigest* was, const TableDigest* is) {
  if (is == nullptr) {
    return fmt::format("table '{}' is missing", was->table);
  }
  if (was == nullptr) {
    return fmt::format("table '{}' was not there", is->table);
  }
  if (was->rows != is->rows) {
    return fmt::format("table '{}' has {} rows, and had {}", was->table, is->rows, was->rows);
  }
  return was->sum == is->sum ? "" : fmt::format("rows of table '{}' differ", was->table);
}

}  // namespace

void RowSum::add(std::string_view row) {
  const base::Sha256::Digest digest = sha_.digest_of(row);
  const std::uint64_t low = number_in(digest, 8);
  low_ += low;
  high_ += number_in(digest, 0) + (low_ < low ? 1U : 0U);
  ++rows_;
}

TableDigest RowSum::digest_of(std::string table) const {
  return {std::move(table), rows_, fmt::format("{:016x}{:016x}", high_, low_)};
}

std::vector<std::string> differences(const std::vector<TableDigest>& was,
                                     const std::vector<TableDigest>& is,
                                     std::size_t most) {
  std::map<std::string, std::pair<const TableDigest*, const TableDigest*>> tables;
  for (const TableDigest& table : was) {
    tables[table.table].first = &table;
  }
  for (const TableDigest& table : is) {
    tables[table.table].second = &table;
  }
  std::vector<std::string> found;
  for (const auto& [name, pair] : tables) {
    if (std::string text = difference(pair.first, pair.second);
        !text.empty() && found.size() < most) {
      found.push_back(std::move(text));
    }
  }
  return found;
}

}  // namespace drover::engine
