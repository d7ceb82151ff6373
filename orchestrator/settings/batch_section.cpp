#include "orchestrator/settings/batch_section.h"

#include <optional>

#include "orchestrator/settings/gate_section.h"
#include "orchestrator/settings/section.h"

namespace drover::orchestrator::settings {
namespace {

constexpr std::size_t kMostBackends = 100'000;

}  // namespace

BatchSettings read_batches(const YamlNode& node,
                           const std::string& name,
                           const SectionReader& reader) {
  const Section section(node,
                        name,
                        {"wal_per_second",
                         "replica_lag",
                         "replica_bytes",
                         "active_backends",
                         "commit_latency",
                         "window",
                         "flag"});
  BatchSettings batches;
  if (const std::optional<Given> wal = section.given("wal_per_second")) {
    batches.wal_per_second = to_bytes(*wal);
  }
  if (const std::optional<Given> lag = section.given("replica_lag")) {
    batches.replica_lag = to_duration(*lag, std::chrono::milliseconds(100));
  }
  if (const std::optional<Given> bytes = section.given("replica_bytes")) {
    batches.replica_bytes = to_bytes(*bytes);
  }
  if (const std::optional<Given> backends = section.given("active_backends")) {
    batches.active_backends = to_count(*backends, 1, kMostBackends);
  }
  if (const std::optional<Given> latency = section.given("commit_latency")) {
    batches.commit_latency = to_duration(*latency, std::chrono::milliseconds(1));
  }
  if (const YamlNode* const window = section.value("window")) {
    batches.window = read_window(*window, section.name_of("window"));
  }
  if (const std::optional<Given> flag = section.given("flag")) {
    batches.flag = reader.path(*flag);
  }
  return batches;
}

}  // namespace drover::orchestrator::settings
