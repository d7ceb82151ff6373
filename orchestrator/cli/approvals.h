/// Approvals of what is in a file, a plan or an order to restore: giving one, and counting them.
///
/// Thread safety: one invocation, one thread.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/cli/verb.h"
#include "orchestrator/options.h"
#include "orchestrator/rollout_options.h"

namespace drover::orchestrator::cli {

/// What people agree to.
struct Approvable {
  std::string_view noun;  ///< "plan", "order"
  std::string environment;
  std::string digest;
  std::string author;
  std::filesystem::path file;  ///< Its approvals are beside it.
};

/// Asks, and adds an approval of whoever runs this; with --key a signed one.
///
/// Throws Error usage: own_plan; Error halted: declined; those of approvals_file.h.
void give_approval(const Approvable& what, const std::string& description, Invocation& invocation);

/// The approvals that count, as the journal keeps them.
///
/// Throws Error waiting: approval_missing, with what is there and why it does not count.
std::vector<std::string> check_approvals(const Approvable& what,
                                         const RolloutOptions& rollout,
                                         Console& console);

/// An approval is for a file, so where one is asked for there has to be a file. `what`: "plans".
///
/// Throws Error waiting: approval_missing, with `hint`.
void refuse_unapproved(const Environment& environment,
                       std::string_view what,
                       const std::string& hint);

}  // namespace drover::orchestrator::cli
