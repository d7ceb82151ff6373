#include "engine/parse/lock_mode.h"

#include <algorithm>
#include <array>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

/// By LockMode.
constexpr std::array<std::string_view, 8> kModeNames = {"ACCESS SHARE",
                                                        "ROW SHARE",
                                                        "ROW EXCLUSIVE",
                                                        "SHARE UPDATE EXCLUSIVE",
                                                        "SHARE",
                                                        "SHARE ROW EXCLUSIVE",
                                                        "EXCLUSIVE",
                                                        "ACCESS EXCLUSIVE"};

/// By TableWork.
constexpr std::array<std::string_view, 5> kWorkWords = {
    "", ", may scan it", ", scans it", ", may rewrite it", ", rewrites it"};

/// By TableLock::Of.
constexpr std::array<std::string_view, 4> kWhatIsNamed = {
    "", "the table of index ", "index ", "the indexes of "};

}  // namespace

std::string_view name_of(LockMode mode) noexcept {
  return kModeNames.at(static_cast<std::size_t>(mode));
}

std::optional<LockMode> lock_mode_named(std::string_view name) {
  const auto* const found =
      std::find_if(kModeNames.begin(), kModeNames.end(), [&](std::string_view capitals) {
        return equals_ignoring_case(name, lower_case(capitals));
      });
  if (found == kModeNames.end()) {
    return std::nullopt;
  }
  return static_cast<LockMode>(found - kModeNames.begin());
}

Blocks blocked_by(LockMode mode) noexcept {
  if (mode == LockMode::access_exclusive) {
    return Blocks::reads_and_writes;
  }
  return mode >= LockMode::share ? Blocks::writes : Blocks::nothing;
}

std::string to_string(const TableLock& lock) {
  std::string text(name_of(lock.mode));
  text += " on ";
  text += kWhatIsNamed.at(static_cast<std::size_t>(lock.of));
  text += lock.name;
  text += kWorkWords.at(static_cast<std::size_t>(lock.work));
  return text;
}

}  // namespace drover::engine::parse
