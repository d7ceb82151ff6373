// Runs the program in this process, with its three streams on files.

#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace drover::test {

struct ProgramResult {
  int status = 0;
  std::string out;
  std::string err;
};

/// A working directory of its own, and the program run there. Standard input is empty.
class ProgramDir {
 public:
  ProgramResult run(const std::vector<std::string>& words,
                    std::map<std::string, std::string> variables = {}) const;

  const TempDir& files() const noexcept { return files_; }

 private:
  TempDir files_;
  TempDir streams_;
};

}  // namespace drover::test
