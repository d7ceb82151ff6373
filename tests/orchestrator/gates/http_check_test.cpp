#include "orchestrator/gates/http_check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using drover::engine::Patience;
using drover::orchestrator::Answer;
using drover::orchestrator::CheckResult;
using drover::orchestrator::HttpProbe;
using drover::orchestrator::gates::ask_http;

namespace {

void say(int peer, const std::string& text) {
  ::send(peer, text.data(), text.size(), MSG_NOSIGNAL);
}

std::string read_request(int peer) {
  std::string request;
  char byte = 0;
  while (!request.ends_with("\r\n\r\n") && ::recv(peer, &byte, 1, 0) == 1) {
    request += byte;
  }
  return request;
}

/// Returns when the other side has closed the connection.
void wait_for_close(int peer) {
  std::array<char, 1024> buffer;
  while (::recv(peer, buffer.data(), buffer.size(), 0) > 0) {
  }
}

enum class Family { v4, v6 };

/// A server on loopback for one connection: reads the request, then does what `serve` does.
class Server {
 public:
  explicit Server(std::function<void(int)> serve, Family family = Family::v4)
      : listener_(::socket(family == Family::v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0)) {
    is_open_ = family == Family::v4 ? bind_v4() : bind_v6();
    is_open_ = is_open_ && ::listen(listener_, 1) == 0;
    thread_ = std::thread([this, serve = std::move(serve)] {
      const int peer = ::accept(listener_, nullptr, nullptr);
      if (peer >= 0) {
        request_ = read_request(peer);
        serve(peer);
        ::close(peer);
      }
    });
  }

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  ~Server() { end(); }

  /// What was asked.
  const std::string& request() {
    end();
    return request_;
  }

  bool is_open() const { return is_open_; }
  const std::string& port() const { return port_; }
  std::string url(const std::string& target = "/health") const {
    return "http://127.0.0.1:" + port_ + target;
  }

 private:
  void end() {
    if (thread_.joinable()) {
      ::shutdown(listener_, SHUT_RDWR);
      thread_.join();
      ::close(listener_);
    }
  }

  template <typename Address>
  bool bind_to(Address& address, in_port_t Address::*port) {
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool bound = ::bind(listener_, any, size) == 0;
    ::getsockname(listener_, any, &size);
    port_ = std::to_string(ntohs(address.*port));
    return bound;
  }

  bool bind_v4() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind_to(address, &sockaddr_in::sin_port);
  }

  bool bind_v6() {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    return bind_to(address, &sockaddr_in6::sin6_port);
  }

  int listener_;
  bool is_open_ = false;
  std::string port_;
  std::string request_;
  std::thread thread_;
};

/// A server that says `text` and closes.
std::function<void(int)> saying(const std::string& text) {
  return [text](int peer) { say(peer, text); };
}

CheckResult ask(const Server& server, std::chrono::milliseconds deadline = 60s) {
  return ask_http({server.url(), deadline}, {});
}

/// `result` as the answer and its text behind the address.
std::string told(const Server& server, const CheckResult& result) {
  const std::string url = server.url();
  const std::string rest =
      result.text.starts_with(url) ? result.text.substr(url.size()) : " ?? " + result.text;
  switch (result.answer) {
    case Answer::pass:
      return "pass:" + rest;
    case Answer::fail:
      return "fail:" + rest;
    case Answer::inconclusive:
      break;
  }
  return "inconclusive:" + rest;
}

std::string told_after(const std::string& answer) {
  const Server server(saying(answer));
  return told(server, ask(server));
}

}  // namespace

TEST_CASE("a page is asked for in plain HTTP/1.1") {
  Server server(saying("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall fine"));
  const CheckResult result = ask_http({server.url("/health?token=open-sesame"), 60s}, {});
  CHECK(result.answer == Answer::pass);
  CHECK(result.text == server.url() + " answered 200 OK: all fine");
  CHECK(server.request() ==
        "GET /health?token=open-sesame HTTP/1.1\r\nHost: 127.0.0.1:" + server.port() +
            "\r\nUser-Agent: drover\r\nConnection: close\r\n\r\n");
}

TEST_CASE("the status says what the page means") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"200 OK", "pass"},
      {"204 No Content", "pass"},
      {"299 Odd", "pass"},
      {"300 Multiple Choices", "fail"},
      {"304 Not Modified", "fail"},
      {"400 Bad Request", "fail"},
      {"404 Not Found", "fail"},
      {"429 Too Many Requests", "inconclusive"},
      {"500 Internal Server Error", "fail"},
      {"502 Bad Gateway", "fail"},
      {"503 Service Unavailable", "inconclusive"},
      {"504 Gateway Timeout", "fail"},
      {"599 Odd", "fail"}};
  for (const auto& [status, answer] : table) {
    CHECK(told_after("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n") ==
          answer + ": answered " + status);
  }
}

TEST_CASE("the first line of the page says why") {
  CHECK(told_after("HTTP/1.1 500 Internal Server Error\r\n\r\n\r\n\x1B[1mqueue is full.\r\nmore") ==
        "fail: answered 500 Internal Server Error: [1mqueue is full");
  CHECK(told_after("HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nque\r\n2\r\nue\r\n0\r\n\r\n") ==
        "fail: answered 500 Internal Server Error: queue");
}

TEST_CASE("a redirect is a failure that names where it points") {
  CHECK(told_after("HTTP/1.1 302 Found\r\nLocation: http://other/x?token=y\r\n"
                   "Content-Length: 4\r\n\r\nbody") ==
        "fail: answered 302 Found and points to http://other/x, which is not followed");
}

TEST_CASE("what comes before the answer itself is skipped") {
  CHECK(told_after("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                   "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") ==
        "pass: answered 200 OK: ok");
}

TEST_CASE("a server that accepts and says nothing has not answered") {
  const Server server(wait_for_close);
  CHECK(told(server, ask(server, 200ms)) == "inconclusive: did not answer within 200 ms");
}

TEST_CASE("a server that stops in the middle has not answered") {
  const Server server([](int peer) {
    say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    wait_for_close(peer);
  });
  CHECK(told(server, ask(server, 200ms)) == "inconclusive: did not answer within 200 ms");
  CHECK(told_after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") ==
        "inconclusive: broke off its answer: partial message");
}

TEST_CASE("what is no HTTP is no answer") {
  CHECK(told_after("SSH-2.0-OpenSSH_9.2\r\n") == "inconclusive: gave no HTTP answer: bad version");
  CHECK(told_after("") == "inconclusive: gave no HTTP answer: end of stream");
  CHECK(told_after("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n") ==
        "inconclusive: gave no HTTP answer: header limit exceeded");
}

TEST_CASE("of an endless page only the start is read") {
  const std::string block(10'000, 'x');
  for (const std::string length : {"", "Content-Length: 1000000000000\r\n"}) {
    const Server server([&](int peer) {
      say(peer, "HTTP/1.1 200 OK\r\n" + length + "\r\nstart\n");
      while (::send(peer, block.data(), block.size(), MSG_NOSIGNAL) > 0) {
      }
    });
    CHECK(told(server, ask(server)) == "pass: answered 200 OK: start");
  }
}

TEST_CASE("a port where nobody listens is not reachable") {
  std::string url;
  {
    const Server server(saying(""));
    url = server.url();
  }
  const CheckResult result = ask_http({url, 60s}, {});
  CHECK(result.answer == Answer::inconclusive);
  CHECK(result.text == url + " is not reachable: Connection refused");
}

TEST_CASE("a name is looked up, and one that does not exist is not reachable") {
  const Server server(saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK(ask_http({"http://localhost:" + server.port() + "/", 60s}, {}).text ==
        "http://localhost:" + server.port() + "/ answered 200 OK");
  const CheckResult missing = ask_http({"http://no_such_host.invalid/", 60s}, {});
  CHECK(missing.answer == Answer::inconclusive);
  CHECK(missing.text.starts_with("http://no_such_host.invalid/ is not reachable: "));
}

TEST_CASE("an IPv6 address is asked in brackets") {
  Server server(saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Family::v6);
  if (!server.is_open()) {
    WARN("this machine has no IPv6 loopback");
    return;
  }
  const CheckResult result = ask_http({"http://[::1]:" + server.port() + "/", 60s}, {});
  CHECK(result.text == "http://[::1]:" + server.port() + "/ answered 200 OK");
  CHECK(server.request().find("\r\nHost: [::1]:" + server.port() + "\r\n") != std::string::npos);
}

TEST_CASE("a stop ends the wait for an answer") {
  std::stop_source stop;
  const Server server([&stop](int peer) {
    stop.request_stop();
    wait_for_close(peer);
  });
  const CheckResult result = ask_http({server.url(), 600s}, {.stop = stop.get_token()});
  CHECK(result.answer == Answer::inconclusive);
  CHECK(result.text == "asking " + server.url() + " was stopped");
}

TEST_CASE("patience that is over before the question says so") {
  const Server server(wait_for_close);
  const CheckResult result =
      ask_http({server.url(), 600s}, {std::chrono::steady_clock::now() - 1s, {}});
  CHECK(result.text == server.url() + " did not answer within 0 ms");
}

TEST_CASE("what is no address is not asked") {
  const CheckResult result = ask_http({"https://health/?token=open-sesame", 60s}, {});
  CHECK(result.answer == Answer::inconclusive);
  CHECK(result.text == "'https://health/' is no address of the kind http://HOST[:PORT]/PATH");
}
