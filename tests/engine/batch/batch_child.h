/// A process of its own that upgrades a tenant (batch_target.cpp), to be killed or frozen.

#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/engine/batch/batch_rig.h"

namespace drover::engine::test {

class BatchChild {
 public:
  /// `directory` holds the migrations.
  BatchChild(const Target& target, const TempDir& directory)
      : arguments_{"batch_target",
                   std::string(name_of(target.dialect)),
                   target.connection,
                   target.schema,
                   directory.path().string()},
        pid_(fork()) {
    if (pid_ == 0) {
      std::vector<char*> argv;
      for (std::string& argument : arguments_) {
        argv.push_back(argument.data());
      }
      argv.push_back(nullptr);
      execv(BATCH_TARGET, argv.data());
      _exit(127);
    }
  }
  BatchChild(const BatchChild&) = delete;
  BatchChild& operator=(const BatchChild&) = delete;
  ~BatchChild() {
    if (pid_ > 0) {
      signal(SIGKILL);
      wait();
    }
  }

  void signal(int number) const { kill(pid_, number); }

  bool ended() {
    if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) {
      pid_ = 0;
    }
    return pid_ == 0;
  }

  /// Its exit status when it has ended; -1 when it was killed.
  int wait() {
    if (pid_ > 0) {
      waitpid(pid_, &status_, 0);
      pid_ = 0;
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }

 private:
  std::vector<std::string> arguments_;
  pid_t pid_;
  int status_ = 0;
};

/// The files of counting(), for a child; and as a set, for this process.
class CountingFiles {
 public:
  explicit CountingFiles(const std::vector<std::string>& bodies)
      : dir_("batch"), set_(line_of(bodies)) {
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      const std::string parent = i == 0 ? "none" : fmt::format("{:04}", i);
      dir_.write(fmt::format("{:04}_test.sql", i + 1),
                 fmt::format("-- drover: parents {}\n{}", parent, bodies[i]));
    }
  }

  const TempDir& dir() const { return dir_; }
  const MigrationSet& set() const { return set_; }

 private:
  TempDir dir_;
  MigrationSet set_;
};

}  // namespace drover::engine::test
