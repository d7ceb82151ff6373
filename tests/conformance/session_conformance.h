/// What every Session promises (engine/session.h), as one suite that runs over all of them.
///
/// A world says how to reach an empty database and how its dialect writes the few statements that
/// the suite needs. What only one of them can do (COPY, pipelines, files) is tested in its own
/// room.

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/session.h"

namespace drover::test {

/// The suite's statements in one dialect. The table is: note (id integer primary key, body text).
struct ConformanceTexts {
  std::string_view create;           ///< Makes the table.
  std::string_view insert;           ///< Two parameters.
  std::string_view select;           ///< id and body, by id.
  std::string_view update_all;       ///< Sets every body to 'changed'.
  std::string_view echo;             ///< Gives its one parameter, of text, back.
  std::string_view endless;          ///< Runs for minutes.
  std::string_view many_rows;        ///< Gives 5000 rows of one column.
  std::string_view unknown_column;   ///< Refused; the error stands at character 15, after umlauts.
  std::string_view duplicate_state;  ///< Of a second row with the same id.
  std::string_view unknown_state;    ///< Of unknown_column.
  std::string_view cancelled_state;  ///< Of a statement that cancel() ended.
};

class SessionWorld {
 public:
  SessionWorld() = default;
  SessionWorld(const SessionWorld&) = delete;
  SessionWorld& operator=(const SessionWorld&) = delete;
  virtual ~SessionWorld() = default;

  virtual engine::SessionFactory& factory() = 0;
  virtual engine::Target fresh_target() = 0;  ///< Of a database, or schema, with nothing in it.
  virtual const ConformanceTexts& texts() const = 0;
};

/// Call it from a TEST_CASE; each promise is a SECTION.
void check_session_conformance(SessionWorld& world);

/// A session that must open.
std::unique_ptr<engine::Session> open_session(engine::SessionFactory& factory,
                                              const engine::Target& target,
                                              const engine::OpenOptions& options = {});

/// One statement of ours, with all the time it needs.
engine::Exchange run(engine::Session& session,
                     std::string_view sql,
                     std::vector<engine::SqlValue> params = {});

/// The same, as a migration's statement.
engine::Exchange run_migration(engine::Session& session, std::string_view sql);

/// The rows of the last result.
std::vector<std::vector<engine::SqlValue>> rows_of(const engine::Exchange& exchange);

}  // namespace drover::test
