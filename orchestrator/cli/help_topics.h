/// The topics that `drover help` knows beside the verbs.
///
/// Thread safety: constant tables.

#pragma once

#include <span>
#include <string_view>

namespace drover::orchestrator::cli {

struct HelpTopic {
  std::string_view name;  ///< "exit-codes"
  std::string_view text;
};

std::span<const HelpTopic> help_topics();

}  // namespace drover::orchestrator::cli
