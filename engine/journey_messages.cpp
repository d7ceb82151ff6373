// How messages are sent, and what their answers must say before the next part may follow.

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include <fmt/format.h>

#include "engine/journey.h"
#include "engine/sql_value.h"

namespace drover::engine {
namespace {

/// A row of foreign_key_check without the number of its foreign key, which a rebuild may change:
/// table, rowid, parent.
std::vector<std::vector<SqlValue>> violations_in(const ResultSet& answer) {
  std::vector<std::vector<SqlValue>> rows = answer.rows;
  for (std::vector<SqlValue>& row : rows) {
    row.resize(3);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// PostgreSQL: the boolean true. SQLite: a number that is not zero.
bool is_true(const std::string& value, Dialect dialect) {
  if (dialect == Dialect::postgres) {
    return value == "t";
  }
  return std::strtod(value.c_str(), nullptr) != 0;
}

/// What is wrong with the answer to a verify, as the end of a sentence; empty: nothing.
std::string verify_defect(const ResultSet& answer, Dialect dialect) {
  if (answer.rows.empty()) {
    return "gave no row";
  }
  if (answer.rows.size() > 1) {
    return "gave more than one row";
  }
  const std::vector<SqlValue>& row = answer.rows.front();
  if (row.size() != 1) {
    return fmt::format("gave {} columns, not one", row.size());
  }
  if (!row.front()) {
    return "gave NULL";
  }
  return is_true(*row.front(), dialect) ? "" : "is not true";
}

}  // namespace

/// The start of a message: settings where they are missing, and Drover's tables.
ScriptWriter Journey::begin_message() {
  ++messages_;
  context_.settings = tenant_.settings();
  context_.pid = tenant_.session().info().backend_pid;
  context_.at_batch = at_batch_;
  ScriptWriter writer(context_, epoch_);
  if (timeouts_off_) {
    writer.arrange({{"RESET lock_timeout"}, {"RESET statement_timeout"}});
    timeouts_off_ = false;
  }
  // What the last revision left is taken away before the next one begins, never inside of one.
  const bool fresh_revision = step_ >= steps_.size() || unit_ == steps_[step_].first_unit;
  if (tenant_.needs_reset() && fresh_revision) {
    writer.settle(ScriptWriter::Resets::yes);
  } else if (!tenant_.settled()) {
    writer.settle(ScriptWriter::Resets::no);
  }
  if (!tables_exist_) {
    writer.create_tables(means_.options.approach.environment, means_.options.approach.production);
  }
  return writer;
}

// Sends runs of lines; each run ends at a line whose answer decides whether the next may be sent.
Journey::Sent Journey::send(const std::vector<Line>& lines) {
  for (std::size_t from = 0; from < lines.size();) {
    std::size_t to = from;
    while (to < lines.size() && lines[to++].expect == Line::Expect::nothing) {
    }
    Exchange answer = send_some(lines, from, to);
    for (std::size_t i = 0; i < answer.results.size(); ++i) {
      if (lines[from + i].role == Line::Role::identity) {
        outcome_.uid = text_of(answer.results[i].rows.front().front());
      }
    }
    if (!answer.ok()) {
      return {from + answer.results.size(), std::move(answer.error), {}};
    }
    if (auto finding = unmet(lines[to - 1], answer.results.back())) {
      return {to - 1, {}, std::move(finding)};
    }
    from = to;
  }
  return {lines.size(), {}, {}};
}

Exchange Journey::send_some(const std::vector<Line>& lines, std::size_t from, std::size_t to) {
  std::vector<Statement> statements;
  statements.reserve(to - from);
  for (std::size_t i = from; i < to; ++i) {
    statements.push_back(lines[i].view());
  }
  return watched(statements, {deadline_of(lines, from, to), patience_.stop});
}

/// What the server has already may end; nothing new is sent by a process that does not hold the run
/// any more.
Exchange Journey::watched(std::span<const Statement> statements, const Patience& patience) {
  if (!may_start()) {
    SqlError error;
    error.origin = SqlError::Origin::stopped;
    error.message = out_of_patience().message;
    return {{}, std::move(error), {}};
  }
  const std::int64_t pid = tenant_.session().info().backend_pid;
  means_.watch.begin(tenant_.target(), pid);
  Exchange answer = tenant_.exchange(statements, patience);
  std::optional<Blocker> blocker = means_.watch.end(tenant_.target(), pid);
  if (answer.error) {
    answer.error->blocker = std::move(blocker);
  }
  return answer;
}

/// The server keeps the timeout of each statement. Ours is for a server that does not answer, and
/// the only one that SQLite has. Checks before a COMMIT may take as long as a statement.
SteadyTime Journey::deadline_of(const std::vector<Line>& lines,
                                std::size_t from,
                                std::size_t to) const {
  const Milliseconds usual = context_.statement_timeout;
  SteadyTime deadline = means_.clock.now() + kMessageGrace;
  for (std::size_t i = from; i < to; ++i) {
    const Line& line = lines[i];
    const bool checks = line.role == Line::Role::commit ||
                        line.expect == Line::Expect::violations_before ||
                        line.expect == Line::Expect::no_new_violations;
    std::optional<Milliseconds> timeout = checks ? usual : Milliseconds::zero();
    if (line.theirs != nullptr) {
      timeout = timeout_of(*line.theirs, *line.migration, usual);
      timeout = timeout ? timeout : means_.options.concurrent_timeout;
    } else if (checks && usual == Milliseconds::zero()) {
      timeout.reset();
    }
    if (!timeout) {
      return patience_.deadline;
    }
    deadline += *timeout;
  }
  return std::min(patience_.deadline, deadline);
}

std::optional<TenantFault> Journey::unmet(const Line& line, const ResultSet& answer) {
  using Expect = Line::Expect;
  const auto finding = [&](std::string kind, std::string message, std::string hint) {
    TenantFault fault =
        found(ErrorCode::incomplete, std::move(kind), std::move(message), std::move(hint));
    if (line.migration != nullptr) {
      fault.revision = line.migration->id.value;
      fault.place.file = line.migration->source.generic_string();
    }
    if (line.theirs != nullptr) {
      fault.place = line.migration->place_of(*line.theirs, 0);
    }
    return fault;
  };
  const std::string name = line.migration == nullptr ? "" : line.migration->id.value;
  if (line.expect == Expect::one_row_changed && answer.affected != 1) {
    return finding("history_moved", "the tenant's history is not as planned", "Try again.");
  }
  if (line.expect == Expect::violations_before) {
    violations_before_ = violations_in(answer);
  }
  if (line.expect == Expect::no_new_violations) {
    const auto after = violations_in(answer);
    const auto before = violations_before_.value_or(std::vector<std::vector<SqlValue>>());
    std::vector<std::vector<SqlValue>> fresh;
    std::set_difference(
        after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(fresh));
    if (!fresh.empty()) {
      return finding("foreign_key_violation",
                     fmt::format("revision '{}' leaves {} rows that point at nothing, the first in "
                                 "table '{}'",
                                 name,
                                 fresh.size(),
                                 text_of(fresh.front().front())),
                     "Mend the rows in the migration, or before it.");
    }
  }
  if (line.expect == Expect::truth) {
    const std::string defect = verify_defect(answer, tenant_.target().dialect);
    if (!defect.empty()) {
      return finding("verify_failed",
                     fmt::format("verify of revision '{}' {}", name, defect),
                     "Run the verify by hand and look at the rows; nothing of its unit was kept.");
    }
  }
  return std::nullopt;
}

/// Counts what was committed: each commit line ends one unit.
void Journey::advance(const std::vector<Line>& lines, std::size_t lines_done) {
  for (std::size_t i = 0; i < lines_done && i < lines.size(); ++i) {
    if (lines[i].role == Line::Role::fence) {
      tables_exist_ = true;
    }
    if (lines[i].role == Line::Role::commit) {
      unit_finished();
    }
  }
}

void Journey::count_own_change() {
  ++epoch_;
  if (cleared_at_) {
    ++*cleared_at_;
  }
}

void Journey::unit_finished() {
  count_own_change();
  unit_attempts_ = 0;
  replans_ = 0;
  reconnects_ = 0;
  if (++unit_ >= steps_[step_].units.size()) {
    step_finished();
  }
}

/// The history row of the revision under way is committed: on to the next one.
void Journey::step_finished() {
  const Step& step = steps_[step_];
  const RevisionId& id = step.migration->id;
  if (step.direction == Direction::up) {
    applied_.insert(id);
  } else {
    applied_.erase(id);
  }
  if (half_ == id) {
    half_.reset();
  }
  std::erase(at_batch_, id);
  if (observer_.on_revision) {
    observer_.on_revision(id, step.direction);
  }
  statements_done_ = false;
  unit_ = 0;
  ++step_;
}

TenantFault Journey::fault_of(const SqlStatement& statement, const SqlError& error) const {
  const Migration& migration = *steps_[step_].migration;
  TenantFault fault = fault_from(error, fmt::format("revision '{}'", migration.id.value));
  fault.revision = migration.id.value;
  fault.place = migration.place_of(statement, error.position);
  return fault;
}

/// What we send within a revision fails for what the statement before it did: a deferred
/// constraint, a check of foreign keys.
TenantFault Journey::fault_at(const std::vector<Line>& lines,
                              std::size_t at,
                              const SqlError& error) const {
  const Migration* migration = lines[at].migration;
  if (migration == nullptr) {
    return fault_from(error, "writing the history");
  }
  TenantFault fault = fault_from(error, fmt::format("revision '{}'", migration->id.value));
  fault.revision = migration->id.value;
  fault.place.file = migration->source.generic_string();
  std::size_t theirs = at;
  while (theirs > 0 && lines[theirs].theirs == nullptr &&
         lines[theirs - 1].migration == migration) {
    --theirs;
  }
  if (lines[theirs].theirs != nullptr) {
    const std::size_t position = theirs == at ? error.position : 0;
    fault.place = migration->place_of(*lines[theirs].theirs, position);
  }
  return fault;
}

}  // namespace drover::engine
