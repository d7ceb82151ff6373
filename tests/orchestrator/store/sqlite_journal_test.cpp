#include "orchestrator/store/sqlite_journal.h"

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

#include "orchestrator/store/schema.h"
#include "orchestrator/store/sqlite_db.h"
#include "tests/conformance/journal_conformance.h"
#include "tests/support/temp_dir.h"

using namespace drover::test;
using namespace drover::orchestrator;
using drover::Error;
using drover::ErrorCode;
using drover::orchestrator::store::open_sqlite_journal;
using drover::orchestrator::store::SqliteDb;

namespace fs = std::filesystem;

namespace {

/// Runs `sql` on a connection of its own; the last value of it.
std::string run_sql(const fs::path& path, const std::string& sql) {
  sqlite3* handle = nullptr;
  sqlite3_open(path.c_str(), &handle);
  sqlite3_busy_timeout(handle, 10'000);
  std::string value;
  const auto keep = [](void* into, int columns, char** values, char** /*names*/) {
    if (columns > 0 && values[0] != nullptr) {
      *static_cast<std::string*>(into) = values[0];
    }
    return 0;
  };
  const int code = sqlite3_exec(handle, sql.c_str(), keep, &value, nullptr);
  const std::string message = sqlite3_errmsg(handle);
  sqlite3_close(handle);
  if (code != SQLITE_OK) {
    throw std::runtime_error(message);
  }
  return value;
}

class SqlitePlace final : public SqlJournalStore {
 public:
  std::unique_ptr<Journal> open() override { return open_sqlite_journal(path()); }

  void let_time_pass(std::chrono::milliseconds time) override {
    const std::string ms = std::to_string(time.count());
    execute("UPDATE runs SET started_ms = started_ms - " + ms + ", heartbeat_ms = heartbeat_ms - " +
            ms + "; UPDATE events SET at_ms = at_ms - " + ms);
  }

  void execute(const std::string& sql) override { run_sql(path(), sql); }
  std::string value(const std::string& sql) override { return run_sql(path(), sql); }

  fs::path path() const { return dir_ / ".drover/runs.db"; }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

mode_t mode_of(const fs::path& path) {
  struct stat facts {};
  REQUIRE(::lstat(path.c_str(), &facts) == 0);
  return facts.st_mode & 0777U;
}

/// While it lives, no file of this process grows beyond `bytes`: a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    before_signal_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, before_signal_);
  }

 private:
  rlimit before_{};
  void (*before_signal_)(int) = nullptr;
};

}  // namespace

TEST_CASE("the SQLite journal does what every journal must", "[store][sqlite]") {
  for (const auto checks : {journal_checks(), journal_control_checks(), journal_lease_checks()}) {
    for (const auto& check : checks) {
      DYNAMIC_SECTION(check.name) {
        SqlitePlace place;
        check.run(place);
      }
    }
  }
  for (const auto& check : sql_journal_checks()) {
    DYNAMIC_SECTION(check.name) {
      SqlitePlace place;
      check.run(place);
    }
  }
}

TEST_CASE("only its user can read the journal", "[store][sqlite]") {
  const mode_t mask = ::umask(0);
  SqlitePlace place;
  const auto journal = place.open();
  journal->begin_run(request_for({"a"}), owner_called("alice"));
  ::umask(mask);

  CHECK(mode_of(place.path().parent_path()) == 0700);
  CHECK(mode_of(place.path()) == 0600);
  CHECK(mode_of(place.path().string() + "-wal") == 0600);
}

TEST_CASE("a folder that everybody may write to is refused", "[store][sqlite]") {
  const TempDir dir;
  fs::create_directory(dir / "open");
  REQUIRE(::chmod((dir / "open").c_str(), 0777) == 0);

  const Error error = error_of([&] { open_sqlite_journal(dir / "open/runs.db"); });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_unsafe");
  CHECK(error.what() ==
        "'" + (dir / "open").string() + "' may be written to by every user of this machine");
}

TEST_CASE("a symbolic link in the place of the journal is refused", "[store][sqlite]") {
  const TempDir dir;
  fs::create_symlink(dir / "elsewhere.db", dir / "runs.db");

  const Error error = error_of([&] { open_sqlite_journal(dir / "runs.db"); });

  CHECK(error.kind_name() == "journal_unsafe");
  CHECK(error.what() == "'" + (dir / "runs.db").string() + "' is a symbolic link");
  CHECK_FALSE(fs::exists(dir / "elsewhere.db"));
}

TEST_CASE("a folder above the journal may be a symbolic link", "[store][sqlite]") {
  const TempDir dir;
  fs::create_directory(dir / "real");
  fs::create_directory_symlink(dir / "real", dir / "link");

  CHECK_NOTHROW(open_sqlite_journal(dir / "link/.drover/runs.db"));
  CHECK(fs::exists(dir / "real/.drover/runs.db"));
}

TEST_CASE("a file that is not a database is refused", "[store][sqlite]") {
  const TempDir dir;
  const fs::path path = dir.write("runs.db", std::string(8192, 'x'));

  const Error error = error_of([&] { open_sqlite_journal(path); });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_corrupt");
  CHECK(error.what() == "run journal '" + path.string() + "': file is not a database");
  CHECK(error.hint() ==
        "Move the file away; the next run makes a new one, and no tenant is lost by that.");
}

TEST_CASE("a damaged file is refused when it is opened", "[store][sqlite]") {
  SqlitePlace place;
  {
    const auto journal = place.open();
    std::vector<std::string> names;
    for (int i = 0; i < 500; ++i) {
      names.push_back("tenant-" + std::to_string(i));
    }
    journal->begin_run(request_for(names), owner_called("alice"));
  }
  const std::string bytes = place.dir().read(".drover/runs.db");
  constexpr std::size_t kPage = 4096;
  REQUIRE(bytes.size() > 4 * kPage);
  std::string damaged = bytes;
  damaged.replace(bytes.size() - 3 * kPage, kPage, kPage, '\x5A');
  place.dir().write(".drover/runs.db", damaged);

  const Error error = error_of([&] { place.open(); });

  CHECK(error.code() == ErrorCode::storage);
  CHECK(error.kind_name() == "journal_corrupt");

  place.dir().write(".drover/runs.db", bytes);
  CHECK(place.open()->runs("", 10).size() == 1);
}

TEST_CASE("a database of something else is left alone", "[store][sqlite]") {
  const TempDir dir;
  run_sql(dir / "app.db", "CREATE TABLE invoices (id INTEGER)");

  const Error error = error_of([&] { open_sqlite_journal(dir / "app.db"); });

  CHECK(error.kind_name() == "journal_foreign");
  CHECK(error.what() ==
        "run journal '" + (dir / "app.db").string() + "' is a database of something else");
  CHECK(run_sql(dir / "app.db", "SELECT count(*) FROM sqlite_master") == "1");
}

TEST_CASE("a full disk is told, and the journal goes on when there is room again",
          "[store][sqlite]") {
  SqlitePlace place;
  const auto journal = place.open();
  const RunId run = journal->begin_run(request_for({"a"}), owner_called("alice"));
  const std::string big(4U << 20U, 'x');
  {
    const FileSizeLimit limit(1U << 20U);
    journal->record(RunEvent{run, "", "note", big});
    const Error error = error_of([&] { journal->flush(); });
    CHECK(error.code() == ErrorCode::storage);
    CHECK(error.kind_name() == "journal_failed");
    CHECK(error_of([&] { journal->finish_run(run, RunState::finished, 0); }).kind_name() ==
          "journal_failed");
  }

  journal->record(applied(run, "a"));
  journal->finish_run(run, RunState::finished, 0);

  CHECK(journal->events_of(run).size() == 1);
  CHECK(place.open()->run(run.value).state == RunState::finished);
}

TEST_CASE("an older format is upgraded step by step", "[store][sqlite]") {
  using namespace std::string_view_literals;
  const TempDir dir;
  constexpr std::array<std::string_view, 3> kSteps = {
      "CREATE TABLE one (id {serial}, name {text}, body {bytes})"sv,
      "ALTER TABLE one ADD COLUMN more {text}"sv,
      "CREATE TABLE three (id {serial})"sv,
  };
  SqliteDb db(dir / "runs.db");
  const std::span<const std::string_view> steps(kSteps);

  store::bring_up_to_date(db, steps.first(1));
  store::bring_up_to_date(db, steps);
  store::bring_up_to_date(db, steps);

  CHECK(run_sql(dir / "runs.db", "SELECT format FROM journal_format") == "3");
  CHECK_NOTHROW(run_sql(dir / "runs.db", "SELECT more FROM one, three"));
}

TEST_CASE("many processes may open a new journal at the same moment", "[store][sqlite]") {
  SqlitePlace place;
  std::vector<std::thread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      place.open()->runs("", 1);
      ++opened;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(opened == 8);
}

TEST_CASE("ten thousand tenants begin within 100 ms of processor time", "[store][sqlite][.slow]") {
  std::vector<std::string> names;
  for (int i = 0; i < 10'000; ++i) {
    names.push_back("tenant-" + std::to_string(i));
  }
  const RunRequest request = request_for(names);
  SqlitePlace place;
  const auto journal = place.open();

  const std::clock_t start = std::clock();
  journal->begin_run(request, owner_called("alice"));
  const std::clock_t took = std::clock() - start;

  CHECK(static_cast<double>(took) / CLOCKS_PER_SEC < 0.1);
}
