#include "orchestrator/gates/http_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "orchestrator/first_line.h"

namespace drover::orchestrator::gates {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::uint16_t kUsualPort = 80;
constexpr std::size_t kLongestName = 253;

bool is_letter_or_digit(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9');
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [](char byte) {
           return is_letter_or_digit(byte) || byte == '.' || byte == '-' || byte == '_';
         });
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

/// What may stand in a request line: visible ASCII without the start of a fragment.
bool is_target(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) {
    return byte > ' ' && byte < '\x7F' && byte != '#';
  });
}

std::optional<std::uint16_t> port_of(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, port);
  const bool fine = error == std::errc() && stop == end && port != 0;
  return fine ? std::optional(port) : std::nullopt;
}

/// How much of `authority` is the host, with its brackets.
std::size_t host_length(std::string_view authority) {
  if (authority.starts_with('[')) {
    return std::min(authority.find(']'), authority.size() - 1) + 1;
  }
  return std::min(authority.find(':'), authority.size());
}

std::optional<HttpUrl> parse_authority(std::string_view authority) {
  const std::string_view host = authority.substr(0, host_length(authority));
  std::string_view rest = authority.substr(host.size());
  HttpUrl url;
  url.host_header = host;
  if (host.starts_with('[') && host.ends_with(']')) {
    url.host = host.substr(1, host.size() - 2);
    if (!is_ipv6(url.host)) {
      return std::nullopt;
    }
  } else if (is_host_name(host)) {
    url.host = host;
  } else {
    return std::nullopt;
  }
  if (rest.empty()) {
    return url;
  }
  const std::optional<std::uint16_t> port =
      rest.front() == ':' ? port_of(rest.substr(1)) : std::nullopt;
  if (!port) {
    return std::nullopt;
  }
  url.port = *port;
  if (url.port != kUsualPort) {
    url.host_header += ":" + std::to_string(url.port);
  }
  return url;
}

}  // namespace

std::optional<HttpUrl> parse_http_url(std::string_view text) {
  if (!text.starts_with(kScheme)) {
    return std::nullopt;
  }
  text.remove_prefix(kScheme.size());
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view target = text.substr(end);
  std::optional<HttpUrl> url = parse_authority(text.substr(0, end));
  if (!url || !is_target(target)) {
    return std::nullopt;
  }
  url->target = target.starts_with('/') ? "" : "/";
  url->target += target;
  return url;
}

bool is_checkable_url(std::string_view text) {
  return parse_http_url(text).has_value();
}

std::string shown_url(std::string_view text) {
  return first_line(text.substr(0, text.find('?')));
}

}  // namespace drover::orchestrator::gates
