/// One SQLite file as a StoreDb.
///
/// WAL with synchronous NORMAL: a killed process loses nothing that was committed; a power cut may
/// lose the last commits but leaves the file sound, and a lost tail is rebuilt from the tenants.
/// Not for a file on a network disk, where WAL does not work; use PostgreSQL there.
///
/// The folder is made with mode 0700 and the file with 0600; a folder that anyone may write to and
/// a file that is a symbolic link are refused. A file up to kCheckedSize is checked when it is
/// opened; defects of a bigger one show when they are met.

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "orchestrator/store/store_db.h"

struct sqlite3;

namespace drover::orchestrator::store {

class SqliteDb final : public StoreDb {
 public:
  static constexpr std::uintmax_t kCheckedSize = 64U << 20U;

  /// Opens `path`, and makes the file and its folder where there is none.
  ///
  /// Throws Error storage: journal_corrupt, journal_failed, journal_unsafe.
  explicit SqliteDb(const std::filesystem::path& path);
  ~SqliteDb() override;

  void transact(Access access, const Body& body) override;
  void prepare_for_schema(StoreTransaction& transaction) override;
  const StoreDialect& dialect() const noexcept override;
  const std::string& name() const noexcept override { return name_; }

 private:
  void open(const std::filesystem::path& path);
  void check(const std::filesystem::path& path);
  void run(const std::string& script);

  struct Close {
    void operator()(sqlite3* handle) const noexcept;
  };

  std::string name_;
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace drover::orchestrator::store
