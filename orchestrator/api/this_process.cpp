#include "orchestrator/api/this_process.h"

#include <unistd.h>

#include "engine/api/engine_means.h"

namespace drover::orchestrator {

Owner this_process() {
  const std::string who = engine::api::who_we_are();
  const std::size_t at = who.rfind('@');
  return {who.substr(0, at), who.substr(at + 1), getpid()};
}

}  // namespace drover::orchestrator
