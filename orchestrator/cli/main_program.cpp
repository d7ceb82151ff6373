#include "orchestrator/cli/main_program.h"

#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/cli/command_line.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/version.h"
#include "orchestrator/journal.h"

namespace drover::orchestrator::cli {
namespace {

int tell(Console& console, const Error& error) {
  const std::string place = to_string(error.place());
  console.warn(fmt::format("{} {}{}",
                           console.toned(Tone::bad, "error:"),
                           place.empty() ? "" : place + ": ",
                           printable(error.what())));
  console.warn(fmt::format("hint:  {}", printable(error.hint())));
  return static_cast<int>(error.code());
}

int tell_bug(Console& console, const char* what) {
  console.warn(fmt::format(
      "bug:   {}\nhint:  Please report this, with the command and these lines: drover {}.",
      what,
      version_text()));
  return static_cast<int>(ErrorCode::internal);
}

}  // namespace

int run_program(const std::vector<std::string>& words,
                const std::map<std::string, std::string>& variables,
                const std::string& working_directory) {
  Globals plain;
  plain.variables = variables;
  Console errors(plain);
  try {
    const auto parsed = parse_command_line(words, all_verbs(), variables, working_directory);
    if (const HelpText* help = std::get_if<HelpText>(&parsed)) {
      errors.data(help->text);
      return 0;
    }
    const CommandLine& line = std::get<CommandLine>(parsed);
    Console console(line.globals);
    Invocation invocation{line.globals, line.arguments, console};
    const int status = line.verb->run(invocation);
    console.show_live("");
    return status;
  } catch (const Error& error) {
    return tell(errors, error);
  } catch (const std::exception& error) {
    return tell_bug(errors, error.what());
  }
}

}  // namespace drover::orchestrator::cli
