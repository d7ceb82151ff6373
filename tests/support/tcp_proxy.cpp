#include "tests/support/tcp_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace drover::test {

namespace {

using Time = std::chrono::steady_clock::time_point;

constexpr std::size_t kQueueLimit = 4U << 20U;  // bytes held back before the sender feels it
constexpr int kWatchMs = 20;                    // how soon the end and cut_all() are noticed

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void send_at_once(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd);
    return -1;
  }
  send_at_once(fd);
  return fd;
}

}  // namespace

struct TcpProxy::Stream {
  struct Chunk {
    Time due;
    std::string data;
    std::size_t sent = 0;
  };

  Direction direction;
  int from;
  int to;
  bool* client_was_answered;  // shared by both directions of a connection
  std::deque<Chunk> queue = {};
  std::size_t queued = 0;
  bool ended = false;   // `from` sent its end
  bool closed = false;  // and `to` was told

  bool wants_input() const { return !ended && queued < kQueueLimit; }
  bool is_due(Time now) const { return !queue.empty() && queue.front().due <= now; }
};

struct TcpProxy::Connection {
  int client = -1;
  int server = -1;
  std::atomic<bool> cut = false;
  std::thread thread = {};
};

TcpProxy::TcpProxy(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, any, size) != 0 || listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, any, &size) != 0) {
    close(listener_);
    throw std::runtime_error("the proxy cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

TcpProxy::~TcpProxy() {
  ending_ = true;
  acceptor_.join();
  for (Connection& connection : open_) {
    connection.thread.join();
  }
  close(listener_);
}

void TcpProxy::delay(std::chrono::milliseconds each_way) {
  const std::lock_guard lock(toxics_mutex_);
  toxics_.delay = each_way;
}

void TcpProxy::cut_after(Direction direction, std::uint64_t bytes) {
  const std::lock_guard lock(toxics_mutex_);
  toxics_.left[static_cast<std::size_t>(direction)] = bytes;
}

void TcpProxy::swallow(Direction direction) {
  const std::lock_guard lock(toxics_mutex_);
  toxics_.swallow[static_cast<std::size_t>(direction)] = true;
}

void TcpProxy::slice() {
  const std::lock_guard lock(toxics_mutex_);
  toxics_.slice = true;
}

void TcpProxy::heal() {
  const std::lock_guard lock(toxics_mutex_);
  toxics_ = Toxics();
}

void TcpProxy::cut_all() {
  const std::lock_guard lock(connections_mutex_);
  for (Connection& connection : open_) {
    connection.cut = true;
  }
}

TcpProxy::Toxics TcpProxy::toxics() const {
  const std::lock_guard lock(toxics_mutex_);
  return toxics_;
}

/// How many of `wanted` bytes may pass; takes them off the allowance.
std::size_t TcpProxy::allowed(Direction direction, std::size_t wanted) {
  const std::lock_guard lock(toxics_mutex_);
  std::optional<std::uint64_t>& left = toxics_.left[static_cast<std::size_t>(direction)];
  if (!left) {
    return wanted;
  }
  const std::size_t granted = std::min<std::uint64_t>(*left, wanted);
  *left -= granted;
  return granted;
}

/// Undoes allowed() for bytes that the socket did not take.
void TcpProxy::give_back(Direction direction, std::size_t bytes) {
  const std::lock_guard lock(toxics_mutex_);
  std::optional<std::uint64_t>& left = toxics_.left[static_cast<std::size_t>(direction)];
  if (left) {
    *left += bytes;
  }
}

void TcpProxy::accept_loop() {
  while (!ending_) {
    pollfd waiting = {listener_, POLLIN, 0};
    if (poll(&waiting, 1, kWatchMs) <= 0) {
      continue;
    }
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) {
      continue;
    }
    send_at_once(client);
    ++connections_;
    const std::lock_guard lock(connections_mutex_);
    Connection& connection = open_.emplace_back();
    connection.client = client;
    connection.thread = std::thread([this, &connection] { serve(connection); });
  }
}

/// Reads what `from` has to say. False: cut the connection.
bool TcpProxy::receive(Stream& stream) {
  char buffer[64U << 10U];
  const ssize_t got = recv(stream.from, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got < 0) {
    return errno == EAGAIN || errno == EINTR;
  }
  if (got == 0) {
    stream.ended = true;
    return true;
  }
  const auto size = static_cast<std::size_t>(got);
  if (stream.direction == Direction::to_server &&
      std::exchange(*stream.client_was_answered, false)) {
    ++round_trips_;
  }
  const Toxics now = toxics();
  if (now.swallow[static_cast<std::size_t>(stream.direction)]) {
    return true;
  }
  const Time due = std::chrono::steady_clock::now() + now.delay;
  stream.queue.push_back({due, std::string(buffer, size)});
  stream.queued += size;
  return true;
}

/// Sends what is due. False: cut the connection.
bool TcpProxy::deliver(Stream& stream) {
  const Toxics now = toxics();
  while (stream.is_due(std::chrono::steady_clock::now())) {
    Stream::Chunk& chunk = stream.queue.front();
    const std::size_t wanted = now.slice ? 1 : chunk.data.size() - chunk.sent;
    const std::size_t granted = allowed(stream.direction, wanted);
    // Counted first: whoever has received an answer finds it counted.
    std::atomic<std::uint64_t>& counter = bytes_[static_cast<std::size_t>(stream.direction)];
    counter += granted;
    const ssize_t sent =
        send(stream.to, chunk.data.data() + chunk.sent, granted, MSG_DONTWAIT | MSG_NOSIGNAL);
    const bool full = sent < 0 && (errno == EAGAIN || errno == EINTR);
    const std::size_t size = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    counter -= granted - size;
    give_back(stream.direction, granted - size);
    if (sent < 0) {
      return full;
    }
    if (stream.direction == Direction::to_client && sent > 0) {
      *stream.client_was_answered = true;
    }
    chunk.sent += size;
    stream.queued -= size;
    if (granted < wanted) {
      return false;
    }
    if (chunk.sent == chunk.data.size()) {
      stream.queue.pop_front();
    }
  }
  if (stream.ended && stream.queue.empty() && !std::exchange(stream.closed, true)) {
    shutdown(stream.to, SHUT_WR);
  }
  return true;
}

void TcpProxy::serve(Connection& connection) {
  connection.server = connect_to(server_port_);
  bool client_was_answered = true;
  Stream streams[2] = {
      {Direction::to_server, connection.client, connection.server, &client_was_answered},
      {Direction::to_client, connection.server, connection.client, &client_was_answered}};
  bool open = connection.server >= 0;
  while (open && !ending_ && !connection.cut) {
    pollfd waiting[2];
    int timeout = kWatchMs;
    const Time now = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < 2; ++i) {
      const Stream& in = streams[i];
      const Stream& out = streams[1 - i];
      const int events = (in.wants_input() ? POLLIN : 0) | (out.is_due(now) ? POLLOUT : 0);
      waiting[i] = {events == 0 ? -1 : in.from, static_cast<short>(events), 0};
      if (!in.queue.empty() && in.queue.front().due > now) {
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(in.queue.front().due - now);
        timeout = std::min(timeout, static_cast<int>(wait.count()));
      }
    }
    poll(waiting, 2, timeout);
    for (std::size_t i = 0; open && i < 2; ++i) {
      const bool readable = (waiting[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
      open = !(readable && streams[i].wants_input()) || receive(streams[i]);
      open = open && deliver(streams[i]);
    }
    open = open && !(streams[0].closed && streams[1].closed);
  }
  close(connection.client);
  if (connection.server >= 0) {
    close(connection.server);
  }
}

}  // namespace drover::test
