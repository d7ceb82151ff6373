#include "engine/postgres/conninfo.h"

#include <stdlib.h>

#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "engine/error.h"

using drover::Error;
using drover::engine::Target;
using drover::engine::postgres::describe;
using drover::engine::postgres::parse_pg_target;
using drover::engine::postgres::parse_source_pg_target;
using drover::engine::postgres::weak_sslmode;
using drover::engine::postgres::with_database;

namespace {

/// Runs `action` and returns the Error it must throw, so that a test can look at all of it.
template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    REQUIRE(error.kind_name() == "invalid_target");
    REQUIRE_FALSE(error.hint().empty());
    return error;
  }
  throw std::runtime_error("no error was thrown");
}

std::string message_of(const std::string& text) {
  return error_of([&] { parse_pg_target(text); }).what();
}

/// Sets a variable of the environment for one test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

}  // namespace

TEST_CASE("both notations mean the same target") {
  const Target url = parse_pg_target(
      "postgres://ann:open%20sesame@db1:6000/acme?schema=t_7&sslmode=require&application_name=x");
  const Target words = parse_pg_target(
      "sslmode = require user=ann dbname=acme application_name=x port=6000 host=db1 schema=t_7 "
      "password='open sesame'");
  REQUIRE(url == words);
  REQUIRE(url.dialect == drover::engine::Dialect::postgres);
  REQUIRE(url.connection ==
          "host=db1 port=6000 dbname=acme user=ann application_name=x sslmode=require");
  REQUIRE(url.password.reveal() == "open sesame");
  REQUIRE(url.schema == "t_7");
  REQUIRE(url.server == "db1:6000");
  REQUIRE(url.database == "acme");
  REQUIRE(url.pooled.empty());
}

TEST_CASE("values are quoted where they must be") {
  const Target target =
      parse_pg_target(R"(host=/run user=u port=1 dbname='it\'s \\ mine' schema='we"ird')");
  REQUIRE(target.connection == R"(host=/run port=1 dbname='it\'s \\ mine' user=u)");
  REQUIRE(target.database == R"(it's \ mine)");
  REQUIRE(target.schema == "we\"ird");
  Target again = parse_pg_target(target.connection);
  again.schema = target.schema;
  REQUIRE(again == target);
}

TEST_CASE("another database of the same server is reached directly and by the same role") {
  const Target target = parse_pg_target(
      "host=db1 port=6000 user=ann dbname=acme password=x schema=t_7 sslmode=require "
      "pooled='port=6432'");
  const Target other = with_database(target, "it's mine");
  REQUIRE(other.connection == "host=db1 port=6000 dbname='it\\'s mine' user=ann sslmode=require");
  REQUIRE(other.database == "it's mine");
  REQUIRE(other.pooled.empty());
  REQUIRE(other.password.reveal() == "x");
  REQUIRE(other.schema == "t_7");
  REQUIRE(with_database(other, "acme").connection == target.connection);
}

TEST_CASE("what is left out comes from the environment, and then from libpq") {
  {
    const Variable host("PGHOST", "envhost");
    const Variable port("PGPORT", "7777");
    const Variable user("PGUSER", "envuser");
    const Target target = parse_pg_target("sslmode=require");
    REQUIRE(target.connection ==
            "host=envhost port=7777 dbname=envuser user=envuser sslmode=require");
    REQUIRE(target.server == "envhost:7777");
  }
  const Target target = parse_pg_target("user=u");
  REQUIRE(target.server.front() == '/');
  REQUIRE(target.database == "u");
  REQUIRE(target.schema == "public");
}

TEST_CASE("over a network TLS is verified unless the target says otherwise") {
  REQUIRE(parse_pg_target("host=db1 port=1 user=u dbname=d").connection ==
          "host=db1 port=1 dbname=d user=u sslmode=verify-full");
  for (const char* const local : {"127.0.0.1", "::1", "localhost", "/run"}) {
    const Target target = parse_pg_target("port=1 user=u dbname=d host=" + std::string(local));
    INFO(target.connection);
    REQUIRE(target.connection.find("sslmode") == std::string::npos);
    REQUIRE(weak_sslmode(target) == std::nullopt);
  }
  REQUIRE(weak_sslmode(parse_pg_target("host=db1")) == std::nullopt);
  REQUIRE(weak_sslmode(parse_pg_target("host=db1 sslmode=require")) == "require");
  const Variable chosen("PGSSLMODE", "prefer");
  REQUIRE(parse_pg_target("host=db1 port=1 user=u dbname=d").connection ==
          "host=db1 port=1 dbname=d user=u");
  REQUIRE(weak_sslmode(parse_pg_target("host=db1")) == "prefer");
}

TEST_CASE("a pooler takes from the target what it does not say itself") {
  const Target target =
      parse_pg_target("host=db1 port=1 user=u dbname=d sslmode=require pooled='port=6432'");
  REQUIRE(target.pooled == "host=db1 port=6432 dbname=d user=u sslmode=require");
  const Target other = parse_pg_target(
      "postgres://u@db1:1/d?sslmode=require&pooled=postgres%3A%2F%2Fv%40pgb%3A6432%2Fe");
  REQUIRE(other.pooled == "host=pgb port=6432 dbname=e user=v sslmode=require");
  REQUIRE(message_of("host=db1 pooled='password=x'") ==
          "keyword 'password' stands within 'pooled'");
}

TEST_CASE("several hosts are one server") {
  REQUIRE(parse_pg_target("host=a,b port=1,2 sslmode=require").server == "a:1,b:2");
  REQUIRE(parse_pg_target("host=a,b port=5 sslmode=require").server == "a:5,b:5");
}

TEST_CASE("a description is for people and holds no secret") {
  REQUIRE(describe(parse_pg_target("postgres://ann:secret@db1:6000/acme")) == "acme on db1:6000");
  REQUIRE(describe(parse_pg_target("postgres://ann:secret@db1:6000/acme?schema=t_7")) ==
          "acme on db1:6000, schema t_7");
}

TEST_CASE("errors name the keyword and never a value") {
  REQUIRE(message_of("hots=db1") == "unknown keyword 'hots' in a target");
  REQUIRE(message_of("postgres://db1/x?schmea=a") == "unknown keyword 'schmea' in a target");
  REQUIRE(message_of("host=a host=b") == "keyword 'host' stands twice in a target");
  REQUIRE(message_of("sslmode=hunter2") == "unknown value of keyword 'sslmode' in a target");
  REQUIRE(message_of("schema=''") == "keyword 'schema' of a target is empty");
  for (const char* const text : {"password=my hunter2",
                                 "password='hunter2",
                                 "postgres://u:hunter2%zz@db1/x",
                                 "postgres://u:hunter2@db1:port/x?a",
                                 "hunter2",
                                 "postgres://u:hunter2@[::1/x",
                                 "postgres://db1/x?password=hunter2%"}) {
    const Error error = error_of([&] { parse_pg_target(text); });
    INFO(error.what());
    REQUIRE(std::string(error.what()).find("hunter2") == std::string::npos);
    REQUIRE(error.hint().find("hunter2") == std::string::npos);
  }
}

TEST_CASE("a tenant source may set little") {
  const Target target =
      parse_source_pg_target("host=db1 port=1 user=u dbname=d schema=t_1", "verify-ca");
  REQUIRE(target.connection == "host=db1 port=1 dbname=d user=u sslmode=verify-ca");
  REQUIRE(target.schema == "t_1");
  const auto message = [](const char* text) {
    return std::string(error_of([&] { parse_source_pg_target(text, "require"); }).what());
  };
  for (const char* const keyword : {"password", "options", "sslrootcert", "service", "passfile"}) {
    REQUIRE(message((std::string("host=db1 ") + keyword + "=x").c_str()) ==
            "keyword '" + std::string(keyword) +
                "' is not allowed in a target out of a tenant source");
  }
  REQUIRE(message("postgres://u:hunter2@db1/x") ==
          "keyword 'password' is not allowed in a target out of a tenant source");
  REQUIRE(message("host=db1 sslmode=prefer") ==
          "keyword 'sslmode' of a target out of a tenant source is 'prefer', below the configured "
          "'require'");
  REQUIRE(message("host=db1 pooled='host=x options=y'") ==
          "keyword 'options' is not allowed in a target out of a tenant source");
  REQUIRE(parse_source_pg_target("host=db1 sslmode=verify-full", "require")
              .connection.find("sslmode=verify-full") != std::string::npos);
}
