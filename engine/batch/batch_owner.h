/// Who works on a batch: a token for this process, and whether the owner of another is dead.
///
/// Thread safety: tokens and functions, from any thread.

#pragma once

#include <string>

namespace drover::engine::batch {

/// Stands for one piece of work of this process, as long as it lives.
class OwnerToken {
 public:
  OwnerToken();
  OwnerToken(const OwnerToken&) = delete;
  OwnerToken& operator=(const OwnerToken&) = delete;
  ~OwnerToken();

  /// "host/pid/space.random", another one for each; the space is that of the pid.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// Whether what `token` stands for ran on this machine and is gone: its process, or that piece of
/// work of ours. False where nobody can tell.
bool is_gone(const std::string& token);

}  // namespace drover::engine::batch
