#include "orchestrator/id_pattern.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator {
namespace {

std::string in_braces(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += (list.empty() ? "{" : " or {") + name + "}";
  }
  return list;
}

[[noreturn]] void refuse(std::string_view text, std::string_view why, std::string hint) {
  throw Error(ErrorCode::usage,
              "invalid_id_pattern",
              fmt::format("the id pattern '{}' {}", text, why),
              std::move(hint));
}

}  // namespace

IdPattern IdPattern::parse(std::string_view text, const std::vector<std::string>& known) {
  const std::string use = fmt::format("Use {} here.", in_braces(known));
  IdPattern pattern;
  std::string literal;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      literal += c;
      continue;
    }
    if (at + 1 < text.size() && text[at + 1] == c) {
      literal += c;
      ++at;
      continue;
    }
    const std::size_t end = c == '{' ? text.find('}', at) : std::string_view::npos;
    if (end == std::string_view::npos) {
      refuse(text, fmt::format("has a {} without its pair", c), use);
    }
    const std::string name(text.substr(at + 1, end - at - 1));
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string near = nearest(name, known);
      refuse(text,
             fmt::format("names {{{}}}, which does not exist here", name),
             near.empty() ? use : fmt::format("Did you mean {{{}}}?", near));
    }
    pattern.parts_.push_back({literal, false});
    pattern.parts_.push_back({name, true});
    literal.clear();
    at = end;
  }
  if (pattern.parts_.empty()) {
    refuse(text, "gives every tenant the same id", use);
  }
  pattern.parts_.push_back({literal, false});
  return pattern;
}

std::string IdPattern::id_for(const std::map<std::string, std::string>& values) const {
  std::string id;
  for (const Part& part : parts_) {
    id += part.is_name ? values.at(part.text) : part.text;
  }
  return id;
}

}  // namespace drover::orchestrator
