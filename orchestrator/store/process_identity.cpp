#include "orchestrator/store/process_identity.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

namespace drover::orchestrator::store {
namespace {

/// The boot and the pid namespace: pids of two places compare only where these are equal.
std::optional<std::string> place_of_pids() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::error_code failed;
  const std::filesystem::path space = std::filesystem::read_symlink("/proc/self/ns/pid", failed);
  if (!(file >> boot) || failed) {
    return std::nullopt;
  }
  return boot + " " + space.string();
}

constexpr int kFieldsBetween = 18;  // the state and the start of /proc/PID/stat

struct ProcessStat {
  char state = '?';
  std::string started;  ///< In clock ticks since the boot.
};

/// The third and the twenty-second field of /proc/PID/stat; the second may hold anything, so they
/// are counted from its last parenthesis.
std::optional<ProcessStat> stat_of(std::int64_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) {
    return std::nullopt;
  }
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields(line.substr(name_end + 1));
  ProcessStat stat;
  fields >> stat.state;
  for (int i = 0; i < kFieldsBetween; ++i) {
    fields >> stat.started;
  }
  if (!(fields >> stat.started)) {
    return std::nullopt;
  }
  return stat;
}

bool is_gone(std::int64_t pid) {
  return ::kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH;
}

}  // namespace

std::string process_identity(std::int64_t pid) {
  const std::optional<std::string> place = place_of_pids();
  const std::optional<ProcessStat> stat = stat_of(pid);
  return place && stat ? *place + " " + stat->started : std::string();
}

Liveness liveness_of(std::int64_t pid, std::string_view identity) {
  const std::optional<std::string> place = place_of_pids();
  if (pid <= 0 || !place || !identity.starts_with(*place + " ")) {
    return Liveness::unknown;
  }
  if (is_gone(pid)) {
    return Liveness::dead;
  }
  const std::optional<ProcessStat> stat = stat_of(pid);
  if (!stat) {
    return Liveness::unknown;  // another user's process may be hidden from us
  }
  const bool ended = stat->state == 'Z' || stat->state == 'X';
  const bool reused = identity != *place + " " + stat->started;
  return ended || reused ? Liveness::dead : Liveness::alive;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) {
    return "localhost";
  }
  return name.data();
}

}  // namespace drover::orchestrator::store
