// The `batches:` of an environment: when the batches of a server wait.

#include "orchestrator/settings/batch_section.h"

#include <chrono>
#include <string>

#include <catch2/catch.hpp>

#include <fmt/format.h>

#include "engine/error.h"
#include "orchestrator/settings/settings.h"
#include "tests/support/temp_dir.h"

using namespace drover;
using namespace drover::orchestrator;
using namespace std::chrono_literals;
using drover::orchestrator::settings::load_settings;
using drover::orchestrator::settings::SettingsRequest;

namespace {

struct Loaded {
  explicit Loaded(const std::string& batches) : folder("batches") {
    SettingsRequest request;
    request.working_directory = folder.path();
    request.file = folder.write(
        "drover.yaml", "environments:\n  dev:\n    tenants: [{sqlite: 'dev/*.db'}]\n" + batches);
    options = load_settings(request).options;
  }

  const BatchSettings& batches() const { return options.environments.at("dev").batches; }

  drover::test::TempDir folder;
  Options options;
};

std::string refusal_of(const std::string& line) {
  try {
    const Loaded loaded("    batches:\n      " + line + "\n");
  } catch (const Error& error) {
    return fmt::format("{} at {}: {}", error.what(), error.place().line, error.hint());
  }
  return "accepted";
}

}  // namespace

TEST_CASE("what is said of batches is read, and the rest is as usual") {
  const Loaded all(R"yaml(    batches:
      wal_per_second: 20MiB
      replica_lag: 3s
      replica_bytes: 64MiB
      active_backends: 12
      commit_latency: 40ms
      window: {days: [sat, sun], from: "22:00", to: "06:00", zone: UTC}
      flag: stop/batches
)yaml");
  CHECK(all.batches().wal_per_second == 20U << 20U);
  CHECK(all.batches().replica_lag == 3s);
  CHECK(all.batches().replica_bytes == 64U << 20U);
  CHECK(all.batches().active_backends == 12);
  CHECK(all.batches().commit_latency == 40ms);
  CHECK(all.batches().window.has_value());
  CHECK(all.batches().flag == all.folder.path() / "stop/batches");

  const Loaded none("");
  CHECK(none.batches().wal_per_second == BatchSettings().wal_per_second);
  CHECK(none.batches().replica_lag == BatchSettings().replica_lag);
  CHECK_FALSE(none.batches().window.has_value());
  CHECK(none.batches().flag.empty());
}

TEST_CASE("what batches cannot be told is refused, with its place and what to write") {
  CHECK(refusal_of("replica_lag: 5") ==
        "environments.dev.batches.replica_lag is '5', which has no unit at 5: "
        "Write a whole number and ms, s, m, h or d, as in 500ms or 10m.");
  CHECK(refusal_of("wal_per_second: 20").find("wal_per_second is '20', which has no unit") !=
        std::string::npos);
  CHECK(refusal_of("active_backends: 0").find("active_backends is 0") != std::string::npos);
  CHECK(refusal_of("lag: 5s").find("'lag'") != std::string::npos);
  CHECK(refusal_of("window: always").find("window") != std::string::npos);
}
