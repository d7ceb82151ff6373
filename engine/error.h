/// The base of every exception this project throws on purpose.
///
/// An exception that does not derive from drover::Error is a bug in this program: main() reports it
/// as one, with exit status 70. What became of one tenant's migration is not an exception but a
/// value: see TenantFault in engine/fault.h and ApplyOutcome in engine/executor.h.
///
/// This header is the one file of the domain that every room may include, engine/base/ too.

#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

namespace drover {

/// What kind of thing went wrong, as scripts see it: the number is the process exit status, the
/// name is the "code" of a JSON error. Both are a promise to users, so add to the end and never
/// renumber.
enum class ErrorCode : int {
  usage = 2,         ///< The command line, a configuration file or the history makes no sense.
  incomplete = 3,    ///< The run finished, and some tenants failed or were skipped.
  halted = 4,        ///< The run was stopped: failure budget, gate or operator.
  busy = 5,          ///< Another run holds the lock. Trying again later is safe.
  unreachable = 6,   ///< No target, or not the run store, could be reached or would let us in.
  verification = 7,  ///< Drift, a changed migration file, or a broken signature or audit chain.
  waiting = 8,       ///< Paused, or an approval is missing.
  pending = 10,      ///< Changes are pending; an exit status only where it was asked for.
  internal = 70,     ///< A bug in this program.
  storage = 74,      ///< Our own input or output failed: the run store, a full disk.
};

/// The name of `code` as JSON shows it, for example "usage". Points to static storage.
const char* name_of(ErrorCode code) noexcept;

/// Where in a file something stands. An empty file means "no place"; line and column count from 1,
/// and 0 means "not known". Columns count characters (code points), as editors do.
struct Place {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;

  bool operator==(const Place&) const = default;
};

/// "migrations/0004_x.sql:12:3"; leaves out what is not known. Empty for no place.
std::string to_string(const Place& place);

/// An error meant for a person.
///
/// what() is one lowercase sentence without a full stop, and names the thing that is wrong. hint()
/// is what to do next: a whole sentence, never empty. kind_name() is a stable snake_case word that
/// scripts may compare, for example "lock_timeout". place() is where it stands, when it stands in a
/// file; what() does not repeat it, whoever prints the error puts it in front.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code,
        std::string kind_name,
        const std::string& message,
        std::string hint,
        Place place = {})
      : std::runtime_error(message),
        code_(code),
        kind_name_(std::move(kind_name)),
        hint_(std::move(hint)),
        place_(std::move(place)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& kind_name() const noexcept { return kind_name_; }
  const std::string& hint() const noexcept { return hint_; }
  const Place& place() const noexcept { return place_; }

 private:
  ErrorCode code_;
  std::string kind_name_;
  std::string hint_;
  Place place_;
};

}  // namespace drover
