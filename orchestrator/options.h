/// What a person configured, validated: the content of drover.yaml after secrets, environment
/// variables and defaults. settings/ makes it; everything else only reads it.
///
/// Thread safety: plain values.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/error.h"
#include "engine/secret.h"
#include "orchestrator/hook.h"
#include "orchestrator/journal.h"
#include "orchestrator/rollout_options.h"
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

/// What must be saved before a tenant is changed, how, and for how long it is kept.
struct BackupOptions {
  enum class Provider {
    pg_dump,        ///< Of PostgreSQL tenants; the default.
    sqlite,         ///< The online backup of SQLite; of every SQLite tenant unless `command`.
    template_copy,  ///< CREATE DATABASE ... TEMPLATE, in maintenance only.
    command,        ///< A program of the user's.
  };
  BackupPolicy policy = BackupPolicy::required;
  std::optional<Provider> provider;  ///< Nullopt: what fits the tenant's dialect.
  std::filesystem::path directory;   ///< Empty for providers that keep their backups elsewhere.
  std::optional<std::chrono::milliseconds> max_age;           ///< Nullopt: always make a new one.
  std::chrono::milliseconds deadline{std::chrono::hours(1)};  ///< For one tenant.
  std::size_t in_flight = 4;                                  ///< Backups at a time,
  std::size_t per_server = 2;                                 ///< ... and of one server.
  std::string compress = {};           ///< As pg_dump -Z takes it; empty: pg_dump's own default.
  std::filesystem::path tools;         ///< Where pg_dump and pg_restore are; empty: PATH.
  std::uint64_t large = 10ULL << 30U;  ///< Bytes from which a tenant is dumped in parallel,
  std::size_t jobs = 4;                ///< ... by so many connections.
  bool maintenance = false;            ///< Users may be disconnected (template_copy).
  std::vector<std::string> command;    ///< Makes a backup; see backup/command_provider.h.
  std::vector<std::string> restore_command;  ///< Puts one back.
  std::size_t keep_count = 7;                ///< The newest of a tenant stay anyway,
  std::chrono::milliseconds keep_age{std::chrono::hours(24 * 14)};  ///< ... and what is younger.
  Place place;

  bool operator==(const BackupOptions&) const = default;
};

/// What batched changes of data may ask of a server; all batches of all tenants there together.
/// The numbers are those of reference/batches.md §6.4 unless the settings say otherwise.
struct BatchSettings {
  std::uint64_t wal_per_second = 0;  ///< Bytes; 0: as many as the other limits let through.
  std::chrono::milliseconds replica_lag{5'000};
  std::uint64_t replica_bytes = std::uint64_t{256} << 20U;
  std::uint64_t active_backends = 25;
  std::chrono::milliseconds commit_latency{100};
  std::optional<Window> window;  ///< Batches rest outside of it.
  std::filesystem::path flag;    ///< Batches rest while this file is there; empty: none.
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
  BatchSettings batches;
  std::optional<RolloutOptions> rollout;
  std::vector<HookOptions> hooks;
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
