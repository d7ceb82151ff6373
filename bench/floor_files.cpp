// Ten thousand migration files: read, parsed, checksummed and ordered, against a plain loop that
// reads and hashes the same bytes.
//
//   bench_floor_files DIRECTORY

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "engine/api/engine_means.h"
#include "engine/base/sha256.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kFiles = 10'000;

void make_files(const fs::path& directory) {
  fs::create_directories(directory);
  for (int i = 1; i <= kFiles; ++i) {
    std::ofstream file(directory / fmt::format("{:05}_step.sql", i));
    file << fmt::format(
        "-- drover: revision {:05}\n-- drover: parents {}\n"
        "-- drover: message Step {}\n\n-- drover: up\n"
        "CREATE TABLE t{} (id bigint PRIMARY KEY, name text NOT NULL DEFAULT '');\n"
        "CREATE INDEX t{}_name ON t{} (name);\n\n-- drover: down\nDROP TABLE t{};\n",
        i,
        i == 1 ? std::string("none") : fmt::format("{:05}", i - 1),
        i,
        i,
        i,
        i,
        i);
  }
}

double plain_loop(const fs::path& directory) {
  const auto start = Clock::now();
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path());
  }
  std::sort(names.begin(), names.end());
  std::size_t length = 0;
  for (const fs::path& name : names) {
    std::ifstream file(name, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    length += drover::engine::base::sha256_hex(bytes).size();
  }
  const std::chrono::duration<double> took = Clock::now() - start;
  return length == 64UL * kFiles ? took.count() : -1;
}

double ours(const fs::path& directory) {
  const auto start = Clock::now();
  const auto migrations = drover::engine::api::load_migrations(directory);
  const std::chrono::duration<double> took = Clock::now() - start;
  return migrations.in_order().size() == kFiles ? took.count() : -1;
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path directory = argc > 1 ? argv[1] : "bench-files";
  make_files(directory);
  std::vector<double> ratios;
  for (int round = 0; round < 5; ++round) {
    const double floor = plain_loop(directory);
    const double drover = ours(directory);
    ratios.push_back(drover / floor);
    fmt::print("10,000 files: plain loop {:.3f} s, drover {:.3f} s, ratio {:.2f}\n",
               floor,
               drover,
               drover / floor);
  }
  std::sort(ratios.begin(), ratios.end());
  fmt::print("median ratio {:.2f} (goal: at most 1.50)\n", ratios[ratios.size() / 2]);
  fs::remove_all(directory);
  return 0;
}
