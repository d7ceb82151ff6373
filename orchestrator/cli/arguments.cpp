#include <stdexcept>

#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {
namespace {

template <typename Map>
const auto& known(const Map& given, std::string_view name) {
  const auto found = given.find(name);
  if (found == given.end()) {
    throw std::logic_error("the verb has no option called " + std::string(name));
  }
  return found->second;
}

}  // namespace

bool Arguments::has(std::string_view name) const {
  return known(said_, name);
}

std::string Arguments::value(std::string_view name) const {
  const std::vector<std::string>& values = known(given_, name);
  return values.empty() ? std::string() : values.front();
}

std::optional<std::string> Arguments::optional(std::string_view name) const {
  return has(name) ? std::optional(value(name)) : std::nullopt;
}

std::vector<std::string> Arguments::values(std::string_view name) const {
  return known(given_, name);
}

void Arguments::declare(const std::string& name) {
  given_[name];
  said_[name] = false;
}

void Arguments::add(const std::string& name, const std::string& value) {
  given_[name].push_back(value);
  said_[name] = true;
}

void Arguments::say(const std::string& name) {
  said_[name] = true;
}

}  // namespace drover::orchestrator::cli
