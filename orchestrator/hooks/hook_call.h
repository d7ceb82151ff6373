/// Calls the program of a hook and says how it ended.
///
/// The program gets a clean environment and the facts on top of it (see facts_text.h), and the same
/// facts on its standard input. It leads a process group of its own, which is ended as a whole; it
/// has its deadline, and what it writes beyond a limit is thrown away.
///
/// Thread safety: any number of threads. Errors: none; what goes wrong is an end.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "engine/clock.h"
#include "orchestrator/hook_facts.h"

namespace drover::orchestrator::hooks {

/// Of each of the two streams, and of what is kept of both.
inline constexpr std::size_t kMostOutput = std::size_t{64} * 1024;

struct HookEnd {
  bool succeeded = false;

  /// "before_tenant hook './drain.sh' exited with status 1: no such node". One line.
  std::string text;
  std::string output;  ///< All that it wrote, standard error last; at most kMostOutput bytes.
};

/// Blocks up to the hook's deadline, and 2 s more for a program that SIGTERM does not end.
/// `directory` is where it runs.
HookEnd call_hook(const HookOptions& hook,
                  const HookFacts& facts,
                  const std::filesystem::path& directory,
                  const engine::Patience& patience);

}  // namespace drover::orchestrator::hooks
