/// The program as a process of its own that a test may kill.

#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/program_run.h"

namespace drover::test {

/// The program as a child, in `dir`, silent or with all that it says in the file `output` there.
class ProgramChild {
 public:
  ProgramChild(const ProgramDir& dir,
               const std::vector<std::string>& words,
               const std::string& output = "/dev/null") {
    std::vector<std::string> arguments{DROVER_PROGRAM};
    arguments.insert(arguments.end(), words.begin(), words.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    const std::string directory = dir.files().path().string();
    pid_ = fork();
    if (pid_ == 0) {
      const bool inside = chdir(directory.c_str()) == 0;
      const int silence = open("/dev/null", O_RDONLY);
      const int told = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      const bool there = inside && silence >= 0 && told >= 0 && dup2(silence, 0) >= 0 &&
                         dup2(told, 1) >= 0 && dup2(told, 2) >= 0;
      if (there) {
        execv(argv[0], argv.data());
      }
      _exit(127);
    }
    REQUIRE(pid_ > 0);
  }
  ProgramChild(const ProgramChild&) = delete;
  ProgramChild& operator=(const ProgramChild&) = delete;
  ~ProgramChild() {
    if (pid_ > 0) {
      send(SIGKILL);
      wait();
    }
  }

  void send(int signal) const { kill(pid_, signal); }

  /// Its exit status, or 128 and the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
};

}  // namespace drover::test
