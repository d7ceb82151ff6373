// Reads every #include of the project against the dependency rule of ARCHITECTURE.md.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

namespace {

namespace fs = std::filesystem;

/// Which rooms a room may include beside itself. "engine" and "orchestrator" are the domains.
const std::map<std::string, std::set<std::string>> kMayInclude{
    {"engine", {"engine/base/sha256.h"}},
    {"engine/base", {"engine/error.h", "engine/clock.h"}},
    {"engine/parse", {"engine", "engine/base"}},
    {"engine/files", {"engine", "engine/base"}},
    {"engine/postgres", {"engine", "engine/base"}},
    {"engine/sqlite", {"engine", "engine/base"}},
    {"engine/batch", {"engine", "engine/base"}},
    {"engine/api",
     {"engine",
      "engine/base",
      "engine/batch",
      "engine/parse",
      "engine/files",
      "engine/postgres",
      "engine/sqlite"}},
    {"orchestrator", {"engine", "engine/base/unicode.h"}},
    {"orchestrator/run", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/inventory", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/store", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/settings", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/plan", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/gates", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/backup", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/hooks", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/report", {"orchestrator", "engine", "engine/base"}},
    {"orchestrator/api", {"*"}},
    {"orchestrator/cli", {"*"}},
};

/// Third-party headers, and the only rooms that may see them. What is not named here may be
/// included nowhere.
const std::map<std::string, std::set<std::string>> kThirdParty{
    {"fmt/", {"*"}},
    {"spdlog/", {"engine/base", "orchestrator/cli"}},
    {"openssl/", {"engine/base", "orchestrator/plan"}},
    {"utf8proc.h", {"engine/base"}},
    {"libpq-fe.h", {"engine/postgres"}},
    {"sqlite3.h", {"engine/sqlite", "orchestrator/store", "orchestrator/inventory"}},
    {"pqxx/", {"orchestrator/store", "orchestrator/inventory"}},
    {"pg_query.h", {"engine/parse"}},
    {"yaml-cpp/", {"orchestrator/settings"}},
    {"nlohmann/",
     {"orchestrator/report",
      "orchestrator/inventory",
      "orchestrator/plan",
      "orchestrator/backup",
      "orchestrator/hooks"}},
    {"boost/", {"orchestrator/run", "orchestrator/gates"}},
    {"date/", {"orchestrator/gates"}},
    {"tbb/", {"engine/files", "engine/parse"}},
};

/// Headers of the system that mean I/O, threads or a clock, which a domain does without.
const std::vector<std::string> kNotInDomain{"<thread>",
                                            "<mutex>",
                                            "<condition_variable>",
                                            "<fstream>",
                                            "<iostream>",
                                            "<future>",
                                            "<unistd.h>",
                                            "<fcntl.h>",
                                            "<sys/",
                                            "<cstdio>"};

struct Include {
  std::string file;
  std::size_t line;
  std::string header;  ///< With its quotes or brackets.
};

fs::path root() {
  return DROVER_SOURCE_DIR;
}

std::vector<Include> includes_below(const std::string& folder) {
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(root() / folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".h" && extension != ".cpp") {
      continue;
    }
    std::ifstream text(entry.path());
    std::string line;
    for (std::size_t number = 1; std::getline(text, line); ++number) {
      if (line.starts_with("#include ")) {
        found.push_back({fs::relative(entry.path(), root()).generic_string(),
                         number,
                         line.substr(std::string_view("#include ").size())});
      }
    }
  }
  return found;
}

std::string room_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

std::string where(const Include& include) {
  return include.file + ":" + std::to_string(include.line) + " includes " + include.header;
}

bool allows(const std::set<std::string>& allowed, const std::string& what) {
  return allowed.contains("*") || allowed.contains(what);
}

/// Why `include` breaks the rule; empty: it does not.
std::string breach(const Include& include) {
  const std::string room = room_of(include.file);
  const bool own = include.header.front() == '"';
  const std::string name = include.header.substr(1, include.header.size() - 2);
  const auto rule = kMayInclude.find(room);
  if (rule == kMayInclude.end()) {
    return where(include) + ", and its room is not in the table";
  }
  if (own) {
    const bool fine =
        room_of(name) == room || allows(rule->second, room_of(name)) || rule->second.contains(name);
    return fine ? "" : where(include) + ", which " + room + " may not know";
  }
  for (const auto& [prefix, rooms] : kThirdParty) {
    if (name.starts_with(prefix)) {
      return allows(rooms, room) ? "" : where(include) + ", which belongs elsewhere";
    }
  }
  const bool domain = room == "engine" || room == "orchestrator";
  const bool forbidden =
      std::any_of(kNotInDomain.begin(), kNotInDomain.end(), [&](const std::string& header) {
        return include.header.starts_with(header);
      });
  if (domain && forbidden) {
    return where(include) + ", and a domain has no I/O, thread or clock";
  }
  // What remains is the standard library (no dot) or the system (a .h of its own).
  const bool standard = name.find('.') == std::string::npos;
  const bool system = name.ends_with(".h");
  return standard || system ? "" : where(include) + ", which is not in the table";
}

}  // namespace

TEST_CASE("every include keeps to the dependency rule", "[layers]") {
  std::string breaches;
  std::size_t read = 0;
  for (const std::string folder : {"engine", "orchestrator"}) {
    for (const Include& include : includes_below(folder)) {
      ++read;
      const std::string why = breach(include);
      breaches += why.empty() ? "" : why + "\n";
    }
  }
  CHECK(breaches == "");
  CHECK(read > 100);
}

TEST_CASE("the rule itself tells a breach from what is allowed", "[layers]") {
  CHECK(breach({"engine/files/x.cpp", 1, "\"engine/parse/sql_scanner.h\""}) ==
        "engine/files/x.cpp:1 includes \"engine/parse/sql_scanner.h\", which engine/files may not "
        "know");
  CHECK(breach({"engine/x.cpp", 2, "<thread>"}) ==
        "engine/x.cpp:2 includes <thread>, and a domain has no I/O, thread or clock");
  CHECK(breach({"orchestrator/run/x.h", 3, "<libpq-fe.h>"}) ==
        "orchestrator/run/x.h:3 includes <libpq-fe.h>, which belongs elsewhere");
  CHECK(breach({"orchestrator/x.h", 4, "\"engine/base/sha256.h\""}) != "");
  CHECK(breach({"engine/x.cpp", 5, "\"engine/base/sha256.h\""}).empty());
  CHECK(breach({"orchestrator/cli/x.cpp", 6, "\"engine/files/migration_dir.h\""}).empty());
}

TEST_CASE("every header says what it is for before anything else", "[layers]") {
  std::string silent;
  for (const std::string folder : {"engine", "orchestrator"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root() / folder)) {
      std::ifstream text(entry.path());
      std::string line;
      if (entry.path().extension() == ".h" && std::getline(text, line) &&
          !line.starts_with("///")) {
        silent += fs::relative(entry.path(), root()).generic_string() + "\n";
      }
    }
  }
  CHECK(silent == "");
}
