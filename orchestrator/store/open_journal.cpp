#include "orchestrator/store/open_journal.h"

#include <algorithm>

#include "orchestrator/store/postgres_journal.h"
#include "orchestrator/store/sqlite_journal.h"

namespace drover::orchestrator::store {

bool names_postgres(std::string_view where) noexcept {
  if (where.starts_with("postgres://") || where.starts_with("postgresql://")) {
    return true;
  }
  const std::size_t keyword = std::min(where.find('='), where.size());
  return keyword > 0 && keyword < where.size() &&
         std::all_of(where.begin(),
                     where.begin() + static_cast<std::ptrdiff_t>(keyword),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

std::unique_ptr<Journal> open_journal(const engine::Secret& where,
                                      const std::filesystem::path& base,
                                      const JournalOptions& options) {
  return names_postgres(where.reveal()) ? open_postgres_journal(where, options)
                                        : open_sqlite_journal(base / where.reveal(), options);
}

}  // namespace drover::orchestrator::store
