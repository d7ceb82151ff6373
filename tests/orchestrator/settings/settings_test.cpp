#include "orchestrator/settings/settings.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/error.h"
#include "tests/support/temp_dir.h"

using namespace std::chrono_literals;
using drover::Error;
using drover::orchestrator::Amount;
using drover::orchestrator::BackupOptions;
using drover::orchestrator::BackupPolicy;
using drover::orchestrator::CommandSource;
using drover::orchestrator::DatabasesSource;
using drover::orchestrator::Environment;
using drover::orchestrator::FileSource;
using drover::orchestrator::IdStyle;
using drover::orchestrator::Labels;
using drover::orchestrator::Limits;
using drover::orchestrator::ListSource;
using drover::orchestrator::OnPartial;
using drover::orchestrator::Options;
using drover::orchestrator::Origin;
using drover::orchestrator::QuerySource;
using drover::orchestrator::SchemasSource;
using drover::orchestrator::SqliteSource;
using drover::orchestrator::SqlProbe;
using drover::orchestrator::Stage;
using drover::orchestrator::TenantSource;
using drover::orchestrator::Timeouts;
using drover::orchestrator::TransactionMode;
using drover::test::TempDir;
using namespace drover::orchestrator::settings;

namespace {

namespace fs = std::filesystem;

/// The file that the manual shows.
constexpr const char* kManual =
    R"yaml(migrations: migrations                # relative paths are relative to this file
store: .drover/runs.db                # or a PostgreSQL URL
default_environment: development      # never one with production: true
limits:   {in_flight: 64, per_server: 16, concurrent_ddl: 1, server_pause: 10m}
timeouts: {connect: 10s, lock: 1s, statement: 5m, concurrent: none}
environments:
  development:
    auto_migrate: true
    tenants:
      - sqlite: dev/*.db
  staging:
    tenants:
      - databases: {server: "postgres://migrator@db1", match: "tenant_*", id: "{server}/{database}"}
      - schemas:   {database: "postgres://migrator@db9/shared", match: "t_*"}
  production:
    production: true
    tenants:
      - query: {on: "${env:CONTROL_DATABASE_URL}", sql: "SELECT code AS id, dsn AS target, tier, region, ring FROM tenants WHERE is_active"}
    backup: {policy: required, provider: pg_dump, directory: /var/backups/drover, max_age: 30m}
    rollout:
      budget: {fingerprint: 3}
      stages:
        - {name: canary, select: {labels: {ring: canary}}, budget: {failures: 0, strict: true}, gate: {soak: 10m, probe: {on: tenant, sql: "SELECT healthy FROM app_health"}}}
        - {name: early,  select: {percent: 10}, gate: {approvals: 1}}
        - {name: rest,   in_flight: 64, window: {days: mon-fri, from: "22:00", to: "05:00", zone: Europe/Berlin}}
)yaml";

constexpr const char* kOneTenant = "environments: {dev: {tenants: [{sqlite: dev.db}]}}\n";

struct World {
  TempDir folder;
  EnvironmentVariables variables = {};
  SettingsFlags flags = {};
  fs::path working_directory = "/desk";
  std::vector<std::string> other_variables = {};

  Settings load(const std::string& text) const {
    SettingsRequest request;
    request.file = folder.write("drover.yaml", text);
    return load(request);
  }

  Settings load_without_file() const { return load(SettingsRequest{}); }

  std::string error_of(const std::string& text) const {
    try {
      load(text);
    } catch (const Error& error) {
      return error.kind_name() + ": " + error.what() + " | " + error.hint();
    }
    return "no error";
  }

  std::string path(const std::string& name) const { return (folder / name).string(); }

 private:
  Settings load(SettingsRequest request) const {
    request.working_directory = working_directory;
    request.variables = variables;
    request.flags = flags;
    request.other_variables = other_variables;
    return load_settings(request);
  }
};

/// The only source of the only environment.
template <typename Source>
Source source_in(const World& world, const std::string& source, const std::string& rest = "") {
  const Settings settings =
      world.load(rest + "environments:\n  dev:\n    tenants:\n      - " + source + "\n");
  return std::get<Source>(settings.options.environments.at("dev").tenants.at(0).what);
}

std::string origin_in(const World& world, const Settings& settings, const std::string& key) {
  for (const Origin& origin : settings.origins) {
    if (origin.key == key) {
      const std::string folder = world.folder.path().string() + "/";
      const std::size_t at = origin.from.find(folder);
      return origin.value + " from " + (at == 0 ? origin.from.substr(folder.size()) : origin.from);
    }
  }
  return "not there";
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind_name() + ": " + error.what() + " | " + error.hint();
  }
  return "no error";
}

}  // namespace

TEST_CASE("the file in the manual loads, without the secrets of production") {
  World world;
  const Options options = world.load(kManual).options;
  CHECK(options.migrations == world.path("migrations"));
  CHECK(options.store.reveal() == world.path(".drover/runs.db"));
  CHECK(options.environments.size() == 3);
  const Environment& development = options.environments.at("development");
  CHECK(development.auto_migrate);
  CHECK_FALSE(development.production);
  CHECK(development.migrations == options.migrations);
  CHECK(development.limits == Limits{64, 16, 1, 10min});
  CHECK(development.timeouts == Timeouts{10s, 1s, 5min, std::nullopt});
  CHECK(std::get<SqliteSource>(development.tenants.at(0).what).pattern == world.path("dev/*.db"));
  const Environment& staging = options.environments.at("staging");
  CHECK(std::get<DatabasesSource>(staging.tenants.at(0).what).id == "{server}/{database}");
  CHECK(std::get<SchemasSource>(staging.tenants.at(1).what).match == "t_*");
  const auto& query = std::get<QuerySource>(options.environments.at("production").tenants[0].what);
  CHECK(query.on.reveal() == "${env:CONTROL_DATABASE_URL}");
}

TEST_CASE("secrets are read for the chosen environment only") {
  World world;
  world.flags.environment = "production";
  CHECK(
      world.error_of(kManual) ==
      "invalid_secret: environments.production.tenants[0].query.on needs the environment variable "
      "'CONTROL_DATABASE_URL', which is not set | Set CONTROL_DATABASE_URL and try again.");
  world.variables["CONTROL_DATABASE_URL"] = "postgres://control";
  const Options options = world.load(kManual).options;
  const auto& query = std::get<QuerySource>(options.environments.at("production").tenants[0].what);
  CHECK(query.on.reveal() == "postgres://control");
}

TEST_CASE("every setting of backups is understood, of the environment and of a stage") {
  World world;
  const Environment environment =
      world
          .load(
              "environments:\n  dev:\n    tenants: [{sqlite: 'dev/*.db'}]\n"
              "    backup:\n      policy: best_effort\n      provider: command\n"
              "      command: [save, it]\n      restore_command: [put, back]\n"
              "      directory: /b\n      deadline: 5m\n      in_flight: 9\n"
              "      per_server: 3\n      compress: 'zstd:3'\n      tools: pg/bin\n"
              "      large: 2GiB\n      jobs: 6\n      maintenance: true\n"
              "      keep: {count: 2, age: 30d}\n"
              "    rollout:\n      stages:\n"
              "        - {name: all, backup: {policy: required, max_age: 10m}, on_partial: "
              "restore}\n")
          .options.environments.at("dev");
  BackupOptions wanted;
  wanted.policy = BackupPolicy::best_effort;
  wanted.provider = BackupOptions::Provider::command;
  wanted.command = {"save", "it"};
  wanted.restore_command = {"put", "back"};
  wanted.directory = "/b";
  wanted.deadline = 5min;
  wanted.in_flight = 9;
  wanted.per_server = 3;
  wanted.compress = "zstd:3";
  wanted.tools = environment.backup->tools;
  wanted.large = 2ULL << 30U;
  wanted.jobs = 6;
  wanted.maintenance = true;
  wanted.keep_count = 2;
  wanted.keep_age = 24h * 30;
  wanted.place = environment.backup->place;
  CHECK(environment.backup == wanted);
  CHECK(environment.backup->tools.is_absolute());
  const Stage& stage = environment.rollout->stages.front();
  CHECK(stage.backup == BackupPolicy::required);
  CHECK(stage.backup_max_age == 10min);
  CHECK(stage.on_partial == OnPartial::restore);
}

TEST_CASE("the manual's backup and rollout are understood") {
  World world;
  const Environment production = world.load(kManual).options.environments.at("production");
  REQUIRE(production.backup);
  CHECK(production.backup->policy == BackupPolicy::required);
  CHECK(production.backup->provider == BackupOptions::Provider::pg_dump);
  CHECK(production.backup->directory == "/var/backups/drover");
  CHECK(production.backup->max_age == 30min);
  REQUIRE(production.rollout);
  CHECK(production.rollout->fingerprint_budget == std::size_t{3});
  REQUIRE(production.rollout->stages.size() == 3);
  const Stage& canary = production.rollout->stages[0];
  CHECK(canary.select.labels == Labels{{"ring", "canary"}});
  CHECK(canary.budget.failures == Amount{0, Amount::Of::tenants});
  CHECK(canary.budget.strict);
  CHECK(canary.gate.soak == 10min);
  REQUIRE(canary.gate.checks.size() == 1);
  CHECK(std::get<SqlProbe>(canary.gate.checks[0].what).sql == "SELECT healthy FROM app_health");
  const Stage& early = production.rollout->stages[1];
  CHECK(early.select.percent == std::size_t{10});
  CHECK(early.gate.approvals == 1);
  CHECK_FALSE(early.takes_rest);
  const Stage& rest = production.rollout->stages[2];
  CHECK(rest.takes_rest);
  CHECK(rest.in_flight == std::size_t{64});
  REQUIRE(rest.window);
  using std::chrono::Monday, std::chrono::Tuesday, std::chrono::Wednesday, std::chrono::Thursday,
      std::chrono::Friday;
  CHECK(rest.window->days == std::vector{Monday, Tuesday, Wednesday, Thursday, Friday});
  CHECK(rest.window->from == 22h);
  CHECK(rest.window->to == 5h);
  CHECK(rest.window->zone == "Europe/Berlin");
}

TEST_CASE("days may go over the end of the week, and budgets may be shares") {
  World world;
  const Stage stage = world
                          .load(R"yaml(environments:
  dev:
    tenants: [{sqlite: dev.db}]
    rollout:
      stages:
        - name: all
          budget: {failures: 5%}
          window: {days: [sat-mon, wed], from: "00:00", to: "23:59", zone: UTC}
)yaml")
                          .options.environments.at("dev")
                          .rollout->stages.at(0);
  CHECK(stage.budget.failures == Amount{5, Amount::Of::percent});
  using std::chrono::Saturday, std::chrono::Sunday, std::chrono::Monday, std::chrono::Wednesday;
  CHECK(stage.window->days == std::vector{Saturday, Sunday, Monday, Wednesday});
}

TEST_CASE("what is not said has its default") {
  World world;
  const Settings settings = world.load(kOneTenant);
  const Options& options = settings.options;
  CHECK(options.migrations == world.path("migrations"));
  CHECK(options.store.reveal() == world.path(".drover/runs.db"));
  CHECK(options.ids == IdStyle::numbered);
  CHECK(options.retention.events == 24h * 90);
  CHECK(options.retention.runs == 1000);
  CHECK(options.environments.at("dev").limits == Limits{});
  CHECK(options.environments.at("dev").timeouts == Timeouts{});
  CHECK(options.environments.at("dev").transaction == TransactionMode::per_revision);
  CHECK(options.environments.at("dev").history_schema.empty());
  CHECK(origin_in(world, settings, "limits.in_flight") == "64 from default");
  CHECK(origin_in(world, settings, "timeouts.concurrent") == "none from default");
  CHECK(origin_in(world, settings, "retention.events") == "90d from default");
}

TEST_CASE("an environment starts from what holds for all and changes some of it") {
  World world;
  const Settings settings = world.load(R"yaml(migrations: all
ids: random
retention: {events: 36h, runs: 5}
limits: {in_flight: 10, per_server: 5}
timeouts: {lock: 2s}
environments:
  one:
    migrations: special
    history_schema: drover
    transaction: all
    limits: {in_flight: 3}
    timeouts: {concurrent: 2h}
    tenants: [{sqlite: one.db}]
  two:
    tenants: [{sqlite: two.db}]
)yaml");
  const Environment& one = settings.options.environments.at("one");
  CHECK(one.migrations == world.path("special"));
  CHECK(one.history_schema == "drover");
  CHECK(one.transaction == TransactionMode::all);
  CHECK(one.limits == Limits{3, 5, 1, 10min});
  CHECK(one.timeouts == Timeouts{10s, 2s, 5min, 2h});
  const Environment& two = settings.options.environments.at("two");
  CHECK(two.migrations == world.path("all"));
  CHECK(two.limits == Limits{10, 5, 1, 10min});
  CHECK(settings.options.ids == IdStyle::random);
  CHECK(settings.options.retention.events == 36h);
  CHECK(settings.options.retention.runs == 5);
  CHECK(origin_in(world, settings, "environments.one.limits.in_flight") ==
        "3 from drover.yaml:11:25");
  CHECK(origin_in(world, settings, "environments.one.limits.per_server") ==
        "5 from drover.yaml:4:37");
  CHECK(origin_in(world, settings, "environments.two.limits.in_flight") ==
        "10 from drover.yaml:4:21");
}

TEST_CASE("variables beat the file, an environment's section too, and flags beat variables") {
  World world;
  world.variables = {{"DROVER_LIMITS_IN_FLIGHT", "7"},
                     {"DROVER_TIMEOUTS_LOCK", "250ms"},
                     {"DROVER_TIMEOUTS_CONCURRENT", "1h"},
                     {"DROVER_RETENTION_RUNS", "9"},
                     {"DROVER_IDS", "random"},
                     {"DROVER_MIGRATIONS", "from-variable"},
                     {"DROVER_STORE", "variable.db"},
                     {"HOME", "/root"}};
  world.flags.migrations = "from-flag";
  const std::string text =
      "limits: {in_flight: 1}\nenvironments: {dev: {migrations: x, limits: {in_flight: 2}, "
      "tenants: "
      "[{sqlite: dev.db}]}}\n";
  const Settings settings = world.load(text);
  const Environment& dev = settings.options.environments.at("dev");
  CHECK(dev.limits.in_flight == 7);
  CHECK(dev.timeouts.lock == 250ms);
  CHECK(dev.timeouts.concurrent == 1h);
  CHECK(dev.migrations == "/desk/from-flag");
  CHECK(settings.options.migrations == "/desk/from-flag");
  CHECK(settings.options.limits.in_flight == 7);
  CHECK(settings.options.timeouts.lock == 250ms);
  CHECK(settings.options.retention.runs == 9);
  CHECK(settings.options.ids == IdStyle::random);
  CHECK(settings.options.store.reveal() == "/desk/variable.db");
  CHECK(origin_in(world, settings, "environments.dev.limits.in_flight") ==
        "7 from DROVER_LIMITS_IN_FLIGHT");
  CHECK(origin_in(world, settings, "migrations") == "/desk/from-flag from --migrations");
  CHECK(origin_in(world, settings, "environments.dev.migrations") ==
        "/desk/from-flag from --migrations");
  CHECK(origin_in(world, settings, "store") == "/desk/variable.db from DROVER_STORE");
}

TEST_CASE("a bad variable is blamed by its own name") {
  World world;
  const auto error_with = [&world](const std::string& name, const std::string& value) {
    world.variables = {{name, value}};
    return world.error_of(kOneTenant);
  };
  CHECK(
      error_with("DROVER_LIMITS_IN_FLIGHT", "5x") ==
      "invalid_setting: DROVER_LIMITS_IN_FLIGHT is '5x', not a whole number | Give a whole number "
      "from 1 to 10000.");
  CHECK(error_with("DROVER_LIMITS_IN_FLIGHT", "") ==
        "invalid_setting: DROVER_LIMITS_IN_FLIGHT is '', not a whole number | Give a whole number "
        "from 1 to 10000.");
  CHECK(
      error_with("DROVER_TIMEOUTS_LOCK", "5") ==
      "invalid_setting: DROVER_TIMEOUTS_LOCK is '5', which has no unit | Write a whole number and "
      "ms, s, m, h or d, as in 500ms or 10m.");
  CHECK(error_with("DROVER_STORE", "") ==
        "invalid_setting: DROVER_STORE is empty | Give it a value, or remove it.");
  CHECK(
      error_with("DROVER_DEFAULT_ENVIRONMENT", "deb") ==
      "invalid_setting: DROVER_DEFAULT_ENVIRONMENT is 'deb', which is not under environments | Did "
      "you mean 'dev'?");
  CHECK(
      error_with("DROVER_LIMIT_IN_FLIGHT", "5") ==
      "unknown_variable: the environment variable 'DROVER_LIMIT_IN_FLIGHT' means nothing to drover "
      "| Did you mean 'DROVER_LIMITS_IN_FLIGHT'?");
  world.other_variables = {"DROVER_LIMIT_IN_FLIGHT"};
  CHECK(world.error_of(kOneTenant) == "no error");
}

TEST_CASE("references are for the file alone: variables and flags say what they say") {
  World world;
  world.variables = {{"DROVER_STORE", "${env:HOME}.db"}, {"HOME", "/root"}};
  CHECK(world.load(kOneTenant).options.store.reveal() == "/desk/${env:HOME}.db");
}

TEST_CASE("without a file there are defaults, variables and flags") {
  World world;
  world.variables = {{"DROVER_TIMEOUTS_LOCK", "3s"}};
  world.flags.store = "postgres://u:secret@db/runs";
  const Settings settings = world.load_without_file();
  CHECK(settings.options.file.empty());
  CHECK(settings.options.migrations == "/desk/migrations");
  CHECK(settings.options.store.reveal() == "postgres://u:secret@db/runs");
  CHECK(settings.options.timeouts.lock == 3s);
  CHECK(settings.options.environments.empty());
}

TEST_CASE("origins never show a secret") {
  World world;
  world.variables = {{"TOKEN", "sesame"}};
  world.folder.write("ignored", "");
  const Settings settings = world.load(R"yaml(store: postgres://u:sesame@db/runs
migrations: /srv/${env:TOKEN}
secrets: {pg: sesame, other: "${env:TOKEN}"}
environments:
  dev:
    history_schema: ${env:TOKEN}
    tenants:
      - databases: {server: "postgres://u:${env:TOKEN}@db", secret: pg}
)yaml");
  for (const Origin& origin : settings.origins) {
    CAPTURE(origin.key);
    CHECK((origin.value + origin.from).find("sesame") == std::string::npos);
  }
  CHECK(origin_in(world, settings, "store") == "(secret) from drover.yaml:1:8");
  CHECK(origin_in(world, settings, "secrets.pg") == "(secret) from drover.yaml:3:15");
  CHECK(origin_in(world, settings, "environments.dev.tenants[0]") ==
        "databases from drover.yaml:8:9");
  const TenantSource& source = settings.options.environments.at("dev").tenants.at(0);
  REQUIRE(source.secret);
  CHECK(source.secret->reveal() == "sesame");
  CHECK(settings.options.environments.at("dev").history_schema == "sesame");
}

TEST_CASE("a list source holds ids, targets and labels") {
  World world;
  world.variables = {{"PASSWORD", "sesame"}};
  const ListSource list = source_in<ListSource>(world, R"yaml(list:
          - {id: acme, target: "postgres://u:${env:PASSWORD}@db/acme", labels: {tier: no, size: 012}}
          - {id: 42, target: "sqlite:data/42.db"})yaml");
  REQUIRE(list.entries.size() == 2);
  CHECK(list.entries[0].id == "acme");
  CHECK(list.entries[0].target.reveal() == "postgres://u:sesame@db/acme");
  CHECK(list.entries[0].labels == Labels{{"tier", "no"}, {"size", "012"}});
  CHECK(list.entries[0].place.line == 5);
  CHECK(list.entries[1].id == "42");
  CHECK(list.entries[1].target.reveal() == "sqlite:" + world.path("data/42.db"));
}

TEST_CASE("file, sqlite and command sources have a short form and a long one") {
  World world;
  CHECK(source_in<FileSource>(world, "file: tenants.csv").path == world.path("tenants.csv"));
  const FileSource file = source_in<FileSource>(world, "file: {path: ../t.json, root: data/}");
  CHECK(file.path == world.folder.path().parent_path() / "t.json");
  CHECK(file.root == world.path("data"));
  CHECK(source_in<SqliteSource>(world, "sqlite: '*.db'").id == "{file}");
  const SqliteSource sqlite =
      source_in<SqliteSource>(world, "sqlite: {path: x.db, id: 'f-{file}'}");
  CHECK(sqlite.pattern == world.path("x.db"));
  CHECK(sqlite.id == "f-{file}");
  const CommandSource brief = source_in<CommandSource>(world, "command: [./list, --all]");
  CHECK(brief.argv == std::vector<std::string>{"./list", "--all"});
  CHECK(brief.directory == world.folder.path());
  CHECK(brief.deadline == 60s);
  const CommandSource full = source_in<CommandSource>(
      world, "command: {argv: [list], deadline: 5s, most_output: 2KiB, root: /data}");
  CHECK(full.deadline == 5s);
  CHECK(full.most_output == 2048);
  CHECK(full.root == "/data");
}

TEST_CASE("a query may ask an SQLite file") {
  World world;
  const QuerySource query = source_in<QuerySource>(
      world,
      "query: {on: 'sqlite:control.db', sql: 'SELECT id, target FROM t WHERE x = $1', root: .}");
  CHECK(query.on.reveal() == "sqlite:" + world.path("control.db"));
  CHECK(query.sql == "SELECT id, target FROM t WHERE x = $1");
  CHECK(query.root == world.folder.path());
}

TEST_CASE("labels and a secret may stand beside a source or in it") {
  World world;
  for (const std::string source : {"{databases: {server: x}, labels: {tier: free}, secret: pg}",
                                   "databases: {server: x, labels: {tier: free}, secret: pg}"}) {
    const Settings settings = world.load(
        "secrets: {pg: sesame}\nenvironments:\n  dev:\n    tenants:\n      - " + source + "\n");
    const TenantSource& read = settings.options.environments.at("dev").tenants.at(0);
    CHECK(read.labels == Labels{{"tier", "free"}});
    REQUIRE(read.secret);
    CHECK(read.secret->reveal() == "sesame");
  }
}

TEST_CASE("an environment is chosen by name, by being alone, or by default") {
  World world;
  const std::string two =
      "environments: {dev: {tenants: [{sqlite: a}]}, live: {tenants: [{sqlite: b}]}}\n";
  const Options options = world.load(two).options;
  CHECK(resolve_environment(options, "live").name == "live");
  CHECK(resolve_environment(world.load(kOneTenant).options, {}).name == "dev");
  CHECK(resolve_environment(world.load("default_environment: live\n" + two).options, {}).name ==
        "live");
  CHECK(error_of([&] { resolve_environment(options, {}); }) ==
        "no_environment: no environment was chosen among dev, live | Choose one with -e, or set "
        "default_environment.");
  CHECK(error_of([&] { resolve_environment(options, "lve"); }) ==
        "unknown_environment: there is no environment 'lve' | Did you mean 'live'?");
  CHECK(error_of([&] { resolve_environment(options, "staging"); }) ==
        "unknown_environment: there is no environment 'staging' | Known are dev and live.");
  CHECK(
      error_of([] { resolve_environment(Options{}, {}); }) ==
      "no_environment: no environment is configured | Add one under environments, or give a single "
      "target with --database.");
}

TEST_CASE("the settings file is drover.yaml in the folder itself") {
  World world;
  CHECK_FALSE(find_settings_file(world.folder.path()));
  world.folder.write("drover.yaml", kOneTenant);
  CHECK(find_settings_file(world.folder.path()) == world.folder / "drover.yaml");
  fs::create_directory(world.folder / "below");
  CHECK_FALSE(find_settings_file(world.folder / "below"));
}

TEST_CASE("a file that cannot be read is named") {
  World world;
  const fs::path missing = world.folder / "nowhere.yaml";
  CHECK(
      error_of([&] { load_settings(missing, {}); }) ==
      "no_settings_file: the configuration file cannot be read: No such file or directory | Name a "
      "file with -c, or make one with `drover init`.");
  CHECK(error_of([&] { load_settings(world.folder.path(), {}); }) ==
        "no_settings_file: the configuration file cannot be read: it is not a plain file | Name a "
        "file with -c, or make one with `drover init`.");
}
