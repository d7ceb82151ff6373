/// How a run goes through a fleet, as a person configured it: stages, what must hold between them,
/// and how much may fail.
///
/// settings/ reads it, waves.h assigns tenants by it, rollout.h carries it out.
///
/// Thread safety: plain values.

#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/error.h"
#include "engine/secret.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

/// A number of tenants, or a share of them (rounded down).
struct Amount {
  enum class Of { tenants, percent };
  std::size_t value = 0;
  Of of = Of::tenants;

  bool operator==(const Amount&) const = default;
};

/// `amount` of `planned` tenants.
std::size_t count_of(const Amount& amount, std::size_t planned) noexcept;

/// What tenants are told apart by when a stage takes one of each kind.
enum class Stratum {
  server,
  version,  ///< The heads that its history had when the run was planned.
  size,     ///< Of its data, by powers of ten.
};

/// Whom a stage takes, of the tenants that no earlier stage took.
struct Selection {
  std::vector<TenantId> ids;           ///< Empty: any.
  Labels labels;                       ///< All of them must fit; empty: any.
  std::optional<std::size_t> count;    ///< At most so many of those that fit,
  std::optional<std::size_t> percent;  ///< ... or this share of the whole fleet, rounded down.
  std::vector<Stratum> stratify;       ///< Of each kind at least one; with neither, just one.

  bool operator==(const Selection&) const = default;
};

/// Which tenant of a stage is started first.
enum class StartOrder { slowest, smallest, listed };

/// When a stage has failed: N tolerates N failures and trips on the next.
struct StageBudget {
  std::optional<Amount> failures;  ///< Of the stage's planned tenants.
  bool strict = false;             ///< Keep so few in flight that at most N + 1 can ever fail.

  bool operator==(const StageBudget&) const = default;
};

/// SQL whose answer says whether a stage went well: one row, one column, true or false. NULL, no
/// row and anything else is inconclusive.
struct SqlProbe {
  enum class On { tenant, control };
  On on = On::tenant;
  engine::Secret control;  ///< Where the control database is; may hold a password.
  std::string sql;
};

/// A program: exit status 0 is a pass, 2 is inconclusive, every other one a failure.
struct CommandProbe {
  std::vector<std::string> argv;
  std::chrono::milliseconds deadline{60'000};
};

/// A web page: a status of 200 to 299 is a pass, 429 and 503 are inconclusive, every other one is a
/// failure; a server that does not answer is inconclusive.
struct HttpProbe {
  std::string url;  ///< http://HOST[:PORT]/PATH
  std::chrono::milliseconds deadline{10'000};
};

struct Check {
  std::variant<SqlProbe, CommandProbe, HttpProbe> what;
  std::size_t passes = 1;                      ///< In a row, before it counts as passed.
  std::size_t retries = 0;                     ///< Answers that are no pass and are put up with.
  std::chrono::milliseconds interval{10'000};  ///< Between two answers.
};

/// What must hold before the next stage begins, in the order in which it is looked at.
struct Gate {
  std::optional<std::size_t> success_percent;  ///< Of the stage's planned tenants, at least.
  std::chrono::milliseconds soak{0};           ///< Time to pass; stands still while paused.
  std::vector<Check> checks;
  std::size_t approvals = 0;  ///< Of people, by drover approve RUN.
};

/// When tenants of a stage may be started. `to` before `from` runs over midnight; `days` name the
/// day on which it opens.
struct Window {
  std::vector<std::chrono::weekday> days;
  std::chrono::minutes from{0};  ///< Since midnight.
  std::chrono::minutes to{0};
  std::string zone;  ///< "Europe/Berlin"
};

/// Whether a tenant may be changed without a proven backup.
enum class BackupPolicy {
  none,         ///< None is made.
  best_effort,  ///< One is made; without one the tenant is changed all the same, and told.
  required,     ///< Without one the tenant is left as it is.
};

/// What becomes of a tenant that fails for good in the middle of a revision: when parts of it that
/// no transaction takes back are done.
enum class OnPartial {
  stop,       ///< It stays as it is, for people to look at.
  downgrade,  ///< What was begun is undone, down to where the run found it.
  restore,    ///< Its backup of this run is put back.
};

struct Stage {
  std::string name;
  Selection select;
  bool takes_rest = false;  ///< No `select`: whoever no earlier stage took.
  std::optional<std::size_t> in_flight;
  std::optional<std::size_t> per_server;
  StartOrder order = StartOrder::slowest;
  std::chrono::milliseconds delay{0};  ///< Between two starts.
  StageBudget budget;
  std::optional<std::chrono::milliseconds> progress_deadline;  ///< Nobody done for so long: pause.
  Gate gate;
  std::optional<Window> window;
  std::optional<BackupPolicy> backup;                       ///< Nullopt: as the environment says,
  std::optional<std::chrono::milliseconds> backup_max_age;  ///< ... and so here.
  OnPartial on_partial = OnPartial::stop;
  Place place;
};

/// What happens to tenants that appear in the fleet after a run was planned.
enum class LateJoiners {
  ignore,  ///< They are listed.
  append,  ///< They are a last wave.
  stop,    ///< The run does not begin.
};

/// The name of the wave of those that are appended.
inline constexpr std::string_view kLateJoinersStage = "late joiners";

struct RolloutOptions {
  std::optional<Amount> run_budget;               ///< Failures that a run tolerates,
  std::optional<std::size_t> server_budget;       ///< ... those of one server,
  std::optional<std::size_t> fingerprint_budget;  ///< ... and those of one cause.
  std::size_t approvals = 0;                      ///< Of the plan, by others than its author.
  std::chrono::milliseconds approval_expiry{std::chrono::hours(24)};
  std::map<std::string, std::filesystem::path> approval_keys;  ///< Public ones, by their owner.
  LateJoiners late_joiners = LateJoiners::ignore;
  std::vector<Stage> stages;  ///< The last one takes the rest.
  Place place;
};

}  // namespace drover::orchestrator
