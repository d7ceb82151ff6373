/// Approvals of a plan: what one says, what of it is signed, and whether there are enough.
///
/// An approval is for one digest of plan_file.h, so a plan that is made again needs new ones.
/// approvals_file.h keeps them beside the plan; keys are in signing_key.h.
///
/// Thread safety: plain values and free functions without state.

#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/journal.h"
#include "orchestrator/plan/signing_key.h"

namespace drover::orchestrator::plan {

struct Approval {
  std::string digest;     ///< Of the plan.
  std::string who;        ///< "bob@host"
  WallTime at;            ///< Whole seconds.
  std::string key_id;     ///< PublicKey::key_id(); empty without a signature.
  std::string signature;  ///< In base64; empty for one that a server recorded.

  bool operator==(const Approval&) const = default;
};

/// What is signed: the bytes of canonical.h for the texts "drover approval 1", `environment`, the
/// digest, who, and the time as utc_time.h writes it.
std::string statement_of(const Approval& approval, const std::string& environment);

/// A signed approval. What `at` has beyond whole seconds is cut off.
Approval sign_approval(const SigningKey& key,
                       const std::string& environment,
                       const std::string& digest,
                       const std::string& who,
                       WallTime at);

/// The part before the first '@', in the way names compare whatever their case: alice@laptop,
/// Alice@desktop and alice are one person, who approves once, and not her own plan.
std::string person_of(std::string_view name);

struct TrustedKey {
  PublicKey key;
  std::string owner;  ///< A name as plans and approvals have them: "bob".
};

/// What approvals are counted for.
struct ApprovalRule {
  std::string environment;
  std::string digest;  ///< Of the plan.
  std::string author;  ///< Of the plan; does not count.
  std::size_t needed = 0;
  std::chrono::milliseconds expiry{0};  ///< From then on an approval is too old.
  WallTime now;
  /// By PublicKey::key_id(). Empty: approvals count by who they say they are of. Else only signed
  /// ones count, for the owner of their key.
  std::map<std::string, TrustedKey> trusted;
};

struct ApprovalCount {
  struct Counted {
    Approval approval;
    std::string person;
  };
  struct Left {
    Approval approval;
    std::string why;  ///< "expired", "by the author", ...
  };

  std::size_t needed = 0;
  std::vector<Counted> counted;  ///< One per person, in the order given.
  std::vector<Left> left;        ///< Those that do not count.

  bool enough() const noexcept { return counted.size() >= needed; }
};

ApprovalCount enough_approvals(const std::vector<Approval>& approvals, const ApprovalRule& rule);

}  // namespace drover::orchestrator::plan
