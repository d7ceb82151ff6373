/// What a PostgreSQL server of ours has used of the processors, for the programs that compare.
///
/// Thread safety: from one thread. Errors: std::runtime_error of the cluster.

#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "tests/support/pg_cluster.h"

namespace drover::bench {

/// CPU seconds of a process itself and of children that it has waited for.
struct ProcessCpu {
  double own = 0;
  double children = 0;
};

inline ProcessCpu process_cpu(long pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  long times[4] = {};
  // Behind the name in parentheses: state and 10 more, then utime, stime, cutime, cstime.
  const std::size_t name = text.rfind(')');
  if (name != std::string::npos) {
    std::sscanf(text.c_str() + name + 1,
                " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld",
                &times[0],
                &times[1],
                &times[2],
                &times[3]);
  }
  const auto tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {static_cast<double>(times[0] + times[1]) / tick,
          static_cast<double>(times[2] + times[3]) / tick};
}

/// Sessions that the server still has, those that end included.
inline bool has_sessions(const test::PgCluster& cluster) {
  std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", cluster.pid()));
  const std::string session = fmt::format("postgres: {} ", test::PgCluster::kUser);
  for (long pid = 0; children >> pid;) {
    std::ifstream file(fmt::format("/proc/{}/cmdline", pid));
    const std::string title((std::istreambuf_iterator<char>(file)), {});
    if (title.empty() || title.starts_with(session)) {  // one that ends has no title any more
      return true;
    }
  }
  return false;
}

/// CPU seconds of the server's sessions, once all have ended; the postmaster has them then.
inline double server_cpu(const test::PgCluster& cluster) {
  while (has_sessions(cluster)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return process_cpu(cluster.pid()).children;
}

inline double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace drover::bench
