/// What a person at another terminal wants of a run that is under way. It travels through the
/// journal, so that it reaches the run wherever it lives.
///
/// Thread safety: plain values.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace drover::orchestrator {

struct Control {
  enum class What {
    pause,  ///< Nothing more is started, until go_on.
    go_on,
    halt,      ///< As a failure budget does: what is under way comes to its end.
    cancel,    ///< As halt, and what is under way is asked to stop, but for statements that would
               ///< leave something half-made behind (CONCURRENTLY).
    throttle,  ///< At most `in_flight` tenants at once.
    skip,      ///< `tenant` is left out, if its turn has not come.
    retry,     ///< Those of the stage under way that failed have another turn.
    force,     ///< As cancel, and those statements as well.
  };
  What what = What::pause;
  std::string who;  ///< "alice@host"
  std::string tenant = {};
  std::string reason = {};
  std::size_t in_flight = 0;

  bool operator==(const Control&) const = default;
};

/// Points to static storage.
std::string_view name_of(Control::What what) noexcept;

/// The control called `name`, or nullopt.
std::optional<Control::What> control_named(std::string_view name) noexcept;

}  // namespace drover::orchestrator
