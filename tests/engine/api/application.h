/// What tests of the application's side of one database have in common: a folder of migrations, and
/// callers that all come at once.

#pragma once

#include <catch2/catch.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "engine/api/database.h"
#include "tests/support/temp_dir.h"

namespace drover::test {

using Names = std::vector<std::string>;

inline constexpr auto kForever = std::chrono::steady_clock::time_point::max();

struct Step {
  std::string id;
  std::string parents;
  std::string up;
  std::string down;
};

/// One line per application of a revision, so that a revision applied twice shows.
inline const Step kNotes{"0001",
                         "none",
                         "CREATE TABLE notes (revision text);\nINSERT INTO notes VALUES ('0001');",
                         "DROP TABLE notes;"};
inline const Step kSecond{"0002",
                          "0001",
                          "INSERT INTO notes VALUES ('0002');",
                          "DELETE FROM notes WHERE revision = '0002';"};
inline const Step kBroken{"0003", "0002", "INSERT INTO missing VALUES (1);", "SELECT 1;"};

/// A folder of migrations beside the SQLite files that they are for.
class Application {
 public:
  Application() {
    write(kNotes);
    write(kSecond);
  }

  void write(const Step& step) const {
    dir_.write("migrations/" + step.id + ".sql",
               fmt::format("-- drover: revision {}\n-- drover: parents {}\n"
                           "-- drover: message Step {}\n\n-- drover: up\n{}\n\n"
                           "-- drover: down\n{}\n",
                           step.id,
                           step.parents,
                           step.id,
                           step.up,
                           step.down));
  }

  std::filesystem::path path(const std::string& name) const { return dir_ / name; }

  DatabaseOptions options(const std::string& url) const {
    DatabaseOptions options;
    options.url = url;
    options.migrations = dir_ / "migrations";
    return options;
  }

  /// For the SQLite file `name`, which need not be there.
  DatabaseOptions file(const std::string& name) const {
    DatabaseOptions made = options("sqlite:" + path(name).string());
    made.create_files = CreateFiles::yes;
    return made;
  }

 private:
  TempDir dir_;
};

/// What `call` throws; a call that throws nothing fails the test.
template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  throw std::logic_error("unreachable");
}

/// `count` threads that all begin `work` at the same moment; what they threw.
inline Names at_once(int count, const std::function<void(int)>& work) {
  std::latch start(count);
  std::vector<std::string> thrown(static_cast<std::size_t>(count));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        start.arrive_and_wait();
        try {
          work(i);
        } catch (const std::exception& error) {
          thrown[static_cast<std::size_t>(i)] = error.what();
        }
      });
    }
  }
  std::erase(thrown, "");
  return thrown;
}

}  // namespace drover::test
