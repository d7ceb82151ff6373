/// What SQLite keeps once for the whole process.

#pragma once

#include <string>

namespace drover::engine::sqlite {

/// SQLite's count of the memory in use is one lock of the process that every allocation takes: two
/// threads that migrate files spend half of their time on it. This drops the count. For programs,
/// at their start, before any database is opened (it does nothing later); an application that links
/// the library decides for itself.
void drop_memory_statistics() noexcept;

/// "SQLite 3.40.1", of the library that runs.
std::string library_version();

}  // namespace drover::engine::sqlite
