// The `hooks:` of an environment; what is refused is in bad_files_test.cpp.

#include "orchestrator/settings/hook_section.h"

#include <chrono>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "orchestrator/settings/settings.h"
#include "tests/support/temp_dir.h"

using namespace drover::orchestrator;
using namespace std::chrono_literals;
using drover::orchestrator::settings::load_settings;
using drover::orchestrator::settings::SettingsRequest;
using OnError = HookOptions::OnError;

namespace {

Options options_of(const std::string& text) {
  const drover::test::TempDir folder("hooks");
  SettingsRequest request;
  request.working_directory = folder.path();
  request.file = folder.write("drover.yaml", text);
  return load_settings(request).options;
}

}  // namespace

TEST_CASE("hooks are read in their order, with all that can be said of one") {
  const Options options = options_of(R"yaml(
environments:
  dev:
    tenants: [{sqlite: 'dev/*.db'}]
    hooks:
      - {on: before_tenant, command: [./drain.sh, --now], deadline: 90s, on_error: warn, stages: [canary]}
      - {on: [failure, run_end], command: [tell]}
    rollout: {stages: [{name: canary, select: {count: 1}}, {name: rest}]}
  other:
    tenants: [{sqlite: 'dev/*.db'}]
)yaml");
  const std::vector<HookOptions>& hooks = options.environments.at("dev").hooks;
  REQUIRE(hooks.size() == 2);
  CHECK(hooks[0].on == std::vector{HookEvent::before_tenant});
  CHECK(hooks[0].command == std::vector<std::string>{"./drain.sh", "--now"});
  CHECK(hooks[0].deadline == 90s);
  CHECK(hooks[0].on_error == OnError::warn);
  CHECK(hooks[0].stages == std::vector<std::string>{"canary"});
  CHECK(hooks[0].place.line == 6);
  CHECK(hooks[1].on == std::vector{HookEvent::failure, HookEvent::run_end});
  CHECK(hooks[1].deadline == 60s);
  CHECK_FALSE(hooks[1].on_error.has_value());
  CHECK(options.environments.at("other").hooks.empty());
}

TEST_CASE("a hook that does not say what its failure means goes by its event") {
  HookOptions hook;
  for (const HookEvent event : {HookEvent::run_start,
                                HookEvent::stage_start,
                                HookEvent::before_tenant,
                                HookEvent::after_tenant,
                                HookEvent::stage_end}) {
    CHECK(on_error_of(hook, event) == OnError::fail);
  }
  for (const HookEvent event : {HookEvent::run_end, HookEvent::failure, HookEvent::halt}) {
    CHECK(on_error_of(hook, event) == OnError::warn);
  }
  hook.on_error = OnError::fail;
  CHECK(on_error_of(hook, HookEvent::halt) == OnError::fail);
}

TEST_CASE("a hook is meant for its events, and for its stages where it has some") {
  HookOptions hook;
  hook.on = {HookEvent::before_tenant, HookEvent::halt};
  CHECK(is_meant(hook, HookEvent::before_tenant, "canary"));
  CHECK(is_meant(hook, HookEvent::before_tenant, ""));
  CHECK_FALSE(is_meant(hook, HookEvent::after_tenant, "canary"));
  hook.stages = {"canary"};
  CHECK(is_meant(hook, HookEvent::halt, "canary"));
  CHECK_FALSE(is_meant(hook, HookEvent::halt, "rest"));
  CHECK_FALSE(is_meant(hook, HookEvent::halt, ""));
}
