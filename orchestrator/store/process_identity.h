/// Which process on this host is meant, so that a dead lease holder is known at once.
///
/// A pid alone says too little: it is used again, and another container on the same host has pids
/// of its own. So an identity also holds the boot, the pid namespace and the moment the process
/// started. Reads /proc; where that is not possible the answer is "unknown", and the lease decides.
///
/// Thread safety: pure functions of the machine's state. Errors: none.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace drover::orchestrator::store {

enum class Liveness { alive, dead, unknown };

/// What tells process `pid` of this host from every other; empty when it cannot be told.
std::string process_identity(std::int64_t pid);

/// Whether the process `pid`, whose identity was once `identity`, still runs.
Liveness liveness_of(std::int64_t pid, std::string_view identity);

/// The name of this host, as owners carry it.
std::string host_name();

}  // namespace drover::orchestrator::store
