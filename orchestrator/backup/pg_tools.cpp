#include "orchestrator/backup/pg_tools.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/first_line.h"

extern char** environ;

namespace drover::orchestrator::backup {
namespace {

using engine::base::ChildRequest;
using engine::base::ChildResult;

constexpr std::chrono::seconds kVersionDeadline{20};
constexpr int kPerMajor = 10'000;  // 150020 is 15.20

struct SafeSince {
  int major;
  int minor;
};
constexpr std::array<SafeSince, 5> kSafeSince = {{{12, 20}, {13, 16}, {14, 13}, {15, 8}, {16, 4}}};

bool is_unsafe(const ToolVersion& version) {
  const auto* const row = std::find_if(kSafeSince.begin(), kSafeSince.end(), [&](const auto& one) {
    return one.major == version.major;
  });
  return version.major < kSafeSince.front().major ||
         (row != kSafeSince.end() && version.minor < row->minor);
}

/// "pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"
ToolVersion version_in(std::string_view said) {
  constexpr std::string_view kBefore = "(PostgreSQL) ";
  const std::size_t at = said.find(kBefore);
  ToolVersion version;
  if (at == std::string_view::npos) {
    return version;
  }
  const std::string_view number = said.substr(at + kBefore.size());
  const char* const end = number.data() + number.size();
  const auto major = std::from_chars(number.data(), end, version.major);
  if (major.ptr != end && *major.ptr == '.') {
    std::from_chars(major.ptr + 1, end, version.minor);
  }
  version.text = first_line(number);
  return version;
}

std::map<std::string, std::string> own_postgres_variables() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (text.starts_with("PG") && equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

}  // namespace

std::string PgTools::path_of(std::string_view program) const {
  return directory_.empty() ? std::string(program) : (directory_ / program).string();
}

ToolVersion PgTools::version_of(std::string_view program) const {
  const std::string hint =
      directory_.empty()
          ? "Install PostgreSQL's client programs, or say in backup.tools where they are."
          : "Look at backup.tools, which says where they are.";
  ChildRequest request;
  request.argv = {path_of(program), "--version"};
  request.deadline = kVersionDeadline;
  ChildResult result;
  try {
    result = run_child(request);
  } catch (const Error& error) {
    throw Error(ErrorCode::usage,
                "tool_missing",
                fmt::format("backups need {}: {}", program, error.what()),
                hint);
  }
  ToolVersion version = version_in(result.output);
  if (!result.succeeded() || version.major == 0) {
    throw Error(ErrorCode::usage,
                "tool_missing",
                fmt::format("backups need {}, and '{} --version' does not say what it is",
                            program,
                            path_of(program)),
                hint);
  }
  return version;
}

void PgTools::check(const std::string& server, int server_version) const {
  for (const std::string_view program : {"pg_dump", "pg_restore"}) {
    const ToolVersion version = version_of(program);
    if (version.major < server_version / kPerMajor) {
      throw Error(ErrorCode::usage,
                  "tool_too_old",
                  fmt::format("{} is of version {}, and {} is of version {}",
                              program,
                              version.major,
                              server,
                              server_version / kPerMajor),
                  "Install the client programs of the newer version, and say in backup.tools where "
                  "they are.");
    }
    if (is_unsafe(version)) {
      throw Error(ErrorCode::usage,
                  "tool_unsafe",
                  fmt::format("{} {}.{} lets a tenant run code as whoever backs it up "
                              "(CVE-2024-7348)",
                              program,
                              version.major,
                              version.minor),
                  "Install the newest minor version of the client programs.");
    }
  }
}

ChildRequest PgTools::request(std::string_view program,
                              const engine::Target& target,
                              const engine::base::PassFile* passfile,
                              const std::vector<std::string>& arguments) const {
  ChildRequest request = this->request(program, arguments);
  request.argv.insert(request.argv.begin() + 1,
                      {"--no-password", fmt::format("--dbname={}", target.connection)});
  request.variables = own_postgres_variables();
  request.variables["PGAPPNAME"] = "drover";
  if (passfile != nullptr) {
    request.variables["PGPASSFILE"] = passfile->path();
  }
  return request;
}

ChildRequest PgTools::request(std::string_view program,
                              const std::vector<std::string>& arguments) const {
  ChildRequest request;
  request.argv.push_back(path_of(program));
  request.argv.insert(request.argv.end(), arguments.begin(), arguments.end());
  return request;
}

std::unique_ptr<engine::base::PassFile> passfile_for(const engine::Target& target) {
  return target.password.empty()
             ? nullptr
             : std::make_unique<engine::base::PassFile>(target.password.reveal());
}

std::string telling_line(std::string_view errors) {
  constexpr std::string_view kError = "error: ";
  const std::size_t error = errors.find(kError);
  return first_line(error == std::string_view::npos ? errors
                                                    : errors.substr(error + kError.size()));
}

}  // namespace drover::orchestrator::backup
