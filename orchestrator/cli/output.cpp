#include "orchestrator/cli/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "orchestrator/cli/console.h"
#include "orchestrator/cli/globals.h"

namespace drover::orchestrator::cli {

bool for_people(const Invocation& invocation) noexcept {
  return invocation.globals.output == OutputFormat::table;
}

void put_document(Invocation& invocation, const report::Document& document) {
  report::DataFormat format = report::DataFormat::json;
  switch (invocation.globals.output) {
    case OutputFormat::yaml:
      format = report::DataFormat::yaml;
      break;
    case OutputFormat::ndjson:
      format = report::DataFormat::ndjson;
      break;
    case OutputFormat::csv:
      format = report::DataFormat::csv;
      break;
    case OutputFormat::json:
    case OutputFormat::table:
      break;
  }
  invocation.console.data(report::written(document, format));
}

std::optional<std::size_t> data_width() {
  winsize size{};
  const bool terminal =
      isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return terminal ? std::optional<std::size_t>(size.ws_col) : std::nullopt;
}

report::Occasion occasion_since(report::WallTime started, const std::string& environment) {
  return {environment, started, std::chrono::system_clock::now()};
}

}  // namespace drover::orchestrator::cli
