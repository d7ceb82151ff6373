#include "orchestrator/tenant.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "engine/base/unicode.h"
#include "engine/error.h"
#include "orchestrator/nearest.h"
#include "orchestrator/utf8.h"

namespace drover::orchestrator {
namespace {

constexpr std::size_t kMostIdBytes = 200;

bool is_readable_name(std::string_view name) noexcept {
  const auto starts = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto goes_on = [starts](char c) { return starts(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && starts(name.front()) && std::all_of(name.begin(), name.end(), goes_on);
}

[[noreturn]] void refuse_id(const std::string& message) {
  throw Error(ErrorCode::usage,
              "invalid_tenant_id",
              message,
              "A tenant id is 1 to 200 bytes of UTF-8 without a NUL.");
}

void check_id(const Tenant& tenant) {
  const std::string& id = tenant.id.value;
  if (id.empty()) {
    refuse_id(fmt::format("a tenant of {} has an empty id", tenant.origin));
  }
  if (!is_utf8(id)) {
    refuse_id(fmt::format("a tenant id of {} is not UTF-8", tenant.origin));
  }
  if (id.find('\0') != std::string::npos) {
    refuse_id(fmt::format("a tenant id of {} holds a NUL", tenant.origin));
  }
  if (id.size() > kMostIdBytes) {
    refuse_id(fmt::format("the tenant id of {} is {} bytes long, more than {}",
                          tenant.origin,
                          id.size(),
                          kMostIdBytes));
  }
}

[[noreturn]] void refuse_pair(const Tenant& first, const Tenant& second) {
  if (first.id == second.id) {
    throw Error(ErrorCode::usage,
                "duplicate_tenant",
                fmt::format("tenant '{}' is listed twice: by {} and by {}",
                            first.id.value,
                            first.origin,
                            second.origin),
                "Give each tenant an id of its own, or list it in one source only.");
  }
  throw Error(
      ErrorCode::usage,
      "duplicate_tenant",
      fmt::format(
          "tenants '{}' ({}) and '{}' ({}) differ only in case, or in how Unicode spells them",
          first.id.value,
          first.origin,
          second.id.value,
          second.origin),
      "Give them ids that a person cannot mix up.");
}

/// What makes two targets one place: where migrations of the one would be seen by the other.
using TargetKey = std::tuple<engine::Dialect, std::string, std::string, std::string>;

TargetKey key_of(const engine::Target& target) {
  if (target.dialect == engine::Dialect::sqlite) {
    return {target.dialect, target.connection, "", ""};
  }
  return {target.dialect, target.server, target.database, target.schema};
}

[[noreturn]] void refuse_shared_target(const Tenant& first, const Tenant& second) {
  const engine::Target& target = first.target;
  const std::string what = target.dialect == engine::Dialect::sqlite
                               ? fmt::format("the file {}", target.connection)
                               : fmt::format("schema '{}' of database '{}' on {}",
                                             target.schema,
                                             target.database,
                                             target.server);
  throw Error(ErrorCode::usage,
              "duplicate_target",
              fmt::format("tenants '{}' ({}) and '{}' ({}) are both {}",
                          first.id.value,
                          first.origin,
                          second.id.value,
                          second.origin,
                          what),
              "Remove one of them: two tenants cannot share one history.");
}

[[noreturn]] void refuse_selector(const std::string& message, std::string hint) {
  throw Error(ErrorCode::usage, "invalid_selector", message, std::move(hint));
}

/// The words of all `lists`, cut at commas. `\,` is a comma inside a word.
std::vector<std::string> words_of(const std::vector<std::string>& lists, std::string_view flag) {
  std::vector<std::string> words;
  for (const std::string& list : lists) {
    std::string word;
    for (std::size_t at = 0; at <= list.size(); ++at) {
      if (at + 1 < list.size() && list[at] == '\\' && list[at + 1] == ',') {
        word += list[++at];
      } else if (at < list.size() && list[at] != ',') {
        word += list[at];
      } else if (word.empty()) {
        refuse_selector(fmt::format("{} has an empty word in '{}'", flag, list),
                        "Leave the flag out to select everything.");
      } else {
        words.push_back(std::exchange(word, {}));
      }
    }
  }
  return words;
}

bool is_on_server(const Tenant& tenant, const std::string& server) {
  const std::string& own = tenant.target.server;
  return own == server || (own.size() > server.size() &&
                           own.compare(0, server.size(), server) == 0 && own[server.size()] == ':');
}

}  // namespace

engine::TenantFacts facts_of(const Tenant& tenant) {
  engine::TenantFacts facts{{"tenant", tenant.id.value}};
  for (const auto& [name, value] : tenant.labels) {
    if (is_readable_name(name)) {
      facts.emplace("label." + name, value);
    }
  }
  return facts;
}

void check_fleet(const std::vector<Tenant>& fleet) {
  std::map<std::string, const Tenant*> by_id;
  std::map<TargetKey, const Tenant*> by_target;
  for (const Tenant& tenant : fleet) {
    check_id(tenant);
    const auto [same_id, is_new_id] = by_id.emplace(engine::base::folded(tenant.id.value), &tenant);
    if (!is_new_id) {
      refuse_pair(*same_id->second, tenant);
    }
    const auto [same_target, is_new_target] = by_target.emplace(key_of(tenant.target), &tenant);
    if (!is_new_target) {
      refuse_shared_target(*same_target->second, tenant);
    }
  }
}

Selector Selector::parse(const std::vector<std::string>& tenants,
                         const std::vector<std::string>& label_terms,
                         const std::vector<std::string>& servers,
                         std::optional<std::size_t> limit) {
  Selector selector;
  selector.tenants_ = words_of(tenants, "--tenant");
  for (const std::string& term : words_of(label_terms, "--labels")) {
    selector.terms_.push_back(parse_term(term));
  }
  selector.servers_ = words_of(servers, "--server");
  if (limit == std::size_t{0}) {
    refuse_selector("--limit is 0, which selects nothing", "Give a number of at least 1.");
  }
  selector.limit_ = limit;
  return selector;
}

Selector::LabelTerm Selector::parse_term(const std::string& text) {
  LabelTerm term;
  const std::size_t equals = text.find('=');
  std::string key = text.substr(0, equals);
  if (equals == std::string::npos) {
    term.negated = key.front() == '!';
    key.erase(0, term.negated ? 1 : 0);
  } else {
    term.value = text.substr(equals + 1);
    term.negated = !key.empty() && key.back() == '!';
    key.erase(key.size() - (term.negated ? 1 : 0));
  }
  if (key.empty() || key.find('!') != std::string::npos) {
    refuse_selector(fmt::format("'{}' is not a label selector", text),
                    "Write key=value, key!=value, key or !key.");
  }
  term.key = key;
  return term;
}

bool Selector::LabelTerm::holds_for(const Labels& labels) const {
  const auto found = labels.find(key);
  const bool fits = found != labels.end() && (!value || found->second == *value);
  return fits != negated;
}

bool Selector::empty() const noexcept {
  return tenants_.empty() && terms_.empty() && servers_.empty() && !limit_;
}

void Selector::check_names(const std::vector<Tenant>& fleet) const {
  std::set<std::string> ids;
  for (const Tenant& tenant : fleet) {
    ids.insert(tenant.id.value);
  }
  for (const std::string& wanted : tenants_) {
    if (ids.find(wanted) == ids.end()) {
      throw Error(ErrorCode::usage,
                  "unknown_tenant",
                  fmt::format("there is no tenant '{}'", wanted),
                  nearest_hint(wanted, {ids.begin(), ids.end()}));
    }
  }
  for (const std::string& wanted : servers_) {
    const auto on_it = [&wanted](const Tenant& tenant) { return is_on_server(tenant, wanted); };
    if (std::none_of(fleet.begin(), fleet.end(), on_it)) {
      std::set<std::string> servers;
      for (const Tenant& tenant : fleet) {
        servers.insert(tenant.target.server);
      }
      throw Error(ErrorCode::usage,
                  "unknown_server",
                  fmt::format("no tenant is on server '{}'", wanted),
                  nearest_hint(wanted, {servers.begin(), servers.end()}));
    }
  }
}

bool Selector::picks(const Tenant& tenant, const std::set<std::string_view>& wanted) const {
  if (!wanted.empty() && wanted.find(tenant.id.value) == wanted.end()) {
    return false;
  }
  const auto on_it = [&tenant](const std::string& server) { return is_on_server(tenant, server); };
  if (!servers_.empty() && std::none_of(servers_.begin(), servers_.end(), on_it)) {
    return false;
  }
  return std::all_of(terms_.begin(), terms_.end(), [&tenant](const LabelTerm& term) {
    return term.holds_for(tenant.labels);
  });
}

std::vector<Tenant> Selector::pick(const std::vector<Tenant>& fleet) const {
  check_names(fleet);
  const std::set<std::string_view> wanted(tenants_.begin(), tenants_.end());
  std::vector<Tenant> picked;
  for (const Tenant& tenant : fleet) {
    if (limit_ && picked.size() == *limit_) {
      break;
    }
    if (picks(tenant, wanted)) {
      picked.push_back(tenant);
    }
  }
  if (picked.empty()) {
    throw Error(ErrorCode::usage,
                "nothing_selected",
                fmt::format("the selection matches none of {} tenants", fleet.size()),
                "Look at the fleet's ids and labels, or loosen the selectors.");
  }
  return picked;
}

}  // namespace drover::orchestrator
