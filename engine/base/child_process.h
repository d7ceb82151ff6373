/// Runs another program to its end: without a shell, for a limited time, with limited output and in
/// an environment that says what it holds.
///
/// The child leads a process group of its own, so that what it starts goes with it: the group gets
/// SIGTERM and, a grace later, SIGKILL when time is up, when a stop is asked for or when it says
/// too much; and SIGKILL when the child has ended and left others behind. No file descriptor but 0,
/// 1 and 2 reaches it; all its signals have their default meaning.
///
/// What the output means is for the caller to say. A secret belongs into `variables` or `input`,
/// never into `argv`, which every process of the machine can read.
///
/// Thread safety: any number of threads may run children at the same time.
/// Errors: a program that cannot be started at all throws Error usage (command_not_started); our
/// own lack of processes, files or memory throws Error storage (no_resources). Everything a started
/// child does is a value.

#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace drover::engine::base {

struct ChildRequest {
  enum class TooMuchOutput {
    drop,  ///< Read on and throw away what is over the limit.
    end,   ///< End the group: more output has no use.
  };

  /// The program and its arguments. A name without a slash is looked up in PATH; a relative path
  /// starts at `directory`.
  std::vector<std::string> argv;
  std::filesystem::path directory;               ///< Where it runs; empty: where we do.
  std::map<std::string, std::string> variables;  ///< On top of clean_environment().
  std::optional<std::string> input;              ///< Its standard input; nullopt: /dev/null.
  std::chrono::milliseconds deadline{10'000};
  std::chrono::milliseconds grace{2'000};  ///< From SIGTERM to SIGKILL.
  /// For standard output, and as much for standard error.
  std::size_t output_limit = std::size_t{64} * 1024;
  TooMuchOutput too_much_output = TooMuchOutput::drop;

  /// Takes its standard output piece by piece instead, however much it is. Called on the caller's
  /// thread; what it throws ends the group and is thrown on.
  std::function<void(std::string_view)> on_output = {};
  std::stop_token stop;
};

struct ChildResult {
  enum class End {
    exited,     ///< By itself; `status` is its exit status.
    signalled,  ///< By a signal that we did not send; `status` is the signal.
    timed_out,  ///< By us, at the deadline.
    stopped,    ///< By us, on request.
    too_long,   ///< By us, over its output.
  };

  End end = End::exited;
  int status = 0;
  std::string output;
  std::string errors;
  bool truncated = false;  ///< `output` or `errors` reached the limit.

  bool succeeded() const noexcept { return end == End::exited && status == 0; }
};

/// "exited with status 3", "was killed by signal 11", "did not end within 10000 ms", "was stopped",
/// "wrote more than 65536 bytes". For messages: "command 'x' " + this.
std::string describe(const ChildResult& result, const ChildRequest& request);

/// What a child may see of our own environment: PATH, HOME, USER, LOGNAME, LANG, LC_ALL, TZ and
/// TMPDIR, where set.
std::map<std::string, std::string> clean_environment();

ChildResult run_child(const ChildRequest& request);

}  // namespace drover::engine::base
