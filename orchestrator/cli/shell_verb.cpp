// shell: psql or sqlite3 on one tenant. The password travels in a passfile of our own, never in
// argv or in the environment of anything but that one child.

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/base/pass_file.h"
#include "engine/dialect.h"
#include "engine/error.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/fleet_choice.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/workspace_of.h"

namespace drover::orchestrator::cli {
namespace {

struct Command {
  std::vector<std::string> argv;
  std::vector<std::string> variables;  ///< NAME=VALUE, added to ours.
};

Command psql(const engine::Target& target, const std::string& passfile) {
  Command command{{"psql", target.connection}, {}};
  std::string escaped = "-c search_path=";  // blanks and backslashes are escaped in PGOPTIONS
  for (const char c : engine::quoted_identifier(target.schema)) {
    escaped += c == ' ' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  command.variables.push_back("PGOPTIONS=" + escaped);
  if (!passfile.empty()) {
    command.variables.push_back("PGPASSFILE=" + passfile);
  }
  return command;
}

/// sqlite3 knows no "--"; an absolute path is never taken for an option or a URI.
Command sqlite(const engine::Target& target) {
  return {{"sqlite3", std::filesystem::absolute(target.connection).string()}, {}};
}

/// Ctrl-C belongs to the client, where it cancels a query; we must outlive it, for the passfile.
class InterruptsIgnored {
 public:
  InterruptsIgnored() {
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGINT, &ignore, &interrupt_);
    sigaction(SIGQUIT, &ignore, &quit_);
  }
  InterruptsIgnored(const InterruptsIgnored&) = delete;
  InterruptsIgnored& operator=(const InterruptsIgnored&) = delete;
  ~InterruptsIgnored() { restore(); }

  void restore() const {
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGQUIT, &quit_, nullptr);
  }

 private:
  struct sigaction interrupt_ {};
  struct sigaction quit_ {};
};

/// Runs it in the foreground, on our terminal, and waits.
int run_child(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command.argv) {
    argv.push_back(const_cast<char*>(word.c_str()));  // exec promises not to write
  }
  argv.push_back(nullptr);
  const InterruptsIgnored interrupts;
  const pid_t child = fork();
  if (child == 0) {
    interrupts.restore();
    for (const std::string& variable : command.variables) {
      putenv(const_cast<char*>(variable.c_str()));  // lives until exec
    }
    execvp(argv[0], argv.data());
    _exit(errno == ENOENT ? 127 : 126);
  }
  int status = 0;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (child < 0 || code == 127) {
    throw Error(ErrorCode::usage,
                "no_client",
                fmt::format("{} could not be started", command.argv.front()),
                "Install it, and look at PATH.");
  }
  return code;
}

int run_shell(Invocation& invocation) {
  Workspace workspace = workspace_of(invocation.globals);
  const Tenant tenant = only_tenant(workspace, invocation);
  const engine::Target& target = tenant.target;
  const std::vector<std::string> rest = invocation.arguments.values("arguments");
  const bool postgres = target.dialect == engine::Dialect::postgres;
  std::optional<engine::base::PassFile> passfile;
  if (postgres && !target.password.empty()) {
    passfile.emplace(target.password.reveal());
  }
  Command command = postgres ? psql(target, passfile ? passfile->path() : "") : sqlite(target);
  command.argv.insert(command.argv.end(), rest.begin(), rest.end());
  invocation.console.say(fmt::format("{}: {} on {}{}",
                                     tenant.id.value,
                                     target.database,
                                     target.server,
                                     postgres ? ", schema " + target.schema : ""));
  return run_child(command);
}

}  // namespace

VerbSpec shell_verb() {
  using Takes = OptionSpec::Takes;
  return {"shell",
          "psql or sqlite3 on one tenant",
          "What follows -- goes to the client.\n\n"
          "  drover shell --tenant acme\n"
          "  drover shell --tenant acme -- -c 'SELECT count(*) FROM files'\n",
          {{"arguments", Takes::words, "ARGUMENT", "for psql or sqlite3"}},
          VerbSpec::Selectors::yes,
          run_shell};
}

}  // namespace drover::orchestrator::cli
