#include "engine/base/child_start.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "engine/error.h"

namespace drover::engine::base {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

std::string words_for(int error) {
  return std::generic_category().message(error);
}

[[noreturn]] void not_started(const ChildRequest& request, const std::string& why) {
  throw Error(ErrorCode::usage,
              "command_not_started",
              fmt::format("command '{}' cannot be started: {}", request.argv.front(), why),
              "Check that the program exists, may be executed and is in PATH.");
}

/// `descriptor`, moved out of the way of 0, 1 and 2: those are where a child's ends go.
Descriptor above_standard(Descriptor descriptor) {
  if (descriptor.get() > STDERR_FILENO) {
    return descriptor;
  }
  const int moved = ::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (moved < 0) {
    no_resources("a file descriptor", errno);
  }
  return Descriptor(moved);
}

/// The file that argv[0] means. A lookup of our own, so that PATH is the one that the child gets.
std::string program_of(const ChildRequest& request,
                       const std::map<std::string, std::string>& environment) {
  const std::string& name = request.argv.front();
  if (name.find('/') != std::string::npos) {
    return name;
  }
  const auto path = environment.find("PATH");
  std::string_view rest = path == environment.end() ? kDefaultPath : std::string_view(path->second);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    std::string file = fmt::format("{}/{}", rest.substr(0, end), name);
    std::error_code ignored;
    if (file.front() == '/' && ::access(file.c_str(), X_OK) == 0 &&
        !std::filesystem::is_directory(file, ignored)) {
      return file;
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  not_started(request, "it is not in PATH");
}

/// What posix_spawn wants for argv and environment: pointers, the last one null.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

/// posix_spawn's two bags of settings.
class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, kFlags);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  void wire(const std::filesystem::path& directory, int input, int output, int errors) {
    if (!directory.empty()) {
      ::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str());
    }
    ::posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
  }

  const posix_spawn_file_actions_t* actions() const noexcept { return &actions_; }
  const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
  static constexpr short kFlags =
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

void no_resources(std::string_view what, int error) {
  throw Error(ErrorCode::storage,
              "no_resources",
              fmt::format("cannot make {} for a child process: {}", what, words_for(error)),
              "Free processes, files or memory, or raise their limits.");
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    no_resources("a pipe", errno);
  }
  Descriptor reads(ends[0]);
  Descriptor writes(ends[1]);
  return {above_standard(std::move(reads)), above_standard(std::move(writes))};
}

Descriptor make_input(const std::optional<std::string>& text) {
  if (!text) {
    Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null.is_open()) {
      no_resources("/dev/null", errno);
    }
    return above_standard(std::move(null));
  }
  // A file in memory cannot block and needs nobody to write it.
  Descriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (!file.is_open()) {
    no_resources("its input", errno);
  }
  for (std::size_t done = 0; done < text->size();) {
    const ssize_t written = ::write(file.get(), text->data() + done, text->size() - done);
    if (written < 0 && errno != EINTR) {
      no_resources("its input", errno);
    }
    done += written > 0 ? static_cast<std::size_t>(written) : 0;
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return above_standard(std::move(file));
}

Child::Child(const ChildRequest& request, int input, int output, int errors) {
  std::map<std::string, std::string> environment = clean_environment();
  for (const auto& [name, value] : request.variables) {
    environment[name] = value;
  }
  std::vector<std::string> variables;
  variables.reserve(environment.size());
  for (const auto& [name, value] : environment) {
    variables.push_back(fmt::format("{}={}", name, value));
  }
  std::vector<std::string> arguments = request.argv;
  const std::string program = program_of(request, environment);
  SpawnSettings settings;
  settings.wire(request.directory, input, output, errors);
  const int error = ::posix_spawn(&pid_,
                                  program.c_str(),
                                  settings.actions(),
                                  settings.attributes(),
                                  pointers_to(arguments).data(),
                                  pointers_to(variables).data());
  if (error == EAGAIN || error == ENOMEM) {
    no_resources("a process", error);
  }
  if (error != 0) {
    not_started(request, words_for(error));
  }
  // glibc 2.36 declares pidfd_open() without extern "C".
  handle_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!handle_.is_open()) {
    const int reason = errno;
    signal_group(SIGKILL);
    reap();
    no_resources("a process handle", reason);
  }
}

Child::~Child() {
  if (!reaped_) {
    signal_group(SIGKILL);
    reap();
  }
}

void Child::signal_group(int signal) const noexcept {
  if (::kill(-pid_, signal) != 0 || signal == SIGKILL) {
    ::kill(pid_, signal);
  }
}

siginfo_t Child::reap() noexcept {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
  }
  reaped_ = true;
  return info;
}

}  // namespace drover::engine::base
