#include "engine/postgres/conninfo.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "engine/postgres/keyword_list.h"
#include "engine/postgres/pg_handles.h"

namespace drover::engine::postgres {

namespace {

/// From the weakest to the strongest.
constexpr std::array<std::string_view, 6> kSslModes = {
    "disable", "allow", "prefer", "require", "verify-ca", "verify-full"};
constexpr std::array<std::string_view, 8> kSourceKeywords = {
    "host", "port", "dbname", "user", "sslmode", "application_name", "schema", "pooled"};

std::string get(const KeywordList& keywords, const std::string& keyword) {
  const auto found = keywords.find(keyword);
  return found == keywords.end() ? std::string() : found->second;
}

/// Takes `keyword` out of the list.
std::optional<std::string> take(KeywordList& keywords, const std::string& keyword) {
  auto node = keywords.extract(keyword);
  return node.empty() ? std::nullopt : std::optional(std::move(node.mapped()));
}

/// Where libpq goes without a host: compiled into it, and told only by a connection.
std::string default_socket_folder() {
  static const std::string kFolder = [] {
    const PgConnection attempt(PQconnectStart("port=1 hostaddr='' host=''"));
    const char* const host = PQhost(attempt.get());
    return std::string(host == nullptr || *host == '\0' ? "local" : host);
  }();
  return kFolder;
}

/// Fills in what libpq would take from elsewhere, so that equal targets have equal texts. A service
/// is left to libpq: only connecting reads it.
void fill_in_defaults(KeywordList& keywords) {
  if (keywords.count("service") != 0) {
    return;
  }
  const auto is_given = [&](const char* keyword) { return !get(keywords, keyword).empty(); };
  const bool complete = (is_given("host") || is_given("hostaddr")) && is_given("port") &&
                        is_given("user") && is_given("dbname");
  const PgConninfo defaults(complete ? nullptr : PQconndefaults());
  for (const PQconninfoOption* o = defaults.get(); o != nullptr && o->keyword != nullptr; ++o) {
    const std::string keyword = o->keyword;
    const bool wanted = keyword == "port" || keyword == "user" ||
                        (keyword == "host" && keywords.count("hostaddr") == 0) ||
                        (keyword == "dbname" && o->val != nullptr);
    if (wanted && o->val != nullptr && *o->val != '\0' && get(keywords, keyword).empty()) {
      keywords.insert_or_assign(keyword, o->val);
    }
  }
  if (get(keywords, "host").empty() && get(keywords, "hostaddr").empty()) {
    keywords.insert_or_assign("host", default_socket_folder());
  }
  if (get(keywords, "dbname").empty() && !get(keywords, "user").empty()) {
    keywords.insert_or_assign("dbname", get(keywords, "user"));
  }
}

/// "db1:5432"; of several hosts "db1:5432,db2:5432".
std::string server_of(const KeywordList& keywords) {
  if (keywords.count("service") != 0) {
    return "service=" + get(keywords, "service");
  }
  std::string hosts =
      get(keywords, "host").empty() ? get(keywords, "hostaddr") : get(keywords, "host");
  std::string ports = get(keywords, "port");
  const auto next = [](std::string& list) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string first = list.substr(0, comma);
    list.erase(0, std::min(comma + 1, list.size()));
    return first;
  };
  std::string result;
  std::string port;
  while (!hosts.empty()) {
    port = ports.empty() ? port : next(ports);
    result += fmt::format("{}{}:{}", result.empty() ? "" : ",", next(hosts), port);
  }
  return result;
}

bool is_local(const std::string& hosts) {
  constexpr std::string_view kLoopback = "127.";
  return hosts.find(',') == std::string::npos &&
         (hosts.empty() || hosts.front() == '/' || hosts.front() == '@' || hosts == "localhost" ||
          hosts == "::1" || hosts.substr(0, kLoopback.size()) == kLoopback);
}

bool is_remote(const KeywordList& keywords) {
  const std::string address = get(keywords, "hostaddr");
  return !is_local(address.empty() ? get(keywords, "host") : address) ||
         keywords.count("service") != 0;
}

std::ptrdiff_t strength_of(std::string_view sslmode) {
  return std::find(kSslModes.begin(), kSslModes.end(), sslmode) - kSslModes.begin();
}

void check_sslmode(const KeywordList& keywords) {
  if (keywords.count("sslmode") != 0 &&
      strength_of(get(keywords, "sslmode")) == static_cast<std::ptrdiff_t>(kSslModes.size())) {
    throw invalid_target("unknown value of keyword 'sslmode' in a target",
                         "Use disable, allow, prefer, require, verify-ca or verify-full.");
  }
}

void default_to_verified_tls(KeywordList& keywords) {
  const bool chosen = keywords.count("sslmode") != 0 || keywords.count("service") != 0 ||
                      std::getenv("PGSSLMODE") != nullptr;
  if (!chosen && is_remote(keywords)) {
    keywords.emplace("sslmode", "verify-full");
  }
}

/// The target's keywords with those of its pooler laid over them.
std::string pooled_address(KeywordList keywords, const std::string& text) {
  const KeywordList pooler = parse_keywords(text);
  for (const char* const ours : {"schema", "pooled", "password"}) {
    if (pooler.count(ours) != 0) {
      throw invalid_target(fmt::format("keyword '{}' stands within 'pooled'", ours),
                           "Give it in the target itself; the pooler takes it from there.");
    }
  }
  check_sslmode(pooler);
  if (pooler.count("host") != 0 || pooler.count("hostaddr") != 0) {
    keywords.erase("host");
    keywords.erase("hostaddr");
  }
  for (const auto& [keyword, value] : pooler) {
    keywords.insert_or_assign(keyword, value);
  }
  return to_string(keywords);
}

/// The server cuts longer names off without a word, and would serve another tenant's data.
void check_length(std::string_view keyword, const std::string& name) {
  constexpr std::size_t kMostNameBytes = 63;  // NAMEDATALEN - 1
  if (name.size() > kMostNameBytes) {
    throw invalid_target(fmt::format("keyword '{}' of a target is {} bytes long, and PostgreSQL "
                                     "keeps {} of a name",
                                     keyword,
                                     name.size(),
                                     kMostNameBytes),
                         "Give the name as the server has it.");
  }
}

void check_schema(const std::string& schema) {
  if (schema.empty()) {
    throw invalid_target("keyword 'schema' of a target is empty", "Name the schema.");
  }
  check_length("schema", schema);
  if (schema.starts_with("pg_") || schema == "information_schema") {
    throw invalid_target("keyword 'schema' of a target names a schema of the server's own",
                         "Name the schema that holds the tenant's tables.");
  }
}

/// Several ports stand for several hosts, in their order.
void check_ports(std::string_view ports) {
  while (!ports.empty()) {
    const std::size_t end = std::min(ports.find(','), ports.size());
    const std::string_view port = ports.substr(0, end);
    ports.remove_prefix(std::min(end + 1, ports.size()));
    std::uint16_t number = 0;
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool sound = port.empty() || (parsed.ec == std::errc() && number > 0 &&
                                        parsed.ptr == port.data() + port.size());
    if (!sound) {
      throw invalid_target("keyword 'port' of a target is no port", "Give a number up to 65535.");
    }
  }
}

Target target_of(KeywordList keywords) {
  check_sslmode(keywords);
  Target target;
  target.dialect = Dialect::postgres;
  target.schema = take(keywords, "schema").value_or("public");
  check_schema(target.schema);
  check_length("dbname", get(keywords, "dbname"));
  check_ports(get(keywords, "port"));
  target.password = Secret(take(keywords, "password").value_or(""));
  const std::optional<std::string> pooled = take(keywords, "pooled");
  fill_in_defaults(keywords);
  default_to_verified_tls(keywords);
  target.connection = to_string(keywords);
  target.server = server_of(keywords);
  target.database = get(keywords, "dbname");
  if (pooled && !pooled->empty()) {
    target.pooled = pooled_address(std::move(keywords), *pooled);
  }
  return target;
}

void check_source(const KeywordList& keywords, std::string_view sslmode_floor) {
  for (const auto& [keyword, value] : keywords) {
    if (std::find(kSourceKeywords.begin(), kSourceKeywords.end(), keyword) ==
        kSourceKeywords.end()) {
      throw invalid_target(
          fmt::format("keyword '{}' is not allowed in a target out of a tenant source", keyword),
          "A source may set host, port, dbname, user, sslmode, application_name, schema and "
          "pooled; give secrets by name.");
    }
  }
  check_sslmode(keywords);
  if (!sslmode_floor.empty() && keywords.count("sslmode") != 0 &&
      strength_of(get(keywords, "sslmode")) < strength_of(sslmode_floor)) {
    throw invalid_target(
        fmt::format("keyword 'sslmode' of a target out of a tenant source is '{}', below the "
                    "configured '{}'",
                    get(keywords, "sslmode"),
                    sslmode_floor),
        "Raise it in the source, or lower it in the configuration for all.");
  }
}

}  // namespace

Target parse_pg_target(std::string_view text) {
  return target_of(parse_keywords(text));
}

Target parse_source_pg_target(std::string_view text, std::string_view sslmode_floor) {
  KeywordList keywords = parse_keywords(text);
  check_source(keywords, sslmode_floor);
  if (keywords.count("pooled") != 0) {
    KeywordList pooler = parse_keywords(get(keywords, "pooled"));
    check_source(pooler, sslmode_floor);
  }
  if (!sslmode_floor.empty()) {
    keywords.emplace("sslmode", sslmode_floor);
  }
  return target_of(std::move(keywords));
}

Target with_database(const Target& target, std::string_view name) {
  KeywordList keywords = parse_keywords(target.connection);
  keywords.insert_or_assign("dbname", std::string(name));
  Target other = target;
  other.connection = to_string(keywords);
  other.database = name;
  other.pooled.clear();
  return other;
}

std::string describe(const Target& target) {
  std::string text = fmt::format("{} on {}", target.database, target.server);
  if (target.schema != "public") {
    text += ", schema " + target.schema;
  }
  return text;
}

std::string role_of(const Target& target) {
  return get(parse_keywords(target.connection), "user");
}

std::optional<std::string> weak_sslmode(const Target& target) {
  const KeywordList keywords = parse_keywords(target.connection);
  if (!is_remote(keywords)) {
    return std::nullopt;
  }
  std::string mode = get(keywords, "sslmode");
  if (mode.empty()) {
    const char* const from_environment = std::getenv("PGSSLMODE");
    mode = from_environment == nullptr ? "prefer" : from_environment;
  }
  return mode == "verify-full" ? std::nullopt : std::optional(mode);
}

}  // namespace drover::engine::postgres
