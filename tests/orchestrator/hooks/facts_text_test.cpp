#include "orchestrator/hooks/facts_text.h"

#include <map>
#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace drover::orchestrator;
using drover::ErrorCode;
using drover::engine::Dialect;
using drover::engine::RevisionId;
using drover::engine::Secret;
using drover::orchestrator::hooks::json_of;
using drover::orchestrator::hooks::variables_of;
using nlohmann::json;

namespace {

using Variables = std::map<std::string, std::string>;

Tenant acme() {
  Tenant tenant;
  tenant.id = {"acme"};
  tenant.target.dialect = Dialect::postgres;
  tenant.target.connection = "host=db1 port=5432 user=robot dbname=shop";
  tenant.target.password = Secret("hush");
  tenant.target.server = "db1:5432";
  tenant.target.database = "shop";
  tenant.target.schema = "t_acme";
  tenant.labels = {{"tier", "free"}, {"Bad Name", "x"}};
  return tenant;
}

HookFacts facts_for(HookEvent event) {
  HookFacts facts;
  facts.event = event;
  facts.run = "20261122T133512-4f2a9c";
  facts.environment = "production";
  facts.verb = "upgrade";
  facts.stage = "canary";
  return facts;
}

/// After a failure.
HookFacts after(const Tenant& tenant) {
  HookFacts facts = facts_for(HookEvent::after_tenant);
  facts.tenant = &tenant;
  facts.attempt = 2;
  facts.outcome.emplace();
  facts.outcome->outcome = Outcome::failed;
  facts.outcome->from = {RevisionId{"0001"}, RevisionId{"0002"}};
  facts.outcome->to = {RevisionId{"0001"}, RevisionId{"0002"}};
  facts.outcome->fault.emplace();
  facts.outcome->fault->kind = "lock_timeout";
  facts.outcome->fault->message = "revision '0003' waited in vain";
  return facts;
}

}  // namespace

TEST_CASE("a program is told of a tenant by variables, and no secret is among them") {
  const Tenant tenant = acme();
  CHECK(variables_of(after(tenant)) ==
        Variables{{"DROVER_EVENT", "after_tenant"},
                  {"DROVER_RUN", "20261122T133512-4f2a9c"},
                  {"DROVER_ENVIRONMENT", "production"},
                  {"DROVER_VERB", "upgrade"},
                  {"DROVER_RESUMED", "0"},
                  {"DROVER_STAGE", "canary"},
                  {"DROVER_TENANT", "acme"},
                  {"DROVER_SERVER", "db1:5432"},
                  {"DROVER_DATABASE", "shop"},
                  {"DROVER_SCHEMA", "t_acme"},
                  {"DROVER_ATTEMPT", "2"},
                  {"DROVER_LABEL_TIER", "free"},
                  {"DROVER_OUTCOME", "failed"},
                  {"DROVER_REASON", "lock_timeout"},
                  {"DROVER_MESSAGE", "revision '0003' waited in vain"},
                  {"DROVER_FROM", "0001,0002"},
                  {"DROVER_TO", "0001,0002"}});
}

TEST_CASE("a program is told the same as one line of JSON") {
  const Tenant tenant = acme();
  CHECK(json_of(after(tenant)) ==
        R"({"format":1,"event":"after_tenant","run":"20261122T133512-4f2a9c",)"
        R"("environment":"production","verb":"upgrade","resumed":false,"stage":"canary",)"
        R"("tenant":{"id":"acme","server":"db1:5432","database":"shop","schema":"t_acme",)"
        R"("labels":{"Bad Name":"x","tier":"free"}},"attempt":2,"outcome":"failed",)"
        R"("from":["0001","0002"],"to":["0001","0002"],"reason":"lock_timeout",)"
        R"("message":"revision '0003' waited in vain"})"
        "\n");
}

TEST_CASE("an SQLite tenant has a file in the place of database and schema") {
  Tenant tenant;
  tenant.id = {"a"};
  tenant.target.connection = "/srv/fleet/a.db";
  tenant.target.server = "/srv/fleet";
  HookFacts facts = facts_for(HookEvent::before_tenant);
  facts.tenant = &tenant;
  facts.attempt = 1;
  const Variables variables = variables_of(facts);
  CHECK(variables.at("DROVER_FILE") == "/srv/fleet/a.db");
  CHECK_FALSE(variables.contains("DROVER_DATABASE"));
  CHECK_FALSE(variables.contains("DROVER_OUTCOME"));
  CHECK(json::parse(json_of(facts))["tenant"]["file"] == "/srv/fleet/a.db");
}

TEST_CASE("the end of a run is told with its status, every count and why it halted") {
  HookFacts facts = facts_for(HookEvent::run_end);
  facts.stage.clear();
  facts.resumed = true;
  facts.exit_status = 4;
  facts.counts = {{Outcome::applied, 7}, {Outcome::not_started, 2}};
  facts.halt = Halt{ErrorCode::halted, "hook_failed", "it said no", "Mend it."};
  const Variables variables = variables_of(facts);
  CHECK(variables.at("DROVER_EXIT_STATUS") == "4");
  CHECK(variables.at("DROVER_RESUMED") == "1");
  CHECK(variables.at("DROVER_STAGE").empty());
  CHECK(variables.at("DROVER_COUNT_APPLIED") == "7");
  CHECK(variables.at("DROVER_COUNT_NOT_STARTED") == "2");
  CHECK(variables.at("DROVER_COUNT_FAILED") == "0");
  CHECK(variables.at("DROVER_REASON") == "hook_failed");
  const json told = json::parse(json_of(facts));
  CHECK(told["exit_status"] == 4);
  CHECK(told["summary"]["applied"] == 7);
  CHECK(told["summary"]["vanished"] == 0);
  CHECK(told["message"] == "it said no");
  CHECK_FALSE(told.contains("stage"));
}

TEST_CASE("names that are no text stay what they are in variables and become one in JSON") {
  Tenant tenant = acme();
  tenant.target.database = "caf\xE9";
  tenant.labels = {{"note", std::string("a\0b", 3)}};
  HookFacts facts = facts_for(HookEvent::before_tenant);
  facts.tenant = &tenant;
  CHECK(variables_of(facts).at("DROVER_DATABASE") == "caf\xE9");
  CHECK(variables_of(facts).at("DROVER_LABEL_NOTE") == "ab");
  CHECK(json::parse(json_of(facts))["tenant"]["database"] == "caf\xEF\xBF\xBD");
}

TEST_CASE("every variable that a program is given is known to Drover when that calls it") {
  const Tenant tenant = acme();
  Tenant file = acme();
  file.target.dialect = Dialect::sqlite;
  HookFacts of_file = facts_for(HookEvent::before_tenant);
  of_file.tenant = &file;
  HookFacts end = facts_for(HookEvent::run_end);
  end.exit_status = 0;
  for (const HookFacts& facts : {after(tenant), of_file, end}) {
    for (const auto& [name, value] : variables_of(facts)) {
      CAPTURE(name);
      CHECK(is_given_variable(name));
    }
  }
  CHECK_FALSE(is_given_variable("DROVER_STORE"));
}
