#include "orchestrator/api/batch_outlook.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <string>

#include <fmt/format.h>

#include "engine/batch_survey.h"
#include "engine/parse/sql_tokens.h"
#include "orchestrator/api/errands.h"

namespace drover::orchestrator {
namespace {

/// A batch on the way of a tenant, and whether something before it names its table.
struct BatchAhead {
  const engine::Migration* migration = nullptr;
  const engine::Section* section = nullptr;
  bool after_change = false;
};

/// Rows of one batch in all tenants.
struct Volume {
  std::string table;
  std::size_t tenants = 0;
  std::uint64_t rows = 0;
  std::uint64_t most = 0;
  TenantId largest;
};

/// "app.\"Files\"" as files: enough to find it in a text.
std::string bare_name(const std::string& table) {
  std::string name = engine::parse::lower_case(table.substr(table.rfind('.') + 1));
  std::erase(name, '"');
  return name;
}

bool acts_on_postgres(const engine::Section& section) {
  return section.kind != engine::Section::Kind::down && section.is_for(engine::Dialect::postgres);
}

/// That something is not there yet, as it may come by a revision before the batch.
bool is_absence(const engine::TenantFault& fault) {
  return fault.kind == "batch_table_missing" || fault.sqlstate == "42703" ||
         fault.sqlstate == "42P01" || fault.sqlstate == "42883" || fault.sqlstate == "42704";
}

class BatchOutlook {
 public:
  BatchOutlook(const BatchOutlookRequest& request,
               const std::vector<Tenant>& tenants,
               std::vector<TenantStanding>& standings,
               const engine::Patience& patience)
      : request_(request), tenants_(tenants), standings_(standings), patience_(patience) {}

  std::vector<PlanFinding> look() {
    const auto is_meant = [this](std::size_t i) {
      return !standings_[i].fault && standings_[i].state != engine::TenantState::partial &&
             tenants_[i].target.dialect == engine::Dialect::postgres && has_batch(i);
    };
    carry_out(errands_by_database(tenants_, 1, is_meant),
              request_.limits,
              [this](const Errand& errand) { visit(errand.tenants.front()); });
    return in_order();
  }

 private:
  bool has_batch(std::size_t tenant) const {
    const auto& pending = standings_[tenant].pending;
    return std::any_of(pending.begin(), pending.end(), [this](const engine::RevisionId& id) {
      const auto& sections = request_.migrations.find(id)->sections;
      return std::any_of(sections.begin(), sections.end(), [](const engine::Section& section) {
        return section.kind == engine::Section::Kind::batch && acts_on_postgres(section);
      });
    });
  }

  std::vector<BatchAhead> batches_of(std::size_t tenant) const {
    std::vector<BatchAhead> batches;
    std::string before;
    for (const engine::RevisionId& id : standings_[tenant].pending) {
      const engine::Migration& migration = *request_.migrations.find(id);
      for (const engine::Section& section : migration.sections) {
        if (!acts_on_postgres(section)) {
          continue;
        }
        if (section.kind == engine::Section::Kind::batch) {
          const bool named = before.find(bare_name(section.batch.table)) != std::string::npos;
          batches.push_back({&migration, &section, named});
        }
        before += engine::parse::lower_case(section.text);
      }
    }
    return batches;
  }

  void visit(std::size_t tenant) {
    engine::OpenOptions open;
    open.lock_timeout = request_.approach.lock_timeout;
    open.statement_timeout = request_.approach.statement_timeout;
    engine::Patience connecting = patience_;
    connecting.deadline =
        std::min(connecting.deadline, request_.clock.now() + request_.approach.connect_timeout);
    engine::OpenResult opened = request_.sessions.open(tenants_[tenant].target, open, connecting);
    if (!opened.session) {
      standings_[tenant].fault = engine::fault_from(*opened.error, "connecting");
      standings_[tenant].fault->code = ErrorCode::unreachable;
      return;
    }
    for (const BatchAhead& batch : batches_of(tenant)) {
      judge(tenant, batch, survey(*opened.session, tenant, batch));
      if (!opened.session->alive()) {
        return;
      }
    }
  }

  std::optional<engine::TenantFault> survey(engine::Session& session,
                                            std::size_t tenant,
                                            const BatchAhead& batch) {
    const auto ask = [&](const std::vector<engine::OwnedStatement>& statements,
                         const std::string& doing,
                         std::vector<engine::ResultSet>& answers) {
      return send(session, *batch.migration, statements, doing, answers);
    };
    engine::BatchSurvey survey(engine::Dialect::postgres, *batch.migration, *batch.section, ask);
    engine::FoundPath found;
    if (auto fault = survey.find_path([&] { return session.info().server_version; }, found)) {
      return fault;
    }
    count(tenant, batch, found);
    const engine::BatchScript script(engine::Dialect::postgres, *batch.section, found.path);
    for (const std::string& part : found.parts) {
      if (auto fault = survey.look_at_plan(script, part)) {
        return fault;
      }
    }
    return std::nullopt;
  }

  std::optional<engine::TenantFault> send(engine::Session& session,
                                          const engine::Migration& migration,
                                          const std::vector<engine::OwnedStatement>& statements,
                                          const std::string& doing,
                                          std::vector<engine::ResultSet>& answers) {
    std::vector<engine::Statement> message;
    message.reserve(statements.size());
    for (const engine::OwnedStatement& statement : statements) {
      message.push_back(statement.view());
    }
    engine::Exchange answer = session.exchange(message, patience_);
    if (answer.ok()) {
      answers = std::move(answer.results);
      return std::nullopt;
    }
    engine::TenantFault fault = engine::fault_from(
        *answer.error, fmt::format("the batch of revision '{}', {}", migration.id.value, doing));
    if (session.alive() && session.in_transaction()) {
      const std::vector<engine::Statement> back{{"ROLLBACK"}};
      session.exchange(back, patience_);
    }
    return fault;
  }

  void judge(std::size_t tenant,
             const BatchAhead& batch,
             std::optional<engine::TenantFault> fault) {
    if (!fault || (batch.after_change && is_absence(*fault))) {
      return;
    }
    TenantStanding& standing = standings_[tenant];
    if (!batch.after_change && fault->fault_class == engine::FaultClass::permanent) {
      standing.fault = std::move(fault);
      return;
    }
    const std::lock_guard lock(seen_mutex_);
    findings_.push_back(
        {"batch_refused",
         standing.id.value,
         fmt::format("tenant '{}', batch of revision '{}': {}{}",
                     standing.id.value,
                     batch.migration->id.value,
                     fault->message,
                     batch.after_change ? "; unless what comes before it changes that" : "")});
  }

  void count(std::size_t tenant, const BatchAhead& batch, const engine::FoundPath& found) {
    const std::lock_guard lock(seen_mutex_);
    Volume& volume = volumes_[{batch.migration->id, batch.section->batch.table}];
    ++volume.tenants;
    volume.rows += found.estimated_rows;
    const TenantId& id = tenants_[tenant].id;
    if (volume.tenants == 1 || found.estimated_rows > volume.most ||
        (found.estimated_rows == volume.most && id < volume.largest)) {
      volume.most = found.estimated_rows;
      volume.largest = id;
    }
  }

  std::vector<PlanFinding> in_order() {
    for (const auto& [batch, volume] : volumes_) {
      const auto& [revision, table] = batch;
      std::string text =
          fmt::format("the batch of revision '{}' goes through about {} rows of '{}'",
                      revision.value,
                      volume.rows,
                      table);
      text += volume.tenants == 1 ? fmt::format(" in tenant '{}'", volume.largest.value)
                                  : fmt::format(" in {} tenants, the most in '{}': {}",
                                                volume.tenants,
                                                volume.largest.value,
                                                volume.most);
      findings_.push_back({"batches", revision.value, std::move(text)});
    }
    std::sort(findings_.begin(), findings_.end(), [](const PlanFinding& a, const PlanFinding& b) {
      return std::tie(a.kind, a.about, a.text) < std::tie(b.kind, b.about, b.text);
    });
    return std::move(findings_);
  }

  const BatchOutlookRequest& request_;
  const std::vector<Tenant>& tenants_;
  std::vector<TenantStanding>& standings_;  ///< Each written by the one thread that visits it.
  const engine::Patience& patience_;
  std::mutex seen_mutex_;  ///< Guards what follows.
  std::vector<PlanFinding> findings_;
  std::map<std::pair<engine::RevisionId, std::string>, Volume> volumes_;
};

}  // namespace

std::vector<PlanFinding> look_at_batches(const BatchOutlookRequest& request,
                                         const std::vector<Tenant>& tenants,
                                         std::vector<TenantStanding>& standings,
                                         const engine::Patience& patience) {
  return BatchOutlook(request, tenants, standings, patience).look();
}

}  // namespace drover::orchestrator
