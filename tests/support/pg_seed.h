/// Where PostgreSQL's binaries are, and a data directory that initdb made once, ready to copy.
///
/// For pg_cluster.cpp only. Errors: std::runtime_error.

#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace drover::test {

/// The folder of initdb and postgres; empty when there is none. See pg_cluster.h for the order.
std::filesystem::path pg_binaries();

/// Copies the seed to `dir`/data and gives all of `dir` to the server's user. The first caller on
/// this machine makes the seed; processes that come at the same time wait for it.
void copy_seed(const std::filesystem::path& dir);

/// Starts `arguments` with its output appended to `log`: as the user postgres when this is root,
/// and so that it gets SIGINT when the calling thread ends.
pid_t spawn_as_postgres(const std::vector<std::string>& arguments,
                        const std::filesystem::path& log);

}  // namespace drover::test
