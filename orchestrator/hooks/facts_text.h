/// The facts of an event as a program gets them: variables of its environment, and one JSON object.
///
/// Both say the same, and nothing that is secret: no password, no address of a connection. New
/// variables and keys may come, none changes its meaning.
///
/// Variables, each DROVER_ and: EVENT, RUN, ENVIRONMENT, VERB, RESUMED (0 or 1), STAGE (empty: of
/// none). Of a tenant: TENANT, SERVER, DATABASE and SCHEMA, or SERVER (the folder) and FILE (its
/// path) of an SQLite file, ATTEMPT, and LABEL_TIER for a label `tier` (only of names that match
/// [a-z_][a-z0-9_]*). Of a tenant's outcome: OUTCOME, REASON, MESSAGE, FROM and TO (heads, joined
/// by commas). Of a halt: REASON and MESSAGE. Of the run's end: EXIT_STATUS, COUNT_APPLIED and one
/// such for each other outcome, and those of a halt.
///
/// Thread safety: pure functions.

#pragma once

#include <map>
#include <string>

#include "orchestrator/hook_facts.h"

namespace drover::orchestrator::hooks {

std::map<std::string, std::string> variables_of(const HookFacts& facts);

/// One line: {"format":1,"event":"before_tenant","run":"...","tenant":{"id":"acme",...},...}. A key
/// that the event has nothing to say for is missing.
std::string json_of(const HookFacts& facts);

}  // namespace drover::orchestrator::hooks
