#include "engine/batch_survey.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "engine/sql_value.h"
#include "engine/tenant_session.h"

namespace drover::engine {

BatchSurvey::BatchSurvey(Dialect dialect,
                         const Migration& migration,
                         const Section& section,
                         Ask ask)
    : dialect_(dialect), migration_(migration), section_(section), ask_(std::move(ask)) {}

TenantFault BatchSurvey::fault_of(std::string kind,
                                  const std::string& message,
                                  std::string hint) const {
  TenantFault fault =
      found(migration_.id, ErrorCode::incomplete, std::move(kind), message, std::move(hint));
  fault.place = migration_.place_of(section_.statements.front(), 0);
  return fault;
}

BatchSurvey::MaybeFault BatchSurvey::find_path(const std::function<int()>& server_version,
                                               FoundPath& found) {
  const BatchOptions& options = section_.batch;
  std::vector<ResultSet> answers;
  if (auto fault = ask_(path_questions(dialect_, options), "looking at its table", answers)) {
    return fault;
  }
  auto result = found_path(dialect_, options, answers, server_version());
  if (auto* const fault = std::get_if<TenantFault>(&result)) {
    fault->revision = migration_.id.value;
    fault->place = migration_.place_of(section_.statements.front(), 0);
    return std::move(*fault);
  }
  found = std::get<FoundPath>(std::move(result));
  if (dialect_ == Dialect::postgres && !options.assigns.empty()) {
    if (auto fault = ask_({value_types_question(options)}, "looking at its columns", answers)) {
      return fault;
    }
    std::transform(answers[0].rows.begin(),
                   answers[0].rows.end(),
                   std::back_inserter(found.path.value_types),
                   [](const auto& row) { return text_of(row.front()); });
  }
  if (found.look_for_null.empty()) {
    return std::nullopt;
  }
  if (auto fault = ask_({{found.look_for_null + " LIMIT 1"}}, "looking at its keys", answers)) {
    return fault;
  }
  return answers[0].rows.empty()
             ? std::nullopt
             : std::optional(fault_of("batch_key_nullable",
                                      fmt::format("table {} has rows without a key, which a batch "
                                                  "would never meet",
                                                  found.path.table),
                                      "Give them one, or go by another key."));
}

/// Where the table is so small that reading it whole is best, indexes are asked for.
BatchSurvey::MaybeFault BatchSurvey::look_at_plan(const BatchScript& script,
                                                  const std::string& part) {
  const bool postgres = dialect_ == Dialect::postgres;
  std::vector<ResultSet> answers;
  if (auto fault = ask_({script.last(part)}, "looking for its last row", answers)) {
    return fault;
  }
  const std::optional<BatchKey> last = script.key_in(answers[0]);
  if (!last) {
    return std::nullopt;  // nothing is there
  }
  std::vector<OwnedStatement> message;
  if (postgres) {
    message = {{"BEGIN"}, {"SET LOCAL enable_seqscan = off"}};
  }
  message.push_back(script.explain(script.work(part, *last, *last)));
  message.push_back(postgres ? OwnedStatement{"ROLLBACK"} : OwnedStatement{"SELECT 1"});
  if (auto fault = ask_(message, "asking for the plan of its statement", answers)) {
    fault->place = migration_.place_of(section_.statements.front(), 0);
    return fault;
  }
  const std::string line = script.whole_table_read(answers[postgres ? 2 : 0], part);
  if (line.empty()) {
    return std::nullopt;
  }
  return fault_of("batch_reads_all",
                  fmt::format("each transaction of the batch would read the whole table: {}", line),
                  "Write the statement so that {range} stands alone among its conditions, joined "
                  "by AND.");
}

}  // namespace drover::engine
