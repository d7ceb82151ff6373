// The harness of these tests; what it promises itself is tested at the end.

#include "tests/orchestrator/cli/program_run.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include <catch2/catch.hpp>

#include "orchestrator/cli/main_program.h"

namespace drover::test {
namespace {

/// Puts a file in the place of a descriptor for as long as it lives.
class Redirected {
 public:
  Redirected(int descriptor, const std::filesystem::path& file, int flags)
      : descriptor_(descriptor), saved_(dup(descriptor)) {
    const int opened = open(file.c_str(), flags | O_CLOEXEC, 0600);
    if (saved_ < 0 || opened < 0 || dup2(opened, descriptor_) < 0) {
      throw std::runtime_error("cannot redirect a stream to " + file.string());
    }
    close(opened);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;
  ~Redirected() {
    dup2(saved_, descriptor_);
    close(saved_);
  }

 private:
  int descriptor_;
  int saved_;
};

}  // namespace

ProgramResult ProgramDir::run(const std::vector<std::string>& words,
                              std::map<std::string, std::string> variables) const {
  constexpr int kFresh = O_WRONLY | O_CREAT | O_TRUNC;
  variables.try_emplace("HOME", files_.path().string());
  ProgramResult result;
  std::fflush(nullptr);
  {
    const Redirected in(STDIN_FILENO, "/dev/null", O_RDONLY);
    const Redirected out(STDOUT_FILENO, streams_ / "out", kFresh);
    const Redirected err(STDERR_FILENO, streams_ / "err", kFresh);
    result.status = orchestrator::cli::run_program(words, variables, files_.path().string());
    std::fflush(nullptr);
  }
  result.out = streams_.read("out");
  result.err = streams_.read("err");
  return result;
}

}  // namespace drover::test

TEST_CASE("data goes to standard output and talk to standard error", "[cli]") {
  const drover::test::ProgramDir dir;
  const auto version = dir.run({"version"});
  CHECK(version.status == 0);
  CHECK(version.out.starts_with("drover "));
  CHECK(version.err.empty());
  const auto refused = dir.run({"verison"});
  CHECK(refused.status == 2);
  CHECK(refused.out.empty());
  CHECK(refused.err == "error: there is no verb 'verison'\nhint:  Did you mean 'version'?\n");
}
