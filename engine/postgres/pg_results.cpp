#include "engine/postgres/pg_results.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <new>
#include <string>
#include <string_view>

#include "engine/postgres/pg_session.h"

namespace drover::engine::postgres {

namespace {

constexpr std::size_t kKeptNotices = 100;
constexpr std::size_t kNoticeLength = 2048;

/// Command tags that say how many rows were changed; a SELECT's number is of rows that were read.
constexpr std::array<std::string_view, 4> kChangingTags = {
    "INSERT ", "UPDATE ", "DELETE ", "MERGE "};
constexpr std::array<std::string_view, 9> kTransactionTags = {"BEGIN",
                                                              "START TRANSACTION",
                                                              "COMMIT",
                                                              "ROLLBACK",
                                                              "SAVEPOINT",
                                                              "RELEASE",
                                                              "PREPARE TRANSACTION",
                                                              "COMMIT PREPARED",
                                                              "ROLLBACK PREPARED"};

/// The number at the end of "INSERT 0 3".
std::uint64_t affected_by(std::string_view tag) noexcept {
  const bool changes =
      std::any_of(kChangingTags.begin(), kChangingTags.end(), [&](std::string_view t) {
        return tag.substr(0, t.size()) == t;
      });
  std::uint64_t count = 0;
  if (changes) {
    const std::string_view number = tag.substr(tag.rfind(' ') + 1);
    std::from_chars(number.data(), number.data() + number.size(), count);
  }
  return count;
}

/// A field of a notice, cut to kNoticeLength bytes between two characters.
std::string field(const PGresult* result, int code) {
  const char* const text = PQresultErrorField(result, code);
  const std::string_view all = text == nullptr ? std::string_view() : std::string_view(text);
  std::size_t end = std::min(all.size(), kNoticeLength);
  while (end > 0 && end < all.size() && (static_cast<unsigned char>(all[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return std::string(all.substr(0, end));
}

SqlValue value_at(const PGresult& result, int row, int column) {
  if (PQgetisnull(&result, row, column) != 0) {
    return std::nullopt;
  }
  return std::string(PQgetvalue(&result, row, column),
                     static_cast<std::size_t>(PQgetlength(&result, row, column)));
}

}  // namespace

void add_result(ResultSet& to, const PGresult& from, Author author) {
  const int columns = PQnfields(&from);
  if (to.columns.empty()) {
    for (int column = 0; column < columns; ++column) {
      to.columns.emplace_back(PQfname(&from, column));
    }
  }
  const auto arrived = static_cast<std::size_t>(PQntuples(&from));
  std::size_t kept = arrived;
  if (author == Author::migration) {
    kept = std::min(arrived, kKeptRows - std::min(kKeptRows, to.rows.size()));
  }
  for (int row = 0; row < static_cast<int>(kept); ++row) {
    std::vector<SqlValue>& values = to.rows.emplace_back();
    values.reserve(static_cast<std::size_t>(columns));
    for (int column = 0; column < columns; ++column) {
      values.push_back(value_at(from, row, column));
    }
  }
  // libpq takes a result that it does not change.
  to.affected = affected_by(PQcmdStatus(const_cast<PGresult*>(&from)));
}

void receive_notice(void* notices, const PGresult* notice) noexcept {
  auto& kept = *static_cast<std::vector<Notice>*>(notices);
  if (kept.size() >= kKeptNotices) {
    return;
  }
  try {
    kept.push_back({field(notice, PG_DIAG_SEVERITY_NONLOCALIZED),
                    field(notice, PG_DIAG_SQLSTATE),
                    field(notice, PG_DIAG_MESSAGE_PRIMARY)});
  } catch (const std::bad_alloc&) {
    // A notice is lost; what caused it goes on.
  }
}

bool is_transaction_control(PGresult& result) noexcept {
  const std::string_view tag = PQcmdStatus(&result);
  return std::find(kTransactionTags.begin(), kTransactionTags.end(), tag) != kTransactionTags.end();
}

}  // namespace drover::engine::postgres
