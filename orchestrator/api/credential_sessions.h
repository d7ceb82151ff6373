/// Sessions that know when a password is stale: it is read again from where it came from, and one
/// that the server has refused is not tried a second time.
///
/// Of each role of a server the first session is opened alone; the others wait until its password
/// is known to be good, so that a fleet does not lock its role out with hundreds of wrong attempts
/// at once. When the server refuses the password (SQLSTATE 28P01), the secrets are read again, once
/// until the role is let in. A tenant whose password has changed by that is tried with the new one;
/// others get the server's answer without another attempt: two wrong passwords are the end of it.
/// Passwords that libpq finds by itself (.pgpass, a service file) are read by it for each session,
/// and pass through here.
///
/// Thread safety: any number of threads. Errors: those of the sessions behind it.

#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/session.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator {

class CredentialSessions final : public engine::SessionFactory {
 public:
  /// Gives the fleet with its secrets as they are now. What it throws as Error counts as "nothing
  /// new". One call at a time.
  using Reread = std::function<std::vector<Tenant>()>;

  /// `sessions` must outlive the object.
  CredentialSessions(engine::SessionFactory& sessions, Reread reread);

  engine::OpenResult open(const engine::Target& target,
                          const engine::OpenOptions& options,
                          const engine::Patience& patience) override;

 private:
  /// Server, role, password.
  using Credential = std::tuple<std::string, std::string, std::string>;
  /// Server, role.
  using Role = std::pair<std::string, std::string>;
  /// Server, database, schema.
  using Address = std::tuple<std::string, std::string, std::string>;

  struct Standing {
    enum class Is { untried, being_tried, good, refused } is = Is::untried;
    engine::SqlError refusal = {};
  };

  enum class Turn { go, over, refused };
  Turn take_turn(const Credential& credential,
                 const engine::Patience& patience,
                 engine::SqlError& refusal);
  void settle(const Credential& credential, const engine::OpenResult& opened);
  engine::Target latest(const engine::Target& target);
  void read_again(const Credential& refused);

  static Credential credential_of(const engine::Target& target);
  static Address address_of(const engine::Target& target);

  engine::SessionFactory& sessions_;
  const Reread reread_;
  std::mutex mutex_;  ///< Guards what follows.
  std::condition_variable_any settled_;
  std::map<Credential, Standing> standings_;
  std::map<Address, engine::Secret> passwords_;  ///< That were read again.

  std::mutex reread_mutex_;  ///< One reads at a time; the others find what it read.
  std::set<Role> read_for_;  ///< Since they were last let in. Guarded by mutex_.
};

}  // namespace drover::orchestrator
