// version: which build this is.

#include <fmt/format.h>

#include "engine/parse/pg_parser.h"
#include "orchestrator/cli/console.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/verbs.h"
#include "orchestrator/cli/version.h"

namespace drover::orchestrator::cli {
namespace {

int run_version(Invocation& invocation) {
  if (for_people(invocation)) {
    invocation.console.data(fmt::format("drover {}\n", version_text()));
    return 0;
  }
  report::Value value = report::opening(occasion_since(std::chrono::system_clock::now(), ""));
  value.set("version", version_text())
      .set("compiler", "g++ " __VERSION__)
      .set("postgres_grammar", engine::parse::has_pg_grammar());
  put_document(invocation, {std::move(value), "", {"version", "compiler", "postgres_grammar"}});
  return 0;
}

}  // namespace

VerbSpec version_verb() {
  return {"version", "which build this is", "", {}, VerbSpec::Selectors::no, run_version};
}

}  // namespace drover::orchestrator::cli
