#include "orchestrator/backup/retention.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace drover::orchestrator;
using namespace drover::orchestrator::backup;
using std::chrono::hours;

namespace {

const WallTime kNow = WallTime(hours(500'000));

Backup made(int number, hours ago, const std::string& run = "") {
  Backup backup;
  backup.id = {fmt::format("{:04}", number)};
  backup.finished = kNow - ago;
  backup.run = run;
  return backup;
}

std::string ids_of(const std::vector<Backup>& backups) {
  std::string ids;
  for (const Backup& backup : backups) {
    ids += (ids.empty() ? "" : " ") + backup.id.value;
  }
  return ids;
}

}  // namespace

TEST_CASE("what is old goes when there are newer ones enough") {
  const std::vector<Backup> four{
      made(1, hours(90)), made(2, hours(60)), made(3, hours(30)), made(4, hours(1))};
  CHECK(ids_of(dispensable(four, {2, hours(0)}, kNow)) == "0001 0002");
  CHECK(ids_of(dispensable(four, {2, hours(70)}, kNow)) == "0001");
  CHECK(ids_of(dispensable(four, {4, hours(0)}, kNow)) == "");
  CHECK(ids_of(dispensable(four, {9, hours(0)}, kNow)) == "");
  CHECK(ids_of(dispensable({}, {0, hours(0)}, kNow)) == "");
}

TEST_CASE("the newest stays even when none is to be kept") {
  CHECK(ids_of(dispensable({made(1, hours(90)), made(2, hours(80))}, {0, hours(0)}, kNow)) ==
        "0001");
}

TEST_CASE("what a run that may go on has made stays, however old") {
  const std::vector<Backup> three{
      made(1, hours(90), "open"), made(2, hours(80), "done"), made(3, hours(1), "done")};
  CHECK(ids_of(dispensable(three, {1, hours(0), {"open"}}, kNow)) == "0002");
}

TEST_CASE("what a restore has put aside pushes no backup out, and goes by the same rule") {
  std::vector<Backup> backups{made(1, hours(90)), made(2, hours(80)), made(3, hours(1))};
  backups[1].aside = true;
  backups[2].aside = true;
  CHECK(ids_of(dispensable(backups, {1, hours(0)}, kNow)) == "0002");
  CHECK(ids_of(dispensable(backups, {1, hours(85)}, kNow)) == "");
}

TEST_CASE("whatever the rule, the newest, the young and those of open runs stay, and only those") {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::vector<Backup> backups;
    const int count = static_cast<int>(random() % 12);
    for (int i = 0; i < count; ++i) {
      backups.push_back(made(i, hours((count - i) * 10), fmt::format("r{}", random() % 4)));
      backups.back().aside = random() % 3 == 0;
    }
    const RetentionRule rule{random() % 6, hours(random() % 120), {"r1"}};
    const std::vector<Backup> gone = dispensable(backups, rule, kNow);
    for (std::size_t i = 0; i < backups.size(); ++i) {
      const bool is_gone = std::find(gone.begin(), gone.end(), backups[i]) != gone.end();
      const auto newer =
          std::count_if(backups.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                        backups.end(),
                        [&](const Backup& one) { return one.aside == backups[i].aside; });
      const bool stays = static_cast<std::size_t>(newer) < std::max<std::size_t>(rule.count, 1) ||
                         kNow - backups[i].finished < rule.age || backups[i].run == "r1";
      CHECK(is_gone != stays);
    }
  }
}
