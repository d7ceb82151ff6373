// A connection pooler in between: refused for changes, good enough for status.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "engine/tenant_status.h"
#include "tests/engine/executor/rig.h"

namespace drover::engine::test {
namespace {

constexpr const char* kPgBouncer = "/usr/sbin/pgbouncer";

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

/// A pgbouncer with transaction pooling, thrown away afterwards.
class Bouncer {
 public:
  explicit Bouncer(const std::string& ignored_parameters) : dir_("bouncer"), port_(free_port()) {
    const auto ini = dir_.write(
        "pgbouncer.ini",
        fmt::format(
            "[databases]\n{} = host={} port={} user=postgres\n[pgbouncer]\nlisten_addr = "
            "127.0.0.1\n"
            "listen_port = {}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
            "ignore_startup_parameters = {}\nlogfile = {}\n",
            kDatabase,
            cluster().socket_directory(),
            cluster().port(),
            port_,
            ignored_parameters,
            (dir_.path() / "log").string()));
    const passwd* const user = getpwnam("postgres");
    REQUIRE(chown(dir_.path().c_str(), user->pw_uid, user->pw_gid) == 0);
    REQUIRE(chown(ini.c_str(), user->pw_uid, user->pw_gid) == 0);
    const bool root = getuid() == 0;
    const std::string file = ini.string();
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (root && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) {
        _exit(1);
      }
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // changing the user has cleared it
      execl(kPgBouncer, "pgbouncer", "-q", file.c_str(), nullptr);
      _exit(1);
    }
    REQUIRE(eventually([&] {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = loopback(port_);
      const bool open =
          connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
      close(fd);
      return open;
    }));
  }
  Bouncer(const Bouncer&) = delete;
  Bouncer& operator=(const Bouncer&) = delete;
  ~Bouncer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  std::uint16_t port() const { return port_; }

 private:
  TempDir dir_;
  std::uint16_t port_;
  pid_t pid_ = 0;
};

TEST_CASE("a pooler in between is refused for changes, whether or not it takes our options") {
  if (access(kPgBouncer, X_OK) != 0) {
    WARN("there is no pgbouncer to test with");
    return;
  }
  const char* const ignored = GENERATE("extra_float_digits", "extra_float_digits, options");
  const Bouncer bouncer(ignored);
  const PgTenant tenant;
  Target target = cluster().loopback_target(kDatabase, tenant.schema(), bouncer.port());
  Rig rig;
  const MigrationSet set = line_of({up_down("SELECT 1")});
  const ApplyOutcome outcome = rig.up(target, set);
  CHECK(told(outcome) ==
        fmt::format("unreachable: a connection pooler stands between us and {} [pooler_in_between]",
                    target.server));
  CHECK_FALSE(tenant.has_table("drover_tenant"));
  // Nothing of ours stays in the pooler's sessions: no lock, no search_path.
  CHECK(cluster().value(kDatabase, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") ==
        "0");
  Target pooled = target;
  pooled.pooled = target.connection;
  OpenOptions reading;
  reading.purpose = OpenOptions::Purpose::read;
  const auto reader = rig.sessions.open(pooled, reading, {}).session;
  REQUIRE(reader);
  const Statement ask{"SELECT current_setting('search_path')"};
  CHECK(reader->exchange(std::span(&ask, 1), {}).results.at(0).rows.at(0).at(0) ==
        "\"$user\", public");

  SECTION("status may use it as the target's pooled address") {
    REQUIRE(rig.up(tenant.target(), set).kind == Kind::applied);
    Target both = tenant.target();
    both.pooled = target.connection;
    both.connection = "host=/nowhere dbname=none";  // not asked
    TenantSession session(rig.sessions, *rig.clock, both, rig.facts, rig.options.approach);
    CHECK(read_status(session, set, "heads", {}).state == TenantState::current);
  }
}

}  // namespace
}  // namespace drover::engine::test
