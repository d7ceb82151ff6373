#include "engine/base/child_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "engine/base/child_start.h"
#include "engine/error.h"

namespace drover::engine::base {
namespace {

using SteadyClock = std::chrono::steady_clock;
using End = ChildResult::End;

constexpr std::array kVariablesKept = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"};

/// How long the pipes of a killed group may stay open: only a process that left the group holds
/// them.
constexpr std::chrono::milliseconds kLastWords{200};

/// Longer deadlines mean this one, so that no sum overflows.
constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);

/// One output of the child, as far as it is kept.
struct Channel {
  Descriptor pipe;
  std::string* text = nullptr;
};

/// Watches one child to its end.
class Watch {
 public:
  Watch(const ChildRequest& request, Child& child, Pipe& output, Pipe& errors)
      : request_(request),
        child_(child),
        deadline_(SteadyClock::now() + std::min(request.deadline, kLongest)) {
    channels_[0] = {std::move(output.reads), &result_.output};
    channels_[1] = {std::move(errors.reads), &result_.errors};
    stop_event_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_event_.is_open()) {
      no_resources("an event", errno);
    }
  }

  ChildResult run() {
    const std::stop_callback on_stop(request_.stop, [event = stop_event_.get()] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(event, &one, sizeof one);
    });
    while (!ended_) {
      wait();
    }
    child_.signal_group(SIGKILL);  // what it left behind
    deadline_ = SteadyClock::now() + kLastWords;
    while (has_open_channel() && SteadyClock::now() < deadline_) {
      wait();
    }
    const siginfo_t info = child_.reap();
    result_.status = info.si_status;
    if (!ended_by_us_) {
      result_.end = info.si_code == CLD_EXITED ? End::exited : End::signalled;
    }
    return std::move(result_);
  }

 private:
  bool has_open_channel() const noexcept {
    return std::any_of(channels_.begin(), channels_.end(), [](const Channel& channel) {
      return channel.pipe.is_open();
    });
  }

  /// Waits for the next event, or the deadline, and acts on it.
  void wait() {
    std::array<pollfd, 4> events{};
    events[0] = {channels_[0].pipe.get(), POLLIN, 0};
    events[1] = {channels_[1].pipe.get(), POLLIN, 0};
    events[2] = {ended_ ? -1 : child_.handle(), POLLIN, 0};
    events[3] = {ended_by_us_ || ended_ ? -1 : stop_event_.get(), POLLIN, 0};
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline_ - SteadyClock::now()).count();
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
    ::poll(events.data(), events.size(), timeout);
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      if (events[i].revents != 0) {
        read(channels_[i]);
      }
    }
    if (events[2].revents != 0) {
      ended_ = true;
    } else if (events[3].revents != 0) {
      end_group(End::stopped);
    } else if (!ended_ && SteadyClock::now() >= deadline_) {
      end_group(End::timed_out);
    }
  }

  void read(Channel& channel) {
    std::array<char, std::size_t{64} * 1024> buffer;
    const ssize_t count = ::read(channel.pipe.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      return;
    }
    if (count <= 0) {
      channel.pipe.close();
      return;
    }
    if (request_.on_output && channel.text == &result_.output) {
      request_.on_output({buffer.data(), static_cast<std::size_t>(count)});
      return;
    }
    const std::size_t room = request_.output_limit - channel.text->size();
    const auto size = static_cast<std::size_t>(count);
    channel.text->append(buffer.data(), std::min(size, room));
    if (size > room) {
      result_.truncated = true;
      if (request_.too_much_output == ChildRequest::TooMuchOutput::end && !ended_) {
        end_group(End::too_long);
      }
    }
  }

  /// Ends the group politely; when called again, a grace later, for good.
  void end_group(End why) {
    if (ended_by_us_ && SteadyClock::now() < deadline_) {
      return;
    }
    child_.signal_group(ended_by_us_ ? SIGKILL : SIGTERM);
    if (!ended_by_us_) {
      result_.end = why;
      ended_by_us_ = true;
    }
    deadline_ = SteadyClock::now() + request_.grace;
  }

  const ChildRequest& request_;
  Child& child_;
  SteadyClock::time_point deadline_;  ///< When to act next.
  std::array<Channel, 2> channels_;
  Descriptor stop_event_;
  bool ended_ = false;
  bool ended_by_us_ = false;
  ChildResult result_;
};

}  // namespace

std::string describe(const ChildResult& result, const ChildRequest& request) {
  switch (result.end) {
    case End::exited:
      return fmt::format("exited with status {}", result.status);
    case End::signalled:
      return fmt::format("was killed by signal {}", result.status);
    case End::timed_out:
      return fmt::format("did not end within {} ms", request.deadline.count());
    case End::stopped:
      return "was stopped";
    case End::too_long:
      return fmt::format("wrote more than {} bytes", request.output_limit);
  }
  return "ended";
}

std::map<std::string, std::string> clean_environment() {
  std::map<std::string, std::string> environment;
  for (const char* const name : kVariablesKept) {
    if (const char* const value = std::getenv(name)) {
      environment.emplace(name, value);
    }
  }
  return environment;
}

ChildResult run_child(const ChildRequest& request) {
  if (request.argv.empty() || request.argv.front().empty()) {
    throw Error(ErrorCode::usage,
                "command_not_started",
                "a command names no program",
                "Give the program and its arguments as a list.");
  }
  Descriptor input = make_input(request.input);
  Pipe output = make_pipe();
  Pipe errors = make_pipe();
  Child child(request, input.get(), output.writes.get(), errors.writes.get());
  output.writes.close();  // so that the child's end is the last one
  errors.writes.close();
  return Watch(request, child, output, errors).run();
}

}  // namespace drover::engine::base
