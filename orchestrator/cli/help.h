/// What --help prints, made from the table of verbs, and the topics that `drover help` knows.
///
/// Thread safety: free functions without state.
/// Errors: Error usage: unknown_verb for a topic that there is not.

#pragma once

#include <span>
#include <string>
#include <vector>

#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

std::string help_for_all(std::span<const VerbSpec> verbs);
std::string help_for(const VerbSpec& verb);

/// `words` are what followed `drover help`: a verb, or a topic (help_topics.h).
std::string help_topic(const std::vector<std::string>& words, std::span<const VerbSpec> verbs);

}  // namespace drover::orchestrator::cli
