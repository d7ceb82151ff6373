/// What a person configured, validated: the content of drover.yaml after secrets, environment
/// variables and defaults. settings/ makes it; everything else only reads it.
///
/// Thread safety: plain values.

#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/error.h"
#include "engine/secret.h"
#include "orchestrator/journal.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

struct Limits {
  std::size_t in_flight = 64;
  std::size_t per_server = 16;  ///< A cap; the server's own answer may be lower.
  std::size_t concurrent_ddl = 1;
  std::chrono::milliseconds server_pause{std::chrono::minutes(10)};

  bool operator==(const Limits&) const = default;
};

struct Timeouts {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds lock{1'000};
  std::chrono::milliseconds statement{300'000};
  std::optional<std::chrono::milliseconds> concurrent;  ///< nullopt: none.

  bool operator==(const Timeouts&) const = default;
};

/// A secret that can be read again when it turns out to be stale.
struct SecretSource {
  enum class From { environment, file, command };
  From from = From::environment;
  std::string name;  ///< The variable, the path, or the name under `commands`.
};

/// An entry of `tenants:`. Strings have their ${...} already expanded.
struct ListSource {
  struct Entry {
    std::string id;
    engine::Secret target;  ///< May hold a password.
    Labels labels;
    Place place;
  };
  std::vector<Entry> entries;
};
struct FileSource {
  std::filesystem::path path;  ///< .csv or .json
  std::filesystem::path root;  ///< Where its SQLite targets must stay; empty: they are refused.
};
struct QuerySource {
  engine::Secret on;
  std::string sql;
  std::filesystem::path root;
};
struct DatabasesSource {
  engine::Secret server;
  std::string match = "*";
  std::string id = "{database}";
  std::string schema = "public";
};
struct SchemasSource {
  engine::Secret database;
  std::string match = "*";
  std::string id = "{schema}";
};
struct SqliteSource {
  std::string pattern;  ///< Absolute, with a glob in its last part.
  std::string id = "{file}";
};
struct CommandSource {
  std::vector<std::string> argv;
  std::filesystem::path directory;  ///< Where it runs: the configuration's.
  std::chrono::milliseconds deadline{60'000};
  std::size_t most_output =
      std::size_t{64} * 1024 * 1024;  ///< In bytes. More ends it, and is an error.
  std::filesystem::path root;
};

struct TenantSource {
  std::variant<ListSource,
               FileSource,
               QuerySource,
               DatabasesSource,
               SchemasSource,
               SqliteSource,
               CommandSource>
      what;
  Labels labels;                         ///< Given to every tenant of the source.
  std::optional<engine::Secret> secret;  ///< From `secret: NAME`; the password of its targets.
  Place place;
};

enum class IdStyle { numbered, random };
enum class TransactionMode { per_revision, all };

/// What must be saved before a tenant is changed.
struct BackupOptions {
  enum class Policy { none, required };
  enum class Provider { pg_dump, sqlite, template_copy, command };
  Policy policy = Policy::required;
  Provider provider = Provider::pg_dump;
  std::filesystem::path directory;
  std::optional<std::chrono::milliseconds> max_age;  ///< nullopt: always make a new one.
  Place place;
};

/// A number of tenants, or a share of them (rounded down).
struct Amount {
  enum class Of { tenants, percent };
  std::size_t value = 0;
  Of of = Of::tenants;

  bool operator==(const Amount&) const = default;
};

/// When a stage has failed: N tolerates N failures and trips on the next.
struct StageBudget {
  std::optional<Amount> failures;
  bool strict = false;  ///< Keep so few in flight that at most N + 1 can ever fail.
};

/// Asks a database whether a stage went well.
struct Probe {
  enum class On { tenant };
  On on = On::tenant;
  std::string sql;
};

/// What must hold before the next stage begins.
struct Gate {
  std::chrono::milliseconds soak{0};
  std::size_t approvals = 0;
  std::optional<Probe> probe;
};

/// When tenants of a stage may be started. `to` before `from` runs over midnight.
struct Window {
  std::vector<std::chrono::weekday> days;  ///< On which it opens.
  std::chrono::minutes from{0};            ///< Since midnight.
  std::chrono::minutes to{0};
  std::string zone;  ///< "Europe/Berlin"
};

struct Stage {
  std::string name;
  Labels labels;                       ///< All of them must fit; empty: any.
  std::optional<std::size_t> percent;  ///< Of the whole fleet.
  bool takes_rest = false;             ///< No `select`: whoever no earlier stage took.
  std::optional<std::size_t> in_flight;
  StageBudget budget;
  Gate gate;
  std::optional<Window> window;
  Place place;
};

struct RolloutOptions {
  std::optional<std::size_t> fingerprint_budget;  ///< Failures of one cause that a run tolerates.
  std::vector<Stage> stages;                      ///< The last one takes the rest.
  Place place;
};

struct Environment {
  std::string name;
  bool production = false;
  bool auto_migrate = false;
  TransactionMode transaction = TransactionMode::per_revision;
  std::filesystem::path migrations;
  std::string history_schema;  ///< Empty: the tenant's own schema.
  Limits limits;
  Timeouts timeouts;
  std::vector<TenantSource> tenants;
  std::optional<BackupOptions> backup;
  std::optional<RolloutOptions> rollout;
  Place place;
};

/// A whole configuration.
struct Options {
  std::filesystem::path file;  ///< Empty when there is none (--database, DATABASE_URL).
  std::filesystem::path migrations;
  engine::Secret store;  ///< A path, or a PostgreSQL URL (may hold a password).
  IdStyle ids = IdStyle::numbered;
  Retention retention;
  Limits limits;      ///< For a target without an environment (--database).
  Timeouts timeouts;  ///< As above.
  std::string default_environment;
  std::map<std::string, Environment> environments;
};

/// Where a value came from, for `config show --origin`.
struct Origin {
  std::string key;    ///< "limits.in_flight"
  std::string value;  ///< Printable; a secret shows as "(secret)".
  std::string from;   ///< "drover.yaml:3:14", "DROVER_LIMITS_IN_FLIGHT", "default"
};

}  // namespace drover::orchestrator
