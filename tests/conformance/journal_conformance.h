/// What every run journal must do, as checks that run against each implementation.
///
/// A suite makes a fresh JournalStore for every check and calls it inside a test case. Checks use
/// Catch2 and throw what a journal throws.

#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/journal.h"

namespace drover::test {

/// An empty place for a journal.
class JournalStore {
 public:
  JournalStore() = default;
  JournalStore(const JournalStore&) = delete;
  JournalStore& operator=(const JournalStore&) = delete;
  virtual ~JournalStore() = default;

  /// The journal in it, with a lease of 30 s, as one more process sees it.
  virtual std::unique_ptr<orchestrator::Journal> open() = 0;

  /// Makes everything in it older by `time`; nobody waits.
  virtual void let_time_pass(std::chrono::milliseconds time) = 0;
};

/// One that outlives its process and holds SQL tables.
class SqlJournalStore : public JournalStore {
 public:
  /// Changes the tables behind the journal's back.
  virtual void execute(const std::string& sql) = 0;

  /// The one value that `sql` gives.
  virtual std::string value(const std::string& sql) = 0;
};

template <typename Store>
struct JournalCheck {
  std::string_view name;  ///< A sentence about behaviour.
  void (*run)(Store& store);
};

/// Records, queries and retention.
std::span<const JournalCheck<JournalStore>> journal_checks();

/// Controls, approvals, holds, plans.
std::span<const JournalCheck<JournalStore>> journal_control_checks();

/// Who may run: leases, take-over, races.
std::span<const JournalCheck<JournalStore>> journal_lease_checks();

/// What a store on disk must survive.
std::span<const JournalCheck<SqlJournalStore>> sql_journal_checks();

/// A request for `tenants` of "production", with two files.
orchestrator::RunRequest request_for(const std::vector<std::string>& tenants,
                                     const std::string& environment = "production");

/// Somebody on a host that is not this one, so that only the lease says whether they live.
orchestrator::Owner owner_called(const std::string& user);

/// A tenant's successful change.
orchestrator::TenantFinished applied(const orchestrator::RunId& run,
                                     const std::string& tenant,
                                     std::chrono::milliseconds duration = {});

/// The Error that `action` throws; a test without one fails.
template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  throw std::logic_error("expected an Error, and nothing was thrown");
}

}  // namespace drover::test
