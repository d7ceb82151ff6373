#include "orchestrator/gates/command_check.h"

#include <exception>

#include <fmt/format.h>

#include "engine/base/child_process.h"
#include "engine/base/time_left.h"
#include "engine/error.h"
#include "orchestrator/first_line.h"

namespace drover::orchestrator::gates {
namespace {

using engine::base::ChildRequest;
using engine::base::ChildResult;

constexpr int kInconclusiveStatus = 2;

ChildRequest request_of(const CommandProbe& probe,
                        const CommandFacts& facts,
                        const engine::Patience& patience) {
  ChildRequest request;
  request.argv = probe.argv;
  request.directory = facts.directory;
  request.variables = facts.variables;
  request.deadline = engine::base::time_left(probe.deadline, patience);
  request.too_much_output = ChildRequest::TooMuchOutput::drop;
  request.stop = patience.stop;
  return request;
}

Answer answer_of(const ChildResult& result) noexcept {
  switch (result.end) {
    case ChildResult::End::exited:
      if (result.status == 0) {
        return Answer::pass;
      }
      return result.status == kInconclusiveStatus ? Answer::inconclusive : Answer::fail;
    case ChildResult::End::signalled:
      return Answer::fail;
    case ChildResult::End::timed_out:
    case ChildResult::End::stopped:
    case ChildResult::End::too_long:
      return Answer::inconclusive;
  }
  return Answer::inconclusive;
}

/// ": " and what it said first; empty when it said nothing.
std::string words_of(const ChildResult& result) {
  std::string line = first_line(result.output);
  if (line.empty()) {
    line = first_line(result.errors);
  }
  return line.empty() ? line : ": " + line;
}

}  // namespace

CheckResult ask_command(const CommandProbe& probe,
                        const CommandFacts& facts,
                        const engine::Patience& patience) {
  try {
    const ChildRequest request = request_of(probe, facts, patience);
    const ChildResult result = engine::base::run_child(request);
    return {answer_of(result),
            fmt::format("command '{}' {}{}",
                        first_line(probe.argv.front()),
                        describe(result, request),
                        words_of(result))};
  } catch (const Error& error) {
    return {Answer::inconclusive, error.what()};
  } catch (const std::exception& error) {
    return {Answer::inconclusive, std::string("a command could not be asked: ") + error.what()};
  }
}

}  // namespace drover::orchestrator::gates
