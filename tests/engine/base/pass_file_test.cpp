#include "engine/base/pass_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <catch2/catch.hpp>

#include "engine/base/child_process.h"

using drover::engine::base::PassFile;

TEST_CASE("a passfile is read by children, is for its owner only, and has a name nowhere else") {
  const PassFile file("s:ecret\\");
  drover::engine::base::ChildRequest request;
  request.argv = {"cat", file.path()};
  const auto result = drover::engine::base::run_child(request);
  CHECK(result.output == "*:*:*:*:s\\:ecret\\\\\n");
  struct stat found = {};
  REQUIRE(stat(file.path().c_str(), &found) == 0);
  CHECK((found.st_mode & 0777U) == 0600U);
  CHECK(S_ISREG(found.st_mode));
}

TEST_CASE("a passfile goes with its object") {
  std::string path;
  {
    const PassFile file("secret");
    path = file.path();
  }
  std::ifstream gone(path);
  const std::string text(std::istreambuf_iterator<char>(gone), {});
  CHECK(text.find("secret") == std::string::npos);
}
