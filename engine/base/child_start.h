/// How a child comes to be: its pipes, its input, its environment and its process group.
///
/// For child_process.cpp only, which watches what is started here.
///
/// Thread safety: distinct objects are independent. Errors: as child_process.h says.

#pragma once

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/base/child_process.h"

namespace drover::engine::base {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { close(); }

  int get() const noexcept { return value_; }
  bool is_open() const noexcept { return value_ >= 0; }
  void close() noexcept {
    if (is_open()) {
      ::close(std::exchange(value_, -1));
    }
  }

 private:
  int value_ = -1;
};

/// Both ends close on exec and are above the standard three.
struct Pipe {
  Descriptor reads;
  Descriptor writes;
};

Pipe make_pipe();

/// The child's standard input: `text`, or /dev/null.
Descriptor make_input(const std::optional<std::string>& text);

[[noreturn]] void no_resources(std::string_view what, int error);

/// A started child: its group lives at most as long as this object, and is reaped by it.
class Child {
 public:
  /// Starts it with these three as its standard descriptors.
  Child(const ChildRequest& request, int input, int output, int errors);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  /// Readable as soon as the child has ended.
  int handle() const noexcept { return handle_.get(); }

  /// The group's id stays ours until the child is reaped. A child that has left its group is hit by
  /// itself.
  void signal_group(int signal) const noexcept;

  /// Waits for the end of the child. Call it once.
  siginfo_t reap() noexcept;

 private:
  pid_t pid_ = -1;
  Descriptor handle_;
  bool reaped_ = false;
};

}  // namespace drover::engine::base
