#include "tests/orchestrator/backup/restore_bench.h"

#include <span>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/history.h"
#include "engine/postgres/conninfo.h"

namespace drover::orchestrator::backup {
namespace {

using engine::quoted_identifier;

/// Runs `statements` at `target`; the last one's first value.
std::string run(engine::SessionFactory& sessions,
                const engine::Target& target,
                const std::vector<engine::OwnedStatement>& statements) {
  const engine::OpenResult opened = sessions.open(target, {}, {});
  if (!opened.session) {
    throw std::runtime_error(opened.error->message);
  }
  std::string last;
  for (const engine::OwnedStatement& statement : statements) {
    const engine::Statement view = statement.view();
    const engine::Exchange answer = opened.session->exchange(std::span(&view, 1), {});
    if (!answer.ok()) {
      throw std::runtime_error(answer.error->message);
    }
    last = answer.results.at(0).rows.empty() ? "" : answer.results[0].rows[0].at(0).value_or("");
  }
  return last;
}

}  // namespace

RestoreBench::RestoreBench(std::string database, std::string owner, test::PgCluster& where)
    : cluster(where),
      name(std::move(database)),
      role(std::move(owner)),
      means{sessions,
            clock,
            [](const engine::Target& target, std::string_view other) {
              return engine::postgres::with_database(target, other);
            },
            [this](std::string_view step) { steps.emplace_back(step); }} {
  means.lock_wait = engine::Milliseconds(300);
  cluster.create_database(name);
  if (!role.empty()) {
    cluster.execute("postgres",
                    fmt::format(R"(DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{0}') THEN
          CREATE ROLE {0} LOGIN CREATEDB;
        END IF; END $$)",
                                role));
    cluster.execute("postgres",
                    fmt::format("ALTER DATABASE {} OWNER TO {}", quoted_identifier(name), role));
    cluster.execute(name, fmt::format("ALTER SCHEMA public OWNER TO {}", role));
  }
  tenant.id = {name};
  tenant.target = target(name);
  uid = begin_history();
  run(sessions,
      tenant.target,
      {{"CREATE TABLE public.files (id bigint PRIMARY KEY, name text)"},
       {"INSERT INTO public.files SELECT i, 'file ' || i FROM generate_series(1, 100) i"},
       {"CREATE TABLE public.empty (id bigint)"}});
}

RestoreBench::~RestoreBench() {
  for (const auto& row : cluster.execute(
           "postgres",
           fmt::format("SELECT datname FROM pg_database WHERE datname LIKE '{}%'", name))) {
    cluster.execute(
        "postgres",
        fmt::format("ALTER DATABASE {} IS_TEMPLATE false", quoted_identifier(*row.at(0))));
    cluster.execute("postgres",
                    fmt::format("DROP DATABASE {} WITH (FORCE)", quoted_identifier(*row.at(0))));
  }
}

std::string RestoreBench::begin_history() {
  const engine::HistoryTables tables(engine::Dialect::postgres, tenant.target.schema);
  const std::string made = run(sessions, tenant.target, tables.create("prod", true));
  engine::Migration migration;
  migration.id = {"0001"};
  migration.checksums[engine::Dialect::postgres] = {};
  run(sessions, tenant.target, tables.record_up(migration, {"ann@host", ""}, 0, {}));
  return made;
}

engine::Target RestoreBench::target(std::string_view database) const {
  engine::Target made = cluster.target(database);
  if (!role.empty()) {
    const std::size_t at = made.connection.find("user=postgres");
    if (at == std::string::npos) {
      throw std::runtime_error("no user in: " + made.connection);
    }
    made.connection.replace(at, std::string("user=postgres").size(), "user=" + role);
  }
  return made;
}

std::vector<test::PgCluster::Row> RestoreBench::execute(std::string_view sql) const {
  return cluster.execute(name, sql);
}

std::string RestoreBench::value(std::string_view sql) const {
  return cluster.value(name, sql);
}

bool RestoreBench::exists(std::string_view database) const {
  return cluster.value(
             "postgres",
             fmt::format("SELECT count(*) FROM pg_database WHERE datname = '{}'", database)) == "1";
}

bool RestoreBench::is_open(std::string_view database) const {
  return cluster.value("postgres",
                       fmt::format("SELECT datallowconn FROM pg_database WHERE datname = '{}'",
                                   database)) == "t";
}

Backup RestoreBench::save(const std::string& mark) {
  const BackupSubject subject{tenant, Extent::whole, uid, {{"0001"}}, 1, "prod", ""};
  const auto made = make_template_copy(subject, mark, means, {});
  if (const auto* fault = std::get_if<engine::TenantFault>(&made)) {
    throw std::runtime_error(words_of(*fault));
  }
  const auto& copy = std::get<TemplateCopy>(made);
  Backup backup;
  backup.id = {"20261122T221403-" + mark};
  backup.tenant = tenant.id;
  backup.uid = uid;
  backup.environment = "prod";
  backup.server = tenant.target.server;
  backup.database = name;
  backup.provider = BackupOptions::Provider::template_copy;
  backup.handle = copy.database;
  backup.server_version = copy.server_version;
  backup.heads = {{"0001"}};
  backup.rows_as = "record";
  backup.tables = copy.tables;
  steps.clear();
  return backup;
}

RestoreRequest RestoreBench::request(const Backup& backup, BackupSource& source, std::string mark) {
  return {tenant, backup, source, std::move(mark), uid, "prod"};
}

RestoreMeans RestoreBench::killed_at(int number) {
  RestoreMeans killed = means;
  killed.on_step = [left = number](std::string_view /*step*/) mutable {
    if (left-- == 0) {
      throw Killed();
    }
  };
  return killed;
}

std::string words_of(const std::optional<engine::TenantFault>& fault) {
  return fault ? fmt::format("{}: {}. {}", fault->kind, fault->message, fault->hint) : "";
}

}  // namespace drover::orchestrator::backup
