#include "orchestrator/hooks/facts_text.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace drover::orchestrator::hooks {
namespace {

using Json = nlohmann::ordered_json;
using Variables = std::map<std::string, std::string>;

constexpr std::string_view kLabelFact = "label.";

std::string upper_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return result;
}

std::size_t count_of(const HookFacts& facts, Outcome outcome) {
  const auto found = facts.counts.find(outcome);
  return found == facts.counts.end() ? 0 : found->second;
}

std::string joined(const std::vector<engine::RevisionId>& heads) {
  std::string text;
  for (const engine::RevisionId& head : heads) {
    text += (text.empty() ? "" : ",") + head.value;
  }
  return text;
}

/// Why the tenant, or the run, is where it is: a word, and a sentence for people.
struct Cause {
  std::string reason;
  std::string message;
};

Cause cause_of(const HookFacts& facts) {
  if (facts.outcome) {
    const std::optional<engine::TenantFault>& fault = facts.outcome->fault;
    Cause cause{facts.outcome->reason, fault ? fault->message : ""};
    if (cause.reason.empty() && fault) {
      cause.reason = fault->kind;
    }
    return cause;
  }
  return facts.halt ? Cause{facts.halt->kind, facts.halt->message} : Cause{};
}

bool has_cause(const HookFacts& facts) {
  return facts.outcome || facts.halt || facts.exit_status;
}

void add_tenant(const HookFacts& facts, Variables& variables) {
  const engine::Target& target = facts.tenant->target;
  variables["DROVER_TENANT"] = facts.tenant->id.value;
  variables["DROVER_SERVER"] = target.server;
  variables["DROVER_ATTEMPT"] = std::to_string(facts.attempt);
  if (target.dialect == engine::Dialect::sqlite) {
    variables["DROVER_FILE"] = target.connection;
  } else {
    variables["DROVER_DATABASE"] = target.database;
    variables["DROVER_SCHEMA"] = target.schema;
  }
  for (const auto& [name, value] : facts_of(*facts.tenant)) {
    if (name.starts_with(kLabelFact)) {
      variables["DROVER_LABEL_" + upper_case(name.substr(kLabelFact.size()))] = value;
    }
  }
}

Json heads_value(const std::vector<engine::RevisionId>& heads) {
  Json list = Json::array();
  for (const engine::RevisionId& head : heads) {
    list.push_back(head.value);
  }
  return list;
}

Json tenant_value(const HookFacts& facts) {
  const engine::Target& target = facts.tenant->target;
  Json value{{"id", facts.tenant->id.value}, {"server", target.server}};
  if (target.dialect == engine::Dialect::sqlite) {
    value["file"] = target.connection;
  } else {
    value["database"] = target.database;
    value["schema"] = target.schema;
  }
  value["labels"] = Json::object();
  for (const auto& [name, label] : facts.tenant->labels) {
    value["labels"][name] = label;
  }
  return value;
}

void add_end(const HookFacts& facts, Json& value) {
  value["exit_status"] = *facts.exit_status;
  value["summary"] = Json::object();
  for (const Outcome outcome : kEveryOutcome) {
    value["summary"][std::string(name_of(outcome))] = count_of(facts, outcome);
  }
}

}  // namespace

Variables variables_of(const HookFacts& facts) {
  Variables variables{{"DROVER_EVENT", std::string(name_of(facts.event))},
                      {"DROVER_RUN", facts.run},
                      {"DROVER_ENVIRONMENT", facts.environment},
                      {"DROVER_VERB", facts.verb},
                      {"DROVER_RESUMED", facts.resumed ? "1" : "0"},
                      {"DROVER_STAGE", facts.stage}};
  if (facts.tenant != nullptr) {
    add_tenant(facts, variables);
  }
  if (facts.outcome) {
    variables["DROVER_OUTCOME"] = std::string(name_of(facts.outcome->outcome));
    variables["DROVER_FROM"] = joined(facts.outcome->from);
    variables["DROVER_TO"] = joined(facts.outcome->to);
  }
  if (has_cause(facts)) {
    Cause cause = cause_of(facts);
    variables["DROVER_REASON"] = std::move(cause.reason);
    variables["DROVER_MESSAGE"] = std::move(cause.message);
  }
  if (facts.exit_status) {
    variables["DROVER_EXIT_STATUS"] = std::to_string(*facts.exit_status);
    for (const Outcome outcome : kEveryOutcome) {
      variables["DROVER_COUNT_" + upper_case(name_of(outcome))] =
          std::to_string(count_of(facts, outcome));
    }
  }
  for (auto& [name, value] : variables) {
    std::erase(value, '\0');  // which would end it
  }
  return variables;
}

std::string json_of(const HookFacts& facts) {
  Json value{{"format", 1},
             {"event", std::string(name_of(facts.event))},
             {"run", facts.run},
             {"environment", facts.environment},
             {"verb", facts.verb},
             {"resumed", facts.resumed}};
  if (!facts.stage.empty()) {
    value["stage"] = facts.stage;
  }
  if (facts.tenant != nullptr) {
    value["tenant"] = tenant_value(facts);
    value["attempt"] = facts.attempt;
  }
  if (facts.outcome) {
    value["outcome"] = std::string(name_of(facts.outcome->outcome));
    value["from"] = heads_value(facts.outcome->from);
    value["to"] = heads_value(facts.outcome->to);
  }
  if (const Cause cause = cause_of(facts); !cause.reason.empty()) {
    value["reason"] = cause.reason;
    value["message"] = cause.message;
  }
  if (facts.exit_status) {
    add_end(facts, value);
  }
  // Names of databases and words of servers may be in any encoding.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace drover::orchestrator::hooks
