#include "engine/sqlite/sqlite_process.h"

#include <sqlite3.h>

namespace drover::engine::sqlite {

void drop_memory_statistics() noexcept {
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

}  // namespace drover::engine::sqlite
