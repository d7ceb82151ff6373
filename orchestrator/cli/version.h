/// Which build this is.

#pragma once

#include <string>

namespace drover::orchestrator::cli {

std::string version_text();  ///< "0.1.0"

}  // namespace drover::orchestrator::cli
