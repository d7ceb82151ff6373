/// How databases and schemas of ours are told from those of others: their comment begins with what
/// we have made, closed or set aside them for. What has such a mark is no tenant (inventory/ leaves
/// it out), may be dropped by whoever goes on with that purpose, and says to people what it is.
///
/// Thread safety: values and pure functions.

#pragma once

#include <string>
#include <string_view>

namespace drover::orchestrator::backup {

struct MarkedComment {
  std::string purpose;  ///< "restore 4f2a9c"; empty: there is no mark.
  std::string comment;  ///< The rest: what somebody else wrote.

  bool operator==(const MarkedComment&) const = default;
};

/// "[drover: restore 4f2a9c] the first one", and apart again.
std::string to_string(const MarkedComment& comment);
MarkedComment marked_comment_of(std::string_view text);

/// to_string() as a literal of SQL.
std::string sql_of(const MarkedComment& comment);

}  // namespace drover::orchestrator::backup
