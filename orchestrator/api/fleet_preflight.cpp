#include "orchestrator/api/fleet_preflight.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

#include <fmt/format.h>

#include "engine/fault.h"
#include "engine/readiness.h"
#include "engine/tenant_lock.h"
#include "orchestrator/api/errands.h"
#include "orchestrator/report/text.h"

namespace drover::orchestrator {
namespace {

namespace fs = std::filesystem;

/// Of the 2^31 transactions after which PostgreSQL stops taking writes.
constexpr std::int64_t kHalfOfTheIds = std::int64_t{1} << 30;

constexpr std::size_t kSchemasPerMessage = 250;

std::string known(const std::string& text, std::string_view otherwise) {
  return text.empty() ? std::string(otherwise) : text;
}

std::string holder_text(const engine::Blocker& holder) {
  return fmt::format("its lock is held by process {} ({} of role {}, {}) for {}",
                     holder.pid,
                     known(holder.application, "an application without a name"),
                     known(holder.user, "that we may not see"),
                     known(holder.state, "state not known"),
                     known(holder.age, "we may not see how long"));
}

engine::TenantFault refused(std::string kind, std::string message, std::string hint) {
  return engine::found(
      ErrorCode::unreachable, std::move(kind), std::move(message), std::move(hint));
}

class Preflight {
 public:
  Preflight(const PreflightRequest& request,
            const std::vector<Tenant>& tenants,
            const std::vector<bool>& is_to_change,
            std::vector<TenantStanding>& standings,
            const engine::Patience& patience)
      : request_(request),
        tenants_(tenants),
        is_to_change_(is_to_change),
        standings_(standings),
        patience_(patience) {
    for (const Tenant& tenant : tenants) {
      ++tenants_in_[tenant.target.connection];
    }
  }

  PreflightResult look() {
    const auto is_meant = [this](std::size_t i) {
      return !standings_[i].fault && (is_to_change_[i] || request_.sizes);
    };
    carry_out(errands_by_database(tenants_, kSchemasPerMessage, is_meant),
              request_.limits,
              [this](const Errand& errand) { visit(errand); });
    judge_servers();
    return {in_order(), std::move(versions_)};
  }

 private:
  void visit(const Errand& errand) {
    const engine::Target& target = tenants_[errand.tenants.front()].target;
    if (target.dialect == engine::Dialect::sqlite) {
      look_at_file(errand.tenants.front());
      return;
    }
    engine::OpenOptions open;
    open.lock_timeout = request_.approach.lock_timeout;
    open.statement_timeout = request_.approach.statement_timeout;
    engine::Patience connecting = patience_;
    connecting.deadline =
        std::min(connecting.deadline, request_.clock.now() + request_.approach.connect_timeout);
    engine::OpenResult opened = request_.sessions.open(target, open, connecting);
    if (!opened.session) {
      for (const std::size_t tenant : errand.tenants) {
        standings_[tenant].fault = engine::fault_from(*opened.error, "connecting");
        standings_[tenant].fault->code = ErrorCode::unreachable;
      }
      return;
    }
    ask_database(*opened.session, errand);
    ask_server(*opened.session, errand.server);
  }

  void ask_database(engine::Session& session, const Errand& errand) {
    std::vector<engine::ReadinessQuestion> questions;
    for (const std::size_t tenant : errand.tenants) {
      const engine::Target& target = tenants_[tenant].target;
      const std::string& own = request_.approach.history_schema;
      const std::string& history = own.empty() ? target.schema : own;
      questions.push_back(
          {target.schema, history, engine::tenant_lock_key(target.database, target.schema)});
    }
    const engine::Exchange answer = ask(session, engine::readiness_message(questions));
    if (!answer.ok()) {
      for (const std::size_t tenant : errand.tenants) {
        standings_[tenant].fault = engine::fault_from(*answer.error, "looking at rights and locks");
      }
      return;
    }
    const engine::DatabaseReadiness database =
        engine::decode_readiness(answer, errand.tenants.size());
    for (std::size_t i = 0; i < errand.tenants.size(); ++i) {
      judge(errand.tenants[i], database, database.schemas[i]);
    }
    if (database.oldest_xid > kHalfOfTheIds) {
      const engine::Target& target = tenants_[errand.tenants.front()].target;
      add({"old_transactions",
           errand.server,
           fmt::format("database '{}' on {} has {} million transactions since it was last frozen, "
                       "of the 2,147 after which it stops; let VACUUM catch up first",
                       target.database,
                       errand.server,
                       database.oldest_xid / 1'000'000)});
    }
  }

  void judge(std::size_t tenant,
             const engine::DatabaseReadiness& database,
             const engine::SchemaReadiness& schema) {
    TenantStanding& standing = standings_[tenant];
    const bool is_alone = tenants_in_.at(tenants_[tenant].target.connection) == 1;
    standing.bytes = static_cast<std::uint64_t>(is_alone ? database.bytes : schema.bytes);
    if (!is_to_change_[tenant]) {
      return;
    }
    if (database.standby || database.read_only) {
      standing.fault =
          refused(database.standby ? "standby" : "read_only",
                  fmt::format("{} {}",
                              standing.server,
                              database.standby ? "is a standby and takes no changes"
                                               : "lets this role and database only read"),
                  database.standby ? "Point the tenant at the primary."
                                   : "Take away default_transaction_read_only.");
      return;
    }
    if (!schema.missing_right.empty()) {
      standing.fault =
          refused("permission_denied",
                  fmt::format("role '{}' lacks {}", database.role, schema.missing_right),
                  "Grant the migrating role what it lacks.");
      return;
    }
    if (schema.lock_holder) {
      add({"lock_held",
           standing.id.value,
           fmt::format("tenant '{}' is being changed: {}",
                       standing.id.value,
                       holder_text(*schema.lock_holder))});
    }
    if (schema.foreign_count > 0) {
      add({"foreign_objects",
           standing.id.value,
           fmt::format("role '{}' does not own '{}'{} of tenant '{}', and may not be let change {}",
                       database.role,
                       schema.foreign_first,
                       schema.foreign_count == 1
                           ? ""
                           : fmt::format(" and {} others", schema.foreign_count - 1),
                       standing.id.value,
                       schema.foreign_count == 1 ? "it" : "them")});
    }
  }

  /// Once for each server, over whichever session is there first.
  void ask_server(engine::Session& session, const std::string& server) {
    {
      const std::lock_guard lock(findings_mutex_);
      if (!servers_.emplace(server, engine::ServerFacts{}).second) {
        return;
      }
      versions_[server] = session.info().server_version;
    }
    engine::ServerAnswer answer = engine::read_server_facts(session, patience_);
    const std::lock_guard lock(findings_mutex_);
    if (answer.error) {
      servers_.erase(server);
    } else {
      servers_[server] = std::move(answer.facts);
    }
  }

  engine::Exchange ask(engine::Session& session,
                       const std::vector<engine::OwnedStatement>& message) {
    std::vector<engine::Statement> statements;
    statements.reserve(message.size());
    for (const engine::OwnedStatement& statement : message) {
      statements.push_back(statement.view());
    }
    return session.exchange(statements, patience_);
  }

  void look_at_file(std::size_t tenant) {
    const fs::path file = tenants_[tenant].target.connection;
    TenantStanding& standing = standings_[tenant];
    std::error_code failed;
    const std::uintmax_t bytes = fs::file_size(file, failed);
    if (failed) {
      return;  // it is to be made, or status has said what is wrong with it
    }
    standing.bytes = bytes;
    const fs::path folder = file.parent_path();
    const bool file_closed = access(file.c_str(), W_OK) != 0;
    if (is_to_change_[tenant] && (file_closed || access(folder.c_str(), W_OK) != 0)) {
      standing.fault = refused(
          "permission_denied",
          fmt::format("{} '{}' may not be written",
                      file_closed ? "file" : "folder",
                      file_closed ? file.filename().generic_string() : folder.generic_string()),
          "Give the migrating user write access.");
    }
  }

  void judge_servers() {
    std::map<std::string, std::vector<std::uint64_t>> sizes;  // of tenants to be changed
    for (std::size_t i = 0; i < tenants_.size(); ++i) {
      if (is_to_change_[i] && !standings_[i].fault) {
        sizes[standings_[i].server].push_back(standings_[i].bytes.value_or(0));
      }
    }
    for (auto& [server, of_tenants] : sizes) {
      const std::size_t at_once =
          std::min({request_.limits.per_server, request_.limits.in_flight, of_tenants.size()});
      const auto facts = servers_.find(server);
      if (facts != servers_.end()) {
        judge_connections(server, facts->second, at_once);
      }
      const bool is_postgres = facts != servers_.end();
      judge_disk(server,
                 is_postgres ? directory_of(facts->second) : fs::path(server),
                 of_tenants,
                 at_once);
    }
  }

  void judge_connections(const std::string& server,
                         const engine::ServerFacts& facts,
                         std::size_t at_once) {
    if (facts.connections_free() < static_cast<std::int64_t>(at_once)) {
      add({"few_connections",
           server,
           fmt::format("{} has room for {} more connections, and up to {} tenants are changed "
                       "there at once",
                       server,
                       std::max<std::int64_t>(facts.connections_free(), 0),
                       at_once)});
    }
  }

  /// Empty: its files are not ours to see.
  static fs::path directory_of(const engine::ServerFacts& facts) {
    return facts.local ? fs::path(facts.data_directory) : fs::path();
  }

  /// A change may write each tenant anew, so those that are changed at once may need as much again.
  void judge_disk(const std::string& server,
                  const fs::path& directory,
                  std::vector<std::uint64_t>& sizes,
                  std::size_t at_once) {
    std::error_code failed;
    const fs::space_info space = fs::space(directory, failed);
    if (failed) {
      return;
    }
    std::partial_sort(sizes.begin(),
                      sizes.begin() + static_cast<std::ptrdiff_t>(at_once),
                      sizes.end(),
                      std::greater<>());
    std::uint64_t needed = 0;
    for (std::size_t i = 0; i < at_once; ++i) {
      needed += sizes[i];
    }
    if (space.available < needed) {
      add({"little_disk",
           server,
           fmt::format("{} has {} free, and the {} largest tenants that may be changed there at "
                       "once hold {}",
                       server,
                       report::bytes_text(space.available),
                       at_once,
                       report::bytes_text(needed))});
    }
  }

  void add(PlanFinding finding) {
    const std::lock_guard lock(findings_mutex_);
    findings_.push_back(std::move(finding));
  }

  std::vector<PlanFinding> in_order() {
    std::sort(findings_.begin(), findings_.end(), [](const PlanFinding& a, const PlanFinding& b) {
      return std::tie(a.kind, a.about, a.text) < std::tie(b.kind, b.about, b.text);
    });
    return std::move(findings_);
  }

  const PreflightRequest& request_;
  const std::vector<Tenant>& tenants_;
  const std::vector<bool>& is_to_change_;
  std::vector<TenantStanding>& standings_;  ///< Each written by the one thread that has its errand.
  const engine::Patience& patience_;
  std::map<std::string, std::size_t> tenants_in_;  ///< Each database.
  std::mutex findings_mutex_;  ///< Guards what follows while errands are carried out.
  std::vector<PlanFinding> findings_;
  std::map<std::string, engine::ServerFacts> servers_;
  std::map<std::string, int> versions_;
};

}  // namespace

PreflightResult preflight(const PreflightRequest& request,
                          const std::vector<Tenant>& tenants,
                          const std::vector<bool>& is_to_change,
                          std::vector<TenantStanding>& standings,
                          const engine::Patience& patience) {
  return Preflight(request, tenants, is_to_change, standings, patience).look();
}

}  // namespace drover::orchestrator
