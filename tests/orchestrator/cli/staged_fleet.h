// A fleet of real PostgreSQL databases that a rollout goes through, and what tests ask of it. The
// databases are asked, not the reports.

#pragma once

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/orchestrator/cli/fleet_dir.h"
#include "tests/support/pg_cluster.h"

namespace drover::test::fleet {

/// One row of a tenant's history: "up 0001", and when, as a text that sorts like time.
struct Event {
  std::string what;
  std::string at;
};

/// The history of each tenant in its order; empty where it has none.
using Histories = std::map<std::string, std::vector<Event>>;

/// "up 0001, up 0002"
inline std::string text_of(const std::vector<Event>& history) {
  std::string text;
  for (const Event& event : history) {
    text += (text.empty() ? "" : ", ") + event.what;
  }
  return text;
}

/// Tenants, each a database of its name, on one or more servers.
class StagedFleet {
 public:
  /// Adds `count` empty databases `prefix`000 and following on `cluster`, which outlives this.
  void add(const PgCluster& cluster, const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("{}{:03}", prefix, i);
      cluster.execute("postgres", fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name));
      // Faster than the log while nothing is synced, by far.
      cluster.execute("postgres", fmt::format("CREATE DATABASE {} STRATEGY file_copy", name));
      tenants_.emplace(name, &cluster);
    }
    sources_ += fmt::format("{}databases: {{server: \"{}\", match: \"{}*\"}}\n",
                            sources_.empty() ? "" : "      - ",
                            cluster.conninfo("postgres"),
                            prefix);
  }

  /// Takes the tenants of `other` too.
  void add(const StagedFleet& other) {
    tenants_.insert(other.tenants_.begin(), other.tenants_.end());
    sources_ += (sources_.empty() ? "" : "      - ") + other.sources_;
  }

  /// Writes drover.yaml with the stages, each an item of the list. `more` are keys of the
  /// environment, `keys` those of the rollout.
  void write(const ProgramDir& dir,
             const std::vector<std::string>& stages,
             const std::string& more = "",
             const std::string& keys = "") const {
    write_settings(dir, sources_, rollout_of(stages, keys) + more);
  }

  std::size_t size() const noexcept { return tenants_.size(); }

  void execute(const std::string& tenant, const std::string& sql) const {
    tenants_.at(tenant)->execute(tenant, sql);
  }

  std::string ask(const std::string& tenant, const std::string& sql) const {
    return tenants_.at(tenant)->value(tenant, sql);
  }

  std::vector<Event> history(const std::string& tenant) const {
    // One that has none is given an empty one that nobody else sees.
    const auto rows = tenants_.at(tenant)->execute(tenant, R"sql(
DO $$BEGIN
  IF to_regclass('drover_events') IS NULL THEN
    CREATE TEMP TABLE drover_events (epoch bigint, at timestamptz, kind text, revision text);
  END IF;
END$$;
SELECT kind || ' ' || revision, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
  FROM drover_events WHERE kind IN ('up', 'down') ORDER BY epoch)sql");
    std::vector<Event> events;
    for (const PgCluster::Row& row : rows) {
      events.push_back({row[0].value_or(""), row[1].value_or("")});
    }
    return events;
  }

  Histories histories() const {
    Histories all;
    for (const auto& [name, cluster] : tenants_) {
      all.emplace(name, history(name));
    }
    return all;
  }

 private:
  std::map<std::string, const PgCluster*> tenants_;
  std::string sources_;
};

/// The tenants of each wave, as the program plans them now.
inline std::vector<std::vector<std::string>> planned_waves(const ProgramDir& dir) {
  const json plan = document(dir, {"plan"}, 0);
  std::vector<std::vector<std::string>> waves(plan["waves"].size());
  for (const json& tenant : plan["tenants"]) {
    waves.at(tenant["wave"].get<std::size_t>()).push_back(tenant["id"]);
  }
  return waves;
}

}  // namespace drover::test::fleet
