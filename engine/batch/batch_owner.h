/// Who works on a batch: a token for this process, and whether the owner of another is dead.
///
/// Thread safety: free functions.

#pragma once

#include <string>

namespace drover::engine::batch {

/// "host/pid/random", another one at each call.
std::string new_owner_token();

/// Whether the process that `token` names ran on this machine and is gone. False where nobody can
/// tell.
bool is_gone(const std::string& token);

}  // namespace drover::engine::batch
