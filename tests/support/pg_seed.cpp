#include "tests/support/pg_seed.h"

#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "tests/support/pg_cluster.h"

namespace drover::test {

namespace {

namespace fs = std::filesystem;

bool is_root() noexcept {
  return geteuid() == 0;
}

/// Who the server runs as.
passwd server_user() {
  const passwd* const user = is_root() ? getpwnam("postgres") : getpwuid(geteuid());
  if (user == nullptr) {
    throw std::runtime_error("there is no user postgres to run a server as");
  }
  return *user;
}

/// First line that `command` prints.
std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), &pclose);
  char line[512] = {};
  if (!pipe || fgets(line, sizeof(line), pipe.get()) == nullptr) {
    return {};
  }
  const std::string text = line;
  return text.substr(0, text.find('\n'));
}

fs::path find_binaries() {
  if (const char* const chosen = getenv("PG_BINDIR")) {
    return chosen;
  }
  fs::path newest;
  int newest_major = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const int major = std::atoi(entry.path().filename().c_str());
    if (major > newest_major && fs::exists(entry.path() / "bin" / "initdb")) {
      newest = entry.path() / "bin";
      newest_major = major;
    }
  }
  if (!newest.empty()) {
    return newest;
  }
  const fs::path configured = output_of("pg_config --bindir 2>/dev/null");
  return fs::exists(configured / "initdb") ? configured : fs::path();
}

void run(const std::vector<std::string>& arguments, const fs::path& log) {
  const pid_t child = spawn_as_postgres(arguments, log);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    std::ifstream in(log);
    throw std::runtime_error(fmt::format(
        "{} failed: {}",
        arguments.front(),
        std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>())));
  }
}

/// An exclusive lock between processes, held as long as the object lives.
class FileLock {
 public:
  explicit FileLock(const fs::path& file)
      : fd_(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    if (fd_ < 0 || flock(fd_, LOCK_EX) != 0) {
      throw std::runtime_error("cannot lock " + file.string());
    }
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { close(fd_); }

 private:
  int fd_;
};

void make_seed(const fs::path& seed, const passwd& user) {
  const TempDir work("drover-pg-initdb");
  const fs::path password = work.write("password", PgCluster::kPassword);
  for (const fs::path& mine : {work.path(), password}) {
    if (chown(mine.c_str(), user.pw_uid, user.pw_gid) != 0) {
      throw std::runtime_error("cannot give away " + mine.string());
    }
  }
  run({pg_binaries() / "initdb",
       "--no-sync",
       "--auth=trust",
       "--encoding=UTF8",
       "--locale=C.UTF-8",
       "--wal-segsize=1",
       std::string("--username=") + PgCluster::kUser,
       "--pwfile=" + password.string(),
       "--pgdata=" + (work / "data").string()},
      work / "log");
  fs::rename(work / "data", seed);
}

/// The seed's folder, made if it is not there yet.
fs::path seed_of_this_version(const passwd& user) {
  std::string version = output_of((pg_binaries() / "postgres").string() + " --version");
  version = version.substr(version.find(')') + 2);  // "postgres (PostgreSQL) 15.20 (Debian ...)"
  version = version.substr(0, version.find(' '));
  const fs::path seed =
      fs::temp_directory_path() / fmt::format("drover-pg-seed-{}-{}", version, user.pw_uid);
  const FileLock lock(seed.string() + ".lock");
  struct stat found = {};
  if (lstat(seed.c_str(), &found) != 0) {
    make_seed(seed, user);
  } else if (found.st_uid != user.pw_uid || !S_ISDIR(found.st_mode)) {
    throw std::runtime_error(seed.string() + " belongs to somebody else");
  }
  return seed;
}

}  // namespace

fs::path pg_binaries() {
  static const fs::path found = find_binaries();
  return found;
}

void copy_seed(const fs::path& dir) {
  if (pg_binaries().empty()) {
    throw std::runtime_error("no PostgreSQL server is installed; set PG_BINDIR");
  }
  const passwd user = server_user();
  const fs::path seed = seed_of_this_version(user);
  const fs::path log = dir / "log";
  std::ofstream(log).close();
  for (const fs::path& mine : {dir, log}) {
    if (chown(mine.c_str(), user.pw_uid, user.pw_gid) != 0) {
      throw std::runtime_error("cannot give away " + mine.string());
    }
  }
  run({"/bin/cp", "-a", "--reflink=auto", seed, dir / "data"}, log);
}

pid_t spawn_as_postgres(const std::vector<std::string>& arguments, const fs::path& log) {
  std::vector<std::string> all = {"setpriv", "--pdeathsig=INT"};
  if (is_root()) {
    all.insert(all.end(), {"--reuid=postgres", "--regid=postgres", "--init-groups"});
  }
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : all) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0644);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t child = 0;
  const int failure = posix_spawnp(&child, "setpriv", &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failure != 0) {
    throw std::runtime_error("cannot start setpriv: " + std::generic_category().message(failure));
  }
  return child;
}

}  // namespace drover::test
