/// Looks up the addresses of a host for a limited time.
///
/// Asio's resolver cannot do that: it waits for the system's lookup, which may take half a minute,
/// before it lets go. Here a thread of its own that nobody waits for asks the system; it ends when
/// the system answers.
///
/// Thread safety: any number of threads. Errors: a name without address throws std::runtime_error
/// with the system's words.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "engine/clock.h"

namespace drover::orchestrator::gates {

using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

/// At least one endpoint; nullopt: not by patience's deadline, or stopped. An address is not looked
/// up.
std::optional<Endpoints> look_up(const std::string& host,
                                 std::uint16_t port,
                                 const engine::Patience& patience);

}  // namespace drover::orchestrator::gates
