/// A TCP proxy on 127.0.0.1 that makes a network bad on purpose, and counts.
///
/// Toxics apply to bytes that arrive after they were set; counters are sums over all connections
/// since the start. A connection costs one thread.
///
/// Thread safety: all public functions from any thread.
/// Errors: the constructor throws std::runtime_error when it cannot listen.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace drover::test {

class TcpProxy {
 public:
  enum class Direction { to_server, to_client };

  /// Listens on a free port and connects each caller to 127.0.0.1:`server_port`.
  explicit TcpProxy(std::uint16_t server_port);
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;
  ~TcpProxy();  ///< Cuts what is still open.

  std::uint16_t port() const noexcept { return port_; }

  /// Holds bytes back that long in each direction; a round trip costs twice as much.
  void delay(std::chrono::milliseconds each_way);

  /// Lets `bytes` more pass in `direction`, over all connections, then cuts the connection both
  /// ways without a word. Nothing of the byte after them is delivered.
  void cut_after(Direction direction, std::uint64_t bytes);

  /// From now on bytes in `direction` are read and vanish; both ends stay open.
  void swallow(Direction direction);

  /// Sends one byte per packet.
  void slice();

  /// Ends all toxics; connections that are open stay as they are.
  void heal();

  /// Cuts all open connections.
  void cut_all();

  std::uint64_t connections() const noexcept { return connections_; }
  std::uint64_t bytes(Direction direction) const noexcept {
    return bytes_[static_cast<std::size_t>(direction)];
  }

  /// How often a client spoke after an answer had been delivered to it, or for the first time:
  /// the round trips that it waited for.
  std::uint64_t round_trips() const noexcept { return round_trips_; }

 private:
  struct Toxics {
    std::chrono::milliseconds delay{0};
    std::optional<std::uint64_t> left[2];  // until the cut, by direction
    bool swallow[2] = {false, false};
    bool slice = false;
  };
  struct Stream;
  struct Connection;

  void accept_loop();
  void serve(Connection& connection);
  bool receive(Stream& stream);
  bool deliver(Stream& stream);
  Toxics toxics() const;
  std::size_t allowed(Direction direction, std::size_t wanted);
  void give_back(Direction direction, std::size_t bytes);

  std::uint16_t server_port_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> ending_ = false;
  std::atomic<std::uint64_t> connections_ = 0;
  std::atomic<std::uint64_t> round_trips_ = 0;
  std::atomic<std::uint64_t> bytes_[2] = {0, 0};

  mutable std::mutex toxics_mutex_;  // guards toxics_
  Toxics toxics_;

  std::mutex connections_mutex_;  // guards open_
  std::list<Connection> open_;

  std::thread acceptor_;  // last: it uses all of the above
};

}  // namespace drover::test
