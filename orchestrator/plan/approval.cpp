#include "orchestrator/plan/approval.h"

#include <set>

#include <fmt/format.h>

#include "engine/base/unicode.h"
#include "orchestrator/plan/canonical.h"
#include "orchestrator/plan/utc_time.h"

namespace drover::orchestrator::plan {
namespace {

/// How far the clocks of two people's machines may differ.
constexpr std::chrono::minutes kClockSlack{5};

/// Why the signature does not let `approval` count; empty: it does, or there is none to look at.
std::string signature_defect(const Approval& approval, const ApprovalRule& rule) {
  if (rule.trusted.empty()) {
    return "";
  }
  if (approval.signature.empty()) {
    return "not signed";
  }
  const auto found = rule.trusted.find(approval.key_id);
  if (found == rule.trusted.end() || found->second.key.key_id() != approval.key_id) {
    return "key not trusted";
  }
  const std::string statement = statement_of(approval, rule.environment);
  return found->second.key.verify(statement, approval.signature) ? "" : "signature does not verify";
}

std::string name_of(const Approval& approval, const ApprovalRule& rule) {
  return rule.trusted.empty() ? approval.who : rule.trusted.at(approval.key_id).owner;
}

/// Why `approval` does not count by itself; empty: it does.
std::string why_it_does_not_count(const Approval& approval, const ApprovalRule& rule) {
  if (approval.digest != rule.digest) {
    return "of another digest";
  }
  if (std::string defect = signature_defect(approval, rule); !defect.empty()) {
    return defect;
  }
  const std::string author = person_of(rule.author);
  if (person_of(approval.who) == author || person_of(name_of(approval, rule)) == author) {
    return "by the author";
  }
  if (approval.at > rule.now + kClockSlack) {
    return "dated in the future";
  }
  return rule.now - approval.at >= rule.expiry ? "expired" : "";
}

}  // namespace

std::string statement_of(const Approval& approval, const std::string& environment) {
  return Canonical()
      .text("drover approval 1")
      .text(environment)
      .text(approval.digest)
      .text(approval.who)
      .text(to_utc_text(approval.at))
      .bytes();
}

Approval sign_approval(const SigningKey& key,
                       const std::string& environment,
                       const std::string& digest,
                       const std::string& who,
                       WallTime at) {
  Approval approval{
      digest, who, std::chrono::floor<std::chrono::seconds>(at), key.public_key().key_id(), ""};
  approval.signature = key.sign(statement_of(approval, environment));
  return approval;
}

std::string person_of(std::string_view name) {
  const std::string_view before = name.substr(0, name.find('@'));
  return engine::base::folded(before.empty() ? name : before);
}

ApprovalCount enough_approvals(const std::vector<Approval>& approvals, const ApprovalRule& rule) {
  ApprovalCount count{rule.needed, {}, {}};
  std::set<std::string> people;
  for (const Approval& approval : approvals) {
    std::string why = why_it_does_not_count(approval, rule);
    if (!why.empty()) {
      count.left.push_back({approval, std::move(why)});
      continue;
    }
    const std::string name = name_of(approval, rule);
    if (people.insert(person_of(name)).second) {
      count.counted.push_back({approval, name});
    } else {
      count.left.push_back({approval, "by a person who is counted already"});
    }
  }
  return count;
}

}  // namespace drover::orchestrator::plan
