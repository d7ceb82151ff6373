/// What tests of the executor have in common: migrations from inline text, a tenant of their own,
/// and an executor with everything that it needs.

#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/base/system_clock.h"
#include "engine/executor.h"
#include "engine/parse/migration_text.h"
#include "engine/postgres/pg_session.h"
#include "engine/sqlite/sqlite_session.h"
#include "tests/support/fake_clock.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/temp_dir.h"

namespace drover::engine::test {

using namespace drover::test;  // NOLINT(google-build-using-namespace): tests only

inline constexpr const char* kDatabase = "executor";

/// One file: its id, and its text from behind the parents line.
struct File {
  std::string id;
  std::string parents;
  std::string body;
};

/// The files as a history. Ids are "0001" and so on; text is what a person would write.
inline MigrationSet set_of(const std::vector<File>& files) {
  std::vector<Migration> migrations;
  for (const File& file : files) {
    migrations.push_back(
        parse::parse_migration(fmt::format("-- drover: parents {}\n{}", file.parents, file.body),
                               "migrations/" + file.id + "_test.sql"));
  }
  return MigrationSet::build(std::move(migrations));
}

/// A line of files, 0001, 0002 and so on, each the parent of the next.
inline MigrationSet line_of(const std::vector<std::string>& bodies) {
  std::vector<File> files;
  for (const std::string& body : bodies) {
    const std::string parent = files.empty() ? "none" : files.back().id;
    files.push_back({fmt::format("{:04}", files.size() + 1), parent, body});
  }
  return set_of(files);
}

/// "-- drover: up" with `up`, and a `down`.
inline std::string up_down(std::string_view up, std::string_view down = "SELECT 1") {
  return fmt::format("-- drover: up\n{};\n-- drover: down\n{};\n", up, down);
}

inline std::vector<std::string> names(const std::vector<RevisionId>& ids) {
  std::vector<std::string> result;
  for (const RevisionId& id : ids) {
    result.push_back(id.value);
  }
  return result;
}

/// The shared cluster with a database for these tests.
inline PgCluster& cluster() {
  static PgCluster& shared = [&]() -> PgCluster& {
    PgCluster& made = shared_cluster();
    made.create_database(kDatabase);
    return made;
  }();
  return shared;
}

/// A schema that nobody else uses; "app" within tests is its name.
class PgTenant {
 public:
  PgTenant() : schema_(fmt::format("t{}", ++count())) {
    sql("CREATE SCHEMA " + schema_);
    target_ = cluster().target(kDatabase, schema_);
  }

  const std::string& schema() const { return schema_; }
  const Target& target() const { return target_; }
  Target through(const TcpProxy& proxy) const {
    return cluster().loopback_target(kDatabase, schema_, proxy.port());
  }

  /// Runs `text` in the schema.
  std::vector<PgCluster::Row> sql(const std::string& text) const {
    return cluster().execute(kDatabase, fmt::format("SET search_path = {};\n{}", schema_, text));
  }
  std::string value(const std::string& text) const {
    const auto rows = sql(text);
    return rows.empty() || rows.front().empty() ? "" : rows.front().front().value_or("");
  }
  bool has_table(const std::string& name) const {
    return value(fmt::format("SELECT to_regclass('{}.{}') IS NOT NULL", schema_, name)) == "t";
  }

 private:
  static int& count() {
    static int made = 0;
    return made;
  }

  std::string schema_;
  Target target_;
};

/// An SQLite file of its own.
class FileTenant {
 public:
  FileTenant() : dir_("executor") {
    target_.dialect = Dialect::sqlite;
    target_.connection = (dir_.path() / "tenant.db").string();
    target_.schema.clear();
    target_.server = dir_.path().string();
    target_.database = "tenant.db";
  }

  const Target& target() const { return target_; }
  std::string path() const { return target_.connection; }

  /// Runs one statement on a session of its own; makes the file when it is missing.
  std::vector<std::vector<SqlValue>> sql(const std::string& text) const {
    sqlite::SqliteSessionFactory sessions;
    OpenOptions options;
    options.create_file = true;
    const OpenResult opened = sessions.open(target_, options, {});
    if (!opened.session) {
      throw std::runtime_error(opened.error->message);
    }
    const Statement statement{text};
    Exchange answer = opened.session->exchange(std::span(&statement, 1), {});
    if (!answer.ok()) {
      throw std::runtime_error(answer.error->message);
    }
    return std::move(answer.results.front().rows);
  }
  std::string value(const std::string& text) const {
    const auto rows = sql(text);
    return rows.empty() ? "" : rows.front().front().value_or("");
  }

 private:
  TempDir dir_;
  Target target_;
};

/// Opens PostgreSQL and SQLite, and can be asked to do something before it does.
class Sessions final : public SessionFactory {
 public:
  OpenResult open(const Target& target,
                  const OpenOptions& options,
                  const Patience& patience) override {
    ++opened;
    if (before_open) {
      before_open(opened);
    }
    return target.dialect == Dialect::postgres ? postgres_.open(target, options, patience)
                                               : sqlite_.open(target, options, patience);
  }

  std::atomic<int> opened = 0;
  std::function<void(int)> before_open;

 private:
  postgres::PgSessionFactory postgres_;
  sqlite::SqliteSessionFactory sqlite_;
};

/// A session that a test drives by hand: someone else at work in the same database.
class Other {
 public:
  explicit Other(const Target& target) {
    OpenOptions options;
    options.application_name = "other";
    options.lock_timeout = Milliseconds(0);
    options.statement_timeout = Milliseconds(0);
    session_ = Sessions().open(target, options, {}).session;
  }

  Exchange send(const std::vector<OwnedStatement>& statements) {
    std::vector<Statement> views;
    for (const OwnedStatement& statement : statements) {
      views.push_back(statement.view());
    }
    return session_->exchange(views, {});
  }
  /// First value of one statement, or its SQLSTATE.
  std::string run(const std::string& sql) {
    const Exchange answer = send({{sql}});
    if (!answer.ok()) {
      return answer.error->sqlstate;
    }
    const auto& rows = answer.results.front().rows;
    return rows.empty() ? "" : rows.front().front().value_or("");
  }
  std::int64_t pid() const { return session_->info().backend_pid; }

 private:
  std::unique_ptr<Session> session_;
};

/// Waits until `condition`, which asks a server, holds; false after ten seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

/// A fake clock that starts in the future of the real one, so that deadlines which sessions keep by
/// the real one are far away.
class SkippingClock final : public Clock {
 public:
  SteadyTime now() const override { return fake_.now(); }
  void wait_until(SteadyTime until, const std::stop_token& stop) override {
    fake_.wait_until(until, stop);
    ++waits;
    if (on_wait) {
      on_wait(waits);
    }
  }
  std::vector<Milliseconds> pauses() const { return fake_.waits(); }

  std::atomic<int> waits = 0;
  std::function<void(int)> on_wait;

 private:
  FakeClock fake_{std::chrono::steady_clock::now() + std::chrono::hours(1)};
};

/// An executor and what it needs. Change the options before the call.
struct Rig {
  Rig() {
    options.by = {"alice@host", "run-1"};
    options.approach.lock_timeout = Milliseconds(1000);
    options.approach.lock_wait = Milliseconds(300);
    options.approach.create_files = true;
  }

  ApplyOutcome apply(const Target& target, const MigrationSet& set, const Goal& goal) {
    const Executor executor(sessions, *clock, set, options, *watch, gate);
    return executor.apply(target, facts, goal, patience, kept, observer);
  }
  ApplyOutcome up(const Target& target, const MigrationSet& set, std::string to = "heads") {
    return apply(target, set, {Direction::up, std::move(to)});
  }
  ApplyOutcome down(const Target& target, const MigrationSet& set, std::string to) {
    return apply(target, set, {Direction::down, std::move(to)});
  }

  Sessions sessions;
  base::SystemClock real_clock;
  Clock* clock = &real_clock;
  NoBlockerWatch no_watch;
  BlockerWatch* watch = &no_watch;
  OpenDdlGate gate;
  ExecutorOptions options;
  TenantFacts facts;
  Patience patience;
  KeptSession* kept = nullptr;
  ApplyObserver observer;
};

using Kind = ApplyOutcome::Kind;

/// "applied", or "failed: message" with all that a person would read.
inline std::string told(const ApplyOutcome& outcome) {
  constexpr const char* kNames[] = {
      "current", "applied", "failed", "partial", "in_doubt", "unreachable"};
  std::string text = kNames[static_cast<int>(outcome.kind)];
  if (outcome.fault) {
    text += fmt::format(": {}{}{} [{}]",
                        to_string(outcome.fault->place),
                        outcome.fault->place.file.empty() ? "" : ": ",
                        outcome.fault->message,
                        outcome.fault->kind);
  }
  return text;
}

}  // namespace drover::engine::test
