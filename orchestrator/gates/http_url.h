/// Reads the addresses of web pages that a gate may ask: http://HOST[:PORT][/PATH][?QUERY].
///
/// No user, no fragment and no TLS; an IPv6 address stands in brackets. Names are not looked up.
///
/// Thread safety: pure functions.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drover::orchestrator::gates {

struct HttpUrl {
  std::string host;  ///< Without brackets.
  std::uint16_t port = 80;
  std::string target;       ///< From the path's slash on; at least "/".
  std::string host_header;  ///< "[::1]:8080"; without the port when it is 80.

  bool operator==(const HttpUrl&) const = default;
};

std::optional<HttpUrl> parse_http_url(std::string_view text);

bool is_checkable_url(std::string_view text);

/// `text` for messages: without its query, which may hold a password, and cleaned.
std::string shown_url(std::string_view text);

}  // namespace drover::orchestrator::gates
