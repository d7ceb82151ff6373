#include "engine/batch/batch_owner.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <random>
#include <set>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace drover::engine::batch {
namespace {

std::string host() {
  std::array<char, 65> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// In which the numbers of processes mean something: two containers may share a host's name.
std::string process_space() {
  std::error_code unknown;
  const std::string link = std::filesystem::read_symlink("/proc/self/ns/pid", unknown).string();
  std::string digits;
  std::copy_if(link.begin(), link.end(), std::back_inserter(digits), [](char c) {
    return c >= '0' && c <= '9';
  });
  return digits.empty() ? "0" : digits;
}

/// The tokens of this process.
struct LivingTokens {
  std::mutex mutex;  ///< Guards texts.
  std::set<std::string> texts;
};

LivingTokens& living() {
  static LivingTokens tokens;
  return tokens;
}

}  // namespace

OwnerToken::OwnerToken() {
  std::random_device random;
  text_ = fmt::format("{}/{}/{}.{:08x}", host(), getpid(), process_space(), random());
  const std::lock_guard lock(living().mutex);
  living().texts.insert(text_);
}

OwnerToken::~OwnerToken() {
  const std::lock_guard lock(living().mutex);
  living().texts.erase(text_);
}

bool is_gone(const std::string& token) {
  const std::size_t first = token.find('/');
  const std::size_t second = token.find('/', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos || token.substr(0, first) != host() ||
      !std::string_view(token).substr(second + 1).starts_with(process_space() + ".")) {
    return false;
  }
  const std::string_view digits = std::string_view(token).substr(first + 1, second - first - 1);
  pid_t pid = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (parsed.ec != std::errc() || pid <= 0) {
    return false;
  }
  if (pid == getpid()) {
    const std::lock_guard lock(living().mutex);
    return !living().texts.contains(token);
  }
  return kill(pid, 0) != 0 && errno == ESRCH;
}

}  // namespace drover::engine::batch
