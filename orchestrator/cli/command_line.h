/// Turns the words of a command line into a verb, its arguments and the global options.
///
/// Strict (see word_reader.h), and an unknown word is refused with the nearest known one. Global
/// options may stand before the verb. Nothing is connected to and nothing changes before all of it
/// is understood.
///
/// Thread safety: free functions without state.
/// Errors: Error usage, kinds unknown_verb, invalid_arguments.

#pragma once

#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "orchestrator/cli/globals.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

struct CommandLine {
  const VerbSpec* verb = nullptr;
  Globals globals;
  Arguments arguments;
};

/// The text that --help or a help topic asks for.
struct HelpText {
  std::string text;
};

std::variant<CommandLine, HelpText> parse_command_line(
    const std::vector<std::string>& words,
    std::span<const VerbSpec> verbs,
    const std::map<std::string, std::string>& variables,
    const std::string& working_directory);

}  // namespace drover::orchestrator::cli
