/// The options that every verb has.
///
/// Thread safety: plain values.

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace drover::orchestrator::cli {

enum class OutputFormat { table, json, yaml, ndjson, csv };

struct Globals {
  std::optional<std::string> config;          ///< -c, --config
  std::optional<std::string> environment;     ///< -e, --environment
  std::optional<std::string> database;        ///< --database URL
  std::optional<std::string> migrations;      ///< --migrations DIR
  std::optional<std::string> store;           ///< --store
  OutputFormat output = OutputFormat::table;  ///< -o, --output
  bool yes = false;                           ///< -y, --yes
  bool no_input = false;                      ///< --no-input
  bool dry_run = false;                       ///< --dry-run, with or without
  bool rehearse = false;                      ///< ... =rollback
  bool quiet = false;                         ///< -q
  bool verbose = false;                       ///< -v

  // Selectors; only verbs that have them.
  std::vector<std::string> tenants;  ///< --tenant a,b
  std::vector<std::string> labels;   ///< -l tier=free,region!=eu
  std::vector<std::string> servers;  ///< --server
  std::vector<std::string> states;   ///< --status
  std::optional<std::size_t> limit;  ///< --limit

  std::map<std::string, std::string> variables;  ///< The process's environment.
  std::string working_directory;
};

}  // namespace drover::orchestrator::cli
