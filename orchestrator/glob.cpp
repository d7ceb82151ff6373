#include "orchestrator/glob.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/utf8.h"

namespace drover::orchestrator {
namespace {

/// Takes the first character off `text`.
std::string_view take_character(std::string_view& text) noexcept {
  const std::size_t length = std::min(character_length(text.front()), text.size());
  const std::string_view character = text.substr(0, length);
  text.remove_prefix(length);
  return character;
}

/// `[...]` at the start of a pattern. Characters of UTF-8 compare bytewise as they do by code
/// point.
struct CharacterSet {
  std::string_view body;  ///< Between the brackets, without the `!`.
  std::string_view rest;  ///< The pattern behind it.
  bool negated = false;
  bool closed = false;
};

CharacterSet character_set_at(std::string_view pattern) noexcept {
  CharacterSet set;
  pattern.remove_prefix(1);
  if (!pattern.empty() && (pattern.front() == '!' || pattern.front() == '^')) {
    set.negated = true;
    pattern.remove_prefix(1);
  }
  const std::size_t end = pattern.find(']', 1);  // a `]` that comes first is itself
  if (end == std::string_view::npos) {
    return set;
  }
  set.body = pattern.substr(0, end);
  set.rest = pattern.substr(end + 1);
  set.closed = true;
  return set;
}

/// Takes "a-z" or a single "a" off `body`; `visit(low, high)` says whether to go on.
template <typename Visit>
void each_range(std::string_view body, Visit visit) {
  while (!body.empty()) {
    const std::string_view low = take_character(body);
    std::string_view high = low;
    if (body.size() > 1 && body.front() == '-') {
      body.remove_prefix(1);
      high = take_character(body);
    }
    if (!visit(low, high)) {
      return;
    }
  }
}

bool contains(const CharacterSet& set, std::string_view character) noexcept {
  bool inside = false;
  each_range(set.body, [&inside, character](std::string_view low, std::string_view high) {
    inside = low <= character && character <= high;
    return !inside;
  });
  return inside != set.negated;
}

/// Matches one pattern element other than `*` against one character. Both views move on.
bool match_one(std::string_view& pattern, std::string_view& name) noexcept {
  if (pattern.front() == '[') {
    const CharacterSet set = character_set_at(pattern);
    if (set.closed) {
      pattern = set.rest;
      return contains(set, take_character(name));
    }
  }
  const std::string_view wanted = take_character(pattern);
  const std::string_view given = take_character(name);
  return wanted == "?" || wanted == given;
}

}  // namespace

void check_glob(std::string_view pattern) {
  const auto refuse = [pattern](std::string_view why) {
    throw Error(ErrorCode::usage,
                "invalid_glob",
                fmt::format("the pattern '{}' {}", pattern, why),
                "Use * for any characters, ? for one, and [a-z] for one of a set.");
  };
  if (pattern.empty()) {
    refuse("is empty");
  }
  for (std::string_view rest = pattern; !rest.empty();) {
    if (rest.front() != '[') {
      rest.remove_prefix(1);
      continue;
    }
    const CharacterSet set = character_set_at(rest);
    if (!set.closed) {
      refuse("has a [ that is never closed");
    }
    each_range(set.body, [&refuse](std::string_view low, std::string_view high) {
      if (high < low) {
        refuse("has a range that runs backwards");
      }
      return true;
    });
    rest = set.rest;
  }
}

bool glob_matches(std::string_view pattern, std::string_view name) noexcept {
  // The last star seen, and the name where it began to match: going back to it is enough.
  std::string_view after_star;
  std::string_view star_name;
  bool star_seen = false;
  while (!name.empty() || !pattern.empty()) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      after_star = pattern;
      star_name = name;
      star_seen = true;
      continue;
    }
    if (!pattern.empty() && !name.empty() && match_one(pattern, name)) {
      continue;
    }
    if (!star_seen || star_name.empty()) {
      return false;
    }
    take_character(star_name);
    pattern = after_star;
    name = star_name;
  }
  return true;
}

bool has_glob(std::string_view text) noexcept {
  return text.find_first_of("*?[") != std::string_view::npos;
}

}  // namespace drover::orchestrator
