#include "orchestrator/cli/approvals.h"

#include <chrono>

#include <fmt/format.h>

#include "engine/api/engine_means.h"
#include "engine/error.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/steering.h"
#include "orchestrator/plan/approvals_file.h"
#include "orchestrator/plan/utc_time.h"

namespace drover::orchestrator::cli {

void give_approval(const Approvable& what, const std::string& description, Invocation& invocation) {
  const std::string who = engine::api::who_we_are();
  if (plan::person_of(who) == plan::person_of(what.author)) {
    throw Error(ErrorCode::usage,
                "own_plan",
                fmt::format("the {} is by {}, who cannot approve it", what.noun, what.author),
                "Let somebody else approve it.");
  }
  const auto now = std::chrono::system_clock::now();
  plan::Approval approval{what.digest, who, now, {}, {}};
  if (const auto key = invocation.arguments.optional("key")) {
    approval =
        plan::sign_approval(plan::SigningKey::read(in_working_directory(invocation.globals, *key)),
                            what.environment,
                            what.digest,
                            who,
                            now);
  }
  if (!invocation.console.confirm(fmt::format("{}, {}. Approve it?", description, what.digest))) {
    throw Error(ErrorCode::halted,
                "declined",
                fmt::format("the {} is not approved", what.noun),
                "Run it again when you are sure.");
  }
  plan::add_approval(plan::approvals_file_of(what.file), approval);
  invocation.console.say(fmt::format("{} approves {}", who, what.digest));
}

std::vector<std::string> check_approvals(const Approvable& what,
                                         const RolloutOptions& rollout,
                                         Console& console) {
  plan::ApprovalRule rule;
  rule.environment = what.environment;
  rule.digest = what.digest;
  rule.author = what.author;
  rule.needed = rollout.approvals;
  rule.expiry = rollout.approval_expiry;
  rule.now = std::chrono::system_clock::now();
  for (const auto& [owner, path] : rollout.approval_keys) {
    const plan::PublicKey key = plan::PublicKey::read(path);
    const std::string id = key.key_id();
    rule.trusted.emplace(id, plan::TrustedKey{key, owner});
  }
  const plan::ApprovalCount count =
      plan::enough_approvals(plan::read_approvals(plan::approvals_file_of(what.file)), rule);
  for (const auto& left : count.left) {
    console.warn(fmt::format(
        "the approval by {} does not count: {}", printable(left.approval.who), left.why));
  }
  if (!count.enough()) {
    throw Error(ErrorCode::waiting,
                "approval_missing",
                fmt::format("{} of {} approvals of the {} are there",
                            count.counted.size(),
                            count.needed,
                            what.noun),
                fmt::format("Let somebody else than {} say drover approve {}.",
                            what.author,
                            what.file.filename().string()));
  }
  std::vector<std::string> texts;
  for (const auto& counted : count.counted) {
    texts.push_back(
        fmt::format("{} approved {} at {}{}",
                    counted.approval.who,
                    counted.approval.digest,
                    plan::to_utc_text(counted.approval.at),
                    counted.approval.key_id.empty()
                        ? ""
                        : fmt::format(", signed with key {}", counted.approval.key_id)));
  }
  return texts;
}

void refuse_unapproved(const Environment& environment,
                       std::string_view what,
                       const std::string& hint) {
  if (environment.rollout && environment.rollout->approvals > 0) {
    throw Error(ErrorCode::waiting,
                "approval_missing",
                fmt::format("environment '{}' wants its {} approved by {}",
                            environment.name,
                            what,
                            environment.rollout->approvals == 1 ? "somebody else" : "others"),
                hint,
                environment.rollout->place);
  }
}

}  // namespace drover::orchestrator::cli
