#include "orchestrator/cli/version.h"

namespace drover::orchestrator::cli {

std::string version_text() {
  return DROVER_VERSION;
}

}  // namespace drover::orchestrator::cli
