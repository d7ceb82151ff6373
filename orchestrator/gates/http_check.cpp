#include "orchestrator/gates/http_check.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "engine/base/time_left.h"
#include "orchestrator/first_line.h"
#include "orchestrator/gates/host_lookup.h"
#include "orchestrator/gates/http_url.h"

namespace drover::orchestrator::gates {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kBodyLimit = std::size_t{64} * 1024;
constexpr std::uint32_t kHeaderLimit = std::uint32_t{16} * 1024;

struct Page {
  unsigned status = 0;
  std::string reason;
  std::string location;
  std::string body;  ///< Its first 64 KiB.
};

http::request<http::empty_body> request_for(const HttpUrl& url) {
  constexpr unsigned kHttp11 = 11;
  http::request<http::empty_body> request(http::verb::get, url.target, kHttp11);
  request.set(http::field::host, url.host_header);
  request.set(http::field::user_agent, "drover");
  request.set(http::field::connection, "close");
  return request;
}

/// One request and its answer on a connection of its own.
class Exchange {
 public:
  Exchange(const HttpUrl& url, Endpoints endpoints)
      : endpoints_(std::move(endpoints)), request_(request_for(url)), body_(kBodyLimit) {
    asio::async_connect(
        socket_, endpoints_, [this](error_code error, const asio::ip::tcp::endpoint&) {
          error ? fail("is not reachable", error) : send();
        });
  }

  /// Returns at patience's deadline at the latest, with page() or fault() or neither.
  void run(const engine::Patience& patience) {
    const std::stop_callback on_stop(patience.stop, [this] { io_.stop(); });
    io_.run_until(patience.deadline);
  }

  const std::optional<Page>& page() const noexcept { return page_; }
  const std::string& fault() const noexcept { return fault_; }

 private:
  void fail(const char* what, const error_code& error) {
    fault_ = fmt::format("{}: {}", what, error.message());
  }

  void send() {
    http::async_write(socket_, request_, [this](error_code error, std::size_t) {
      error ? fail("gave no HTTP answer", error) : receive_header();
    });
  }

  void receive_header() {
    parser_.emplace();
    parser_->header_limit(kHeaderLimit);
    parser_->body_limit(boost::none);  // the buffer is the limit
    http::async_read_header(socket_, buffer_, *parser_, [this](error_code error, std::size_t) {
      error ? fail("gave no HTTP answer", error) : receive_body();
    });
  }

  void receive_body() {
    if (http::to_status_class(parser_->get().result_int()) == http::status_class::informational) {
      receive_header();  // the answer itself is still to come
      return;
    }
    parser_->get().body().data = body_.data();
    parser_->get().body().size = body_.size();
    http::async_read(socket_, buffer_, *parser_, [this](error_code error, std::size_t) {
      const bool full = error == http::error::need_buffer;
      error && !full ? fail("broke off its answer", error) : keep_page();
    });
  }

  void keep_page() {
    const auto& message = parser_->get();
    const std::size_t size = body_.size() - message.body().size;
    page_ = Page{message.result_int(),
                 std::string(message.reason()),
                 std::string(message[http::field::location]),
                 std::string(body_.data(), size)};
    if (page_->reason.empty()) {
      page_->reason = http::obsolete_reason(message.result());
    }
  }

  asio::io_context io_{1};
  asio::ip::tcp::socket socket_{io_};
  const Endpoints endpoints_;
  const http::request<http::empty_body> request_;
  boost::beast::flat_buffer buffer_;
  std::vector<char> body_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  std::optional<Page> page_;
  std::string fault_;
};

Answer answer_of(unsigned status) noexcept {
  constexpr unsigned kTooManyRequests = 429;
  constexpr unsigned kServiceUnavailable = 503;
  if (status >= 200 && status <= 299) {
    return Answer::pass;
  }
  const bool asks_to_wait = status == kTooManyRequests || status == kServiceUnavailable;
  return asks_to_wait ? Answer::inconclusive : Answer::fail;
}

CheckResult result_of(const std::string& url, const Page& page) {
  std::string text = fmt::format("{} answered {}", url, page.status);
  if (const std::string reason = first_line(page.reason); !reason.empty()) {
    text += " " + reason;
  }
  const bool points_elsewhere = page.status >= 300 && page.status <= 399;
  if (points_elsewhere && !page.location.empty()) {
    text += fmt::format(" and points to {}, which is not followed", shown_url(page.location));
  } else if (const std::string line = first_line(page.body); !line.empty()) {
    text += ": " + line;
  }
  return {answer_of(page.status), text};
}

/// What is said when neither an answer nor a fault came.
CheckResult without_answer(const std::string& url,
                           std::chrono::milliseconds limit,
                           const engine::Patience& patience) {
  if (patience.stop.stop_requested()) {
    return {Answer::inconclusive, fmt::format("asking {} was stopped", url)};
  }
  return {Answer::inconclusive, fmt::format("{} did not answer within {} ms", url, limit.count())};
}

CheckResult ask(const HttpUrl& url, const HttpProbe& probe, const engine::Patience& patience) {
  const std::string shown = shown_url(probe.url);
  const std::chrono::milliseconds limit = engine::base::time_left(probe.deadline, patience);
  const engine::Patience bounded{std::chrono::steady_clock::now() + limit, patience.stop};
  std::optional<Endpoints> endpoints;
  try {
    endpoints = look_up(url.host, url.port, bounded);
  } catch (const std::runtime_error& error) {
    return {Answer::inconclusive, fmt::format("{} is not reachable: {}", shown, error.what())};
  }
  if (!endpoints) {
    return without_answer(shown, limit, bounded);
  }
  Exchange exchange(url, std::move(*endpoints));
  exchange.run(bounded);
  if (exchange.page()) {
    return result_of(shown, *exchange.page());
  }
  if (!exchange.fault().empty()) {
    return {Answer::inconclusive, fmt::format("{} {}", shown, exchange.fault())};
  }
  return without_answer(shown, limit, bounded);
}

}  // namespace

CheckResult ask_http(const HttpProbe& probe, const engine::Patience& patience) {
  try {
    const std::optional<HttpUrl> url = parse_http_url(probe.url);
    if (!url) {
      return {Answer::inconclusive,
              fmt::format("'{}' is no address of the kind http://HOST[:PORT]/PATH",
                          shown_url(probe.url))};
    }
    return ask(*url, probe, patience);
  } catch (const std::exception& error) {
    return {Answer::inconclusive,
            std::string("a web page could not be asked: ") + first_line(error.what())};
  }
}

}  // namespace drover::orchestrator::gates
