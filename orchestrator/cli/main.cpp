// The executable `drover`: hands the process's words and environment to the program.

#include <clocale>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include "engine/sqlite/sqlite_process.h"
#include "orchestrator/cli/main_program.h"

int main(int argc, char** argv) {
  std::setlocale(LC_ALL, "C");  // numbers and case folding do not depend on where we run
  std::signal(SIGPIPE, SIG_IGN);
  drover::engine::sqlite::drop_memory_statistics();
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  std::error_code gone;
  const std::string here = std::filesystem::current_path(gone).string();
  return drover::orchestrator::cli::run_program({argv + 1, argv + argc}, variables, here);
}
