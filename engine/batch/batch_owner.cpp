#include "engine/batch/batch_owner.h"

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <mutex>
#include <random>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace drover::engine::batch {
namespace {

std::string host() {
  std::array<char, 65> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
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
  text_ = fmt::format("{}/{}/{:08x}", host(), getpid(), random());
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
  if (second == std::string::npos || token.substr(0, first) != host()) {
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
