#include "engine/sqlite/sqlite_process.h"

#include <sqlite3.h>

namespace drover::engine::sqlite {

void drop_memory_statistics() noexcept {
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

std::string library_version() {
  return std::string("SQLite ") + sqlite3_libversion();
}

}  // namespace drover::engine::sqlite
