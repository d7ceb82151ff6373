#include "orchestrator/gates/http_url.h"

#include <string>

#include <catch2/catch.hpp>

using drover::orchestrator::gates::HttpUrl;
using drover::orchestrator::gates::is_checkable_url;
using drover::orchestrator::gates::parse_http_url;
using drover::orchestrator::gates::shown_url;

TEST_CASE("an address falls into host, port and target") {
  CHECK(parse_http_url("http://health") == HttpUrl{"health", 80, "/", "health"});
  CHECK(parse_http_url("http://health:80/a/b?c=d") == HttpUrl{"health", 80, "/a/b?c=d", "health"});
  CHECK(parse_http_url("http://h.example:8080?q") ==
        HttpUrl{"h.example", 8080, "/?q", "h.example:8080"});
  CHECK(parse_http_url("http://[::1]/x") == HttpUrl{"::1", 80, "/x", "[::1]"});
  CHECK(parse_http_url("http://[fe80::1]:81") == HttpUrl{"fe80::1", 81, "/", "[fe80::1]:81"});
}

TEST_CASE("what no gate can ask is no address") {
  for (const std::string text : {"",
                                 "health",
                                 "http://",
                                 "http:///x",
                                 "http://?x",
                                 "https://health/",
                                 "ftp://health/",
                                 "http://user:word@health/",
                                 "http://health:/",
                                 "http://health:0/",
                                 "http://health:65536/",
                                 "http://health:8x/",
                                 "http://health/#top",
                                 "http://health/a b",
                                 "http://health/a\r\nX-Header: b",
                                 "http://he alth/",
                                 "http://::1/",
                                 "http://[::1/",
                                 "http://[::1]x/",
                                 "http://[health]/",
                                 "http://[]/"}) {
    INFO(text);
    CHECK_FALSE(is_checkable_url(text));
  }
}

TEST_CASE("an address is shown without its query") {
  CHECK(shown_url("http://health/x?token=open-sesame") == "http://health/x");
}
