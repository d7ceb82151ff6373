#include "orchestrator/cli/run_session.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/report/progress_view.h"
#include "orchestrator/report/run_report.h"
#include "orchestrator/run/signals.h"

namespace drover::orchestrator::cli {
namespace {

/// Off a terminal a line now and then is enough to see that it lives.
constexpr std::chrono::seconds kBetweenLines{10};

class Watcher final : public run::RunObserver {
 public:
  explicit Watcher(Invocation& invocation) : console_(invocation.console) {}

  void on_progress(const ProgressSnapshot& snapshot) override {
    if (console_.live()) {
      console_.show_live(
          report::progress_block(snapshot, static_cast<std::size_t>(console_.width())));
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last_line_ >= kBetweenLines) {
      last_line_ = now;
      console_.say(report::progress_line(snapshot));
    }
  }

  void on_tenant(const TenantOutcome& outcome) override {
    if (outcome.fault) {
      if (told_ < kFaultsTold) {
        console_.warn(report::tenant_line(outcome));
      } else if (told_ == kFaultsTold) {
        console_.warn("more tenants fail; the report at the end has them all");
      }
      ++told_;
    } else {
      console_.detail(report::tenant_line(outcome));
    }
  }

  void on_stage(const std::string& name, StageMoved::To to) override {
    const bool had_gate = std::exchange(at_gate_, to == StageMoved::To::gate);
    const char* const words[] = {
        "begins", "is done; now its gate", had_gate ? "has passed its gate" : "is done"};
    console_.say(fmt::format("stage {} {}", printable(name), words[static_cast<std::size_t>(to)]));
  }
  void on_event(const std::string& text) override { console_.say(printable(text)); }

 private:
  static constexpr std::size_t kFaultsTold = 20;

  Console& console_;
  std::chrono::steady_clock::time_point last_line_ = std::chrono::steady_clock::now();
  std::size_t told_ = 0;
  bool at_gate_ = false;  ///< The stage that was told last.
};

}  // namespace

int run_and_report(Workspace& workspace, const Runnable& runnable, Invocation& invocation) {
  const auto started = std::chrono::system_clock::now();
  Watcher watcher(invocation);
  run::RunResult result;
  {
    const run::SignalWatch signals([&](int signal, int count) {
      const int status = run::SignalWatch::exit_status_of(signal);
      if (count == 1) {
        invocation.console.warn(
            "stopping: tenants under way come to their end; once more cancels them");
        runnable.drain(status);
      } else {
        invocation.console.warn(
            "cancelling what is under way; statements CONCURRENTLY come to their end, once more "
            "ends this process");
        runnable.cancel(status);
      }
    });
    result = runnable.run(watcher);
  }
  invocation.console.show_live("");
  const int status = result.exit_status();
  const report::RunAccount account{occasion_since(started, workspace.environment().name),
                                   runnable.id(),
                                   runnable.verb(),
                                   runnable.target(),
                                   runnable.digest(),
                                   result.tenants,
                                   result.summary,
                                   result.halt,
                                   result.interrupted.has_value(),
                                   status};
  if (for_people(invocation)) {
    invocation.console.data(report::run_text(account, data_width()));
  } else {
    put_document(invocation, report::run_document(account));
  }
  return status;
}

int run_and_report(Workspace& workspace, FleetRun& run, Invocation& invocation) {
  const Runnable runnable{[&](run::RunObserver& observer) { return run.run(observer); },
                          [&](int status) { run.drain(status); },
                          [&](int status) { run.cancel(status); },
                          [&] { return run.id().value; },
                          [&] { return run.verb(); },
                          [&] { return run.request().goal.target; },
                          [&] { return run.digest(); }};
  return run_and_report(workspace, runnable, invocation);
}

}  // namespace drover::orchestrator::cli
