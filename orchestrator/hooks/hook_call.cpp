#include "orchestrator/hooks/hook_call.h"

#include <algorithm>
#include <exception>

#include <fmt/format.h>

#include "engine/base/child_process.h"
#include "engine/base/time_left.h"
#include "engine/error.h"
#include "orchestrator/first_line.h"
#include "orchestrator/hooks/facts_text.h"

namespace drover::orchestrator::hooks {
namespace {

using engine::base::ChildRequest;
using engine::base::ChildResult;

ChildRequest request_of(const HookOptions& hook,
                        const HookFacts& facts,
                        const std::filesystem::path& directory,
                        const engine::Patience& patience) {
  ChildRequest request;
  request.argv = hook.command;
  request.directory = directory;
  request.variables = variables_of(facts);
  request.input = json_of(facts);
  request.deadline = engine::base::time_left(hook.deadline, patience);
  request.output_limit = kMostOutput;
  request.too_much_output = ChildRequest::TooMuchOutput::drop;
  request.stop = patience.stop;
  return request;
}

/// ": " and what it complained of first, or else said; empty when it said nothing.
std::string words_of(const ChildResult& result) {
  std::string line = first_line(result.errors);
  if (line.empty()) {
    line = first_line(result.output);
  }
  return line.empty() ? line : ": " + line;
}

/// Both streams in one text that is not too long: half of it is there for the complaints.
std::string output_of(const ChildResult& result) {
  const std::size_t errors =
      std::min(result.errors.size(), std::max(kMostOutput / 2, kMostOutput - result.output.size()));
  const std::size_t output = std::min(result.output.size(), kMostOutput - errors);
  return result.output.substr(0, output) + result.errors.substr(0, errors);
}

}  // namespace

HookEnd call_hook(const HookOptions& hook,
                  const HookFacts& facts,
                  const std::filesystem::path& directory,
                  const engine::Patience& patience) {
  const std::string who = fmt::format("{} hook", name_of(facts.event));
  try {
    const ChildRequest request = request_of(hook, facts, directory, patience);
    const ChildResult result = engine::base::run_child(request);
    const bool succeeded = result.succeeded();
    return {succeeded,
            fmt::format("{} '{}' {}{}",
                        who,
                        first_line(hook.command.front()),
                        describe(result, request),
                        succeeded ? "" : words_of(result)),
            output_of(result)};
  } catch (const std::exception& error) {
    return {false, fmt::format("{}: {}", who, error.what()), ""};
  }
}

}  // namespace drover::orchestrator::hooks
