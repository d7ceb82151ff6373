#include "orchestrator/gates/host_lookup.h"

#include <netdb.h>
#include <sys/socket.h>

#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include <boost/asio/ip/address.hpp>

namespace drover::orchestrator::gates {
namespace {

namespace asio = boost::asio;

/// What the thread that asks the system hands to the one that waits.
struct Lookup {
  std::mutex answer_mutex;  // guards all below
  std::condition_variable_any answered;
  bool done = false;
  Endpoints endpoints;
  std::string fault;
};

Endpoints endpoints_of(const addrinfo* list, std::uint16_t port) {
  Endpoints endpoints;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    asio::ip::tcp::endpoint endpoint;
    if (one->ai_addrlen <= endpoint.capacity()) {
      std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
      endpoint.resize(one->ai_addrlen);
      endpoint.port(port);
      endpoints.push_back(endpoint);
    }
  }
  return endpoints;
}

void ask_system(const std::string& host, std::uint16_t port, Lookup& lookup) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  const std::lock_guard lock(lookup.answer_mutex);
  if (code == 0) {
    lookup.endpoints = endpoints_of(list, port);
  }
  if (lookup.endpoints.empty()) {
    lookup.fault = code == 0 ? "it has no address" : ::gai_strerror(code);
  }
  lookup.done = true;
  lookup.answered.notify_all();
}

}  // namespace

std::optional<Endpoints> look_up(const std::string& host,
                                 std::uint16_t port,
                                 const engine::Patience& patience) {
  boost::system::error_code no_address;
  const asio::ip::address address = asio::ip::make_address(host, no_address);
  if (!no_address) {
    return Endpoints{{address, port}};
  }
  const auto lookup = std::make_shared<Lookup>();  // ends with the later of the two threads
  std::thread([host, port, lookup] { ask_system(host, port, *lookup); }).detach();
  std::unique_lock lock(lookup->answer_mutex);
  lookup->answered.wait_until(lock, patience.stop, patience.deadline, [&] { return lookup->done; });
  if (!lookup->done) {
    return std::nullopt;
  }
  if (lookup->endpoints.empty()) {
    throw std::runtime_error(lookup->fault);
  }
  return lookup->endpoints;
}

}  // namespace drover::orchestrator::gates
