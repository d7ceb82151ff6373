#include "orchestrator/nearest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include <fmt/format.h>

namespace drover::orchestrator {
namespace {

constexpr std::size_t kMostListed = 20;

char folded(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string folded(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return folded(c); });
  return result;
}

/// Optimal string alignment distance of `a` and `b`, by rows; only the last three are kept.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t wrong = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, wrong});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    before_last = std::move(last);
    last = std::move(row);
  }
  return last[b.size()];
}

std::size_t slips_allowed(std::size_t length) noexcept {
  return std::max<std::size_t>(1, length / 3);
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string wanted = folded(word);
  std::size_t best = slips_allowed(wanted.size()) + 1;
  const std::string* found = nullptr;
  for (const std::string& candidate : candidates) {
    const std::size_t shorter = std::min(wanted.size(), candidate.size());
    const std::size_t longer = std::max(wanted.size(), candidate.size());
    if (longer - shorter >= best || shorter == 0) {
      continue;  // the lengths alone are too far apart
    }
    const std::size_t slips = distance(wanted, folded(candidate));
    if (slips < best) {
      best = slips;
      found = &candidate;
    }
  }
  return found == nullptr ? std::string() : *found;
}

std::string nearest_hint(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  if (!near.empty()) {
    return fmt::format("Did you mean '{}'?", near);
  }
  if (candidates.empty()) {
    return "There are none.";
  }
  const std::size_t listed = std::min(candidates.size(), kMostListed);
  std::string list = candidates.front();
  for (std::size_t i = 1; i < listed; ++i) {
    const bool is_last = i + 1 == candidates.size();
    list += (is_last ? " and " : ", ") + candidates[i];
  }
  if (listed < candidates.size()) {
    list += fmt::format(" and {} more", candidates.size() - listed);
  }
  return fmt::format("Known {} {}.", candidates.size() == 1 ? "is only" : "are", list);
}

}  // namespace drover::orchestrator
