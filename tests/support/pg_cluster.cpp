#include "tests/support/pg_cluster.h"

#include <libpq-fe.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "engine/dialect.h"
#include "engine/postgres/conninfo.h"
#include "tests/support/pg_seed.h"

namespace drover::test {

namespace {

using PgConnection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using PgResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

constexpr std::chrono::seconds kStartLimit{30};

/// A port of 127.0.0.1 that nobody listens on at the moment.
std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool bound = fd >= 0 && bind(fd, any, size) == 0 && getsockname(fd, any, &size) == 0;
  if (fd >= 0) {
    close(fd);
  }
  if (!bound) {
    throw std::runtime_error("cannot find a free port");
  }
  return ntohs(address.sin_port);
}

std::filesystem::path place_for(PgClusterOptions::Files files) {
  constexpr std::uintmax_t kRoom = std::uintmax_t{4} * 1024 * 1024 * 1024;
  const std::filesystem::path memory = "/dev/shm";
  const bool wanted = files == PgClusterOptions::Files::memory_if_roomy;
  std::error_code none;
  const auto free_memory = static_cast<std::uintmax_t>(sysconf(_SC_AVPHYS_PAGES)) *
                           static_cast<std::uintmax_t>(sysconf(_SC_PAGESIZE));
  const std::filesystem::space_info space = std::filesystem::space(memory, none);
  const bool roomy = wanted && !none && space.available >= kRoom && free_memory >= kRoom;
  return roomy ? memory : std::filesystem::temp_directory_path();
}

/// libpq keywords; any name will do.
std::string keywords(std::string_view host, std::uint16_t port, std::string_view database) {
  std::string escaped;
  for (const char c : database) {
    escaped += c == '\'' || c == '\\' ? "\\" : "";
    escaped += c;
  }
  return fmt::format(
      "host='{}' port={} dbname='{}' user={}", host, port, escaped, PgCluster::kUser);
}

}  // namespace

PgCluster::PgCluster(PgClusterOptions options)
    : options_(std::move(options)), dir_("drover-pg", place_for(options_.files)) {
  copy_seed(dir_.path());
  write_settings();
  start();
}

PgCluster::~PgCluster() {
  if (pid_ != 0) {
    stop(Stop::immediate);
  }
}

bool PgCluster::available() {
  return !pg_binaries().empty();
}

void PgCluster::write_settings() const {
  const char* const auth =
      options_.loopback_auth == PgClusterOptions::LoopbackAuth::scram ? "scram-sha-256" : "trust";
  dir_.write("data/pg_hba.conf",
             fmt::format("local all all trust\n"
                         "host all all 127.0.0.1/32 {0}\n"
                         "host replication all 127.0.0.1/32 {0}\n",
                         auth));
  std::string settings = fmt::format(
      "unix_socket_directories = '{}'\n"
      "max_connections = {}\n"
      "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nautovacuum = off\n"
      "shared_buffers = 32MB\nmax_wal_size = 4GB\nlogging_collector = off\n",
      dir_.path().string(),
      options_.max_connections);
  for (const std::string& setting : options_.settings) {
    settings += setting + "\n";
  }
  dir_.write("data/postgresql.auto.conf", settings);
}

void PgCluster::launch() {
  const bool loopback = options_.listen == PgClusterOptions::Listen::loopback;
  pid_ = spawn_as_postgres({pg_binaries() / "postgres",
                            "-D",
                            dir_ / "data",
                            "-p",
                            std::to_string(port_),
                            "-c",
                            loopback ? "listen_addresses=127.0.0.1" : "listen_addresses="},
                           dir_ / "log");
}

/// False when the server ended instead.
bool PgCluster::wait_until_ready() {
  const auto limit = std::chrono::steady_clock::now() + kStartLimit;
  while (std::chrono::steady_clock::now() < limit) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = 0;
      return false;
    }
    if (PQping(conninfo("postgres").c_str()) == PQPING_OK) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // a server tells nobody
  }
  throw std::runtime_error("the server does not get ready: " + log());
}

void PgCluster::start() {
  const bool loopback = options_.listen == PgClusterOptions::Listen::loopback;
  const bool first = port_ == 5432;
  for (int attempt = 0; attempt < 5; ++attempt) {  // another process may be given the same port
    if (loopback && first) {
      port_ = free_port();
    }
    launch();
    if (wait_until_ready()) {
      return;
    }
  }
  throw std::runtime_error("the server does not start: " + log());
}

void PgCluster::stop(Stop how) {
  kill(pid_, how == Stop::fast ? SIGINT : SIGQUIT);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

std::string PgCluster::conninfo(std::string_view database) const {
  return keywords(socket_directory(), port_, database);
}

engine::Target PgCluster::target(std::string_view database, std::string_view schema) const {
  engine::Target target = engine::postgres::parse_pg_target(conninfo(database));
  target.schema = schema;
  return target;
}

engine::Target PgCluster::loopback_target(std::string_view database,
                                          std::string_view schema,
                                          std::uint16_t port) const {
  engine::Target target = engine::postgres::parse_pg_target(
      keywords("127.0.0.1", port == 0 ? port_ : port, database) + " sslmode=disable");
  target.schema = schema;
  if (options_.loopback_auth == PgClusterOptions::LoopbackAuth::scram) {
    target.password = engine::Secret(kPassword);
  }
  return target;
}

void PgCluster::create_database(std::string_view name) const {
  const std::string quoted = engine::quoted_identifier(name);
  execute("postgres", fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted));
  execute("postgres", fmt::format("CREATE DATABASE {}", quoted));
}

std::vector<PgCluster::Row> PgCluster::execute(std::string_view database,
                                               std::string_view sql) const {
  const PgConnection connection(PQconnectdb(conninfo(database).c_str()), &PQfinish);
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  const PgResult result(PQexec(connection.get(), std::string(sql).c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    throw std::runtime_error(fmt::format("{}: {}", sql, PQerrorMessage(connection.get())));
  }
  std::vector<Row> rows(static_cast<std::size_t>(PQntuples(result.get())));
  for (int r = 0; r < PQntuples(result.get()); ++r) {
    for (int c = 0; c < PQnfields(result.get()); ++c) {
      Row& row = rows[static_cast<std::size_t>(r)];
      if (PQgetisnull(result.get(), r, c) != 0) {
        row.emplace_back(std::nullopt);
      } else {
        row.emplace_back(PQgetvalue(result.get(), r, c));
      }
    }
  }
  return rows;
}

std::string PgCluster::value(std::string_view database, std::string_view sql) const {
  const std::vector<Row> rows = execute(database, sql);
  return rows.empty() || rows.front().empty() ? "" : rows.front().front().value_or("");
}

void PgCluster::terminate_backend(std::int64_t backend_pid) const {
  execute("postgres", fmt::format("SELECT pg_terminate_backend({})", backend_pid));
}

void PgCluster::kill_backend(std::int64_t backend_pid) const {
  kill(static_cast<pid_t>(backend_pid), SIGKILL);
}

std::string PgCluster::log() const {
  return dir_.read("log");
}

PgCluster& shared_cluster() {
  static PgCluster cluster;
  return cluster;
}

}  // namespace drover::test
