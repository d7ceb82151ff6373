// A server that goes away in the middle of a run is paused and asked a real question until it
// answers; its tenants wait, and those of other servers do not.

#include <catch2/catch.hpp>

#include <chrono>
#include <functional>
#include <thread>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/support/tcp_proxy.h"

using drover::test::ProgramDir;
using drover::test::ProgramResult;
using drover::test::shared_cluster;
using drover::test::TcpProxy;
using namespace drover::test::fleet;  // NOLINT(google-build-using-namespace): tests only
using namespace std::chrono_literals;

namespace {

constexpr int kEach = 8;

/// Databases `prefix`0 and following, as entries of a list.
std::string databases(const std::string& prefix, int port) {
  std::string list;
  for (int i = 0; i < kEach; ++i) {
    const std::string name = fmt::format("{}{}", prefix, i);
    shared_cluster().create_database(name);
    list += fmt::format(
        "        - {{id: {0}, target: \"host=127.0.0.1 port={1} user=postgres dbname={0} "
        "sslmode=disable\"}}\n",
        name,
        port);
  }
  return list;
}

bool has_table(const std::string& database, const std::string& table) {
  return shared_cluster()
             .execute(database, fmt::format("SELECT to_regclass('{}') IS NOT NULL", table))
             .front()
             .front() == "t";
}

int with_table(const std::string& prefix, const std::string& table) {
  int count = 0;
  for (int i = 0; i < kEach; ++i) {
    count += has_table(fmt::format("{}{}", prefix, i), table) ? 1 : 0;
  }
  return count;
}

bool soon(const std::function<bool()>& holds) {
  for (int i = 0; i < 400 && !holds(); ++i) {
    std::this_thread::sleep_for(20ms);
  }
  return holds();
}

}  // namespace

TEST_CASE("A server that accepts connections and answers nothing is paused, and comes back",
          "[cli]") {
  const ProgramDir dir;
  TcpProxy proxy(shared_cluster().port());
  write_step(dir, 1, {"SELECT pg_sleep(0.15); CREATE TABLE one (x integer);", "DROP TABLE one;"});
  write_settings(dir,
                 "list:\n" + databases("cli_well_", shared_cluster().port()) +
                     databases("cli_gone_", proxy.port()),
                 "timeouts: {connect: 1s}\nlimits: {in_flight: 4, per_server: 2}\n");
  ProgramResult result;
  std::jthread program([&] { result = dir.run({"upgrade", "--yes", "-o", "json"}); });
  CHECK(soon([] { return with_table("cli_gone_", "one") >= 1; }));
  proxy.swallow(TcpProxy::Direction::to_client);  // from now on a TCP connect succeeds, and no more
  proxy.cut_all();
  CHECK(soon([] { return with_table("cli_well_", "one") == kEach; }));  // they did not wait
  CHECK(with_table("cli_gone_", "one") < kEach);
  std::this_thread::sleep_for(1500ms);  // long enough for a probe that a bare connect would pass
  CHECK(with_table("cli_gone_", "one") < kEach);
  proxy.heal();
  proxy.cut_all();
  program.join();
  INFO(result.err);
  CHECK(result.status == 0);
  CHECK(json::parse(result.out)["summary"]["applied"] == 2 * kEach);
  const std::string server = fmt::format("127.0.0.1:{}", proxy.port());
  CHECK(result.err.find("'" + server + "' is down") != std::string::npos);
}
