#include "engine/base/pass_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "engine/error.h"

namespace drover::engine::base {

PassFile::PassFile(std::string_view password)
    : descriptor_(memfd_create("drover-passfile", MFD_CLOEXEC)) {
  std::string line = "*:*:*:*:";
  for (const char c : password) {
    line += c == ':' || c == '\\' ? std::string{'\\', c} : std::string{c};
  }
  line += '\n';
  const bool written =
      descriptor_ >= 0 && fchmod(descriptor_, 0600) == 0 &&  // libpq insists
      write(descriptor_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (!written) {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
    throw Error(ErrorCode::storage,
                "passfile_failed",
                "a password could not be handed to a child",
                "Look at the limits of open files and of memory.");
  }
  path_ = fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);
}

PassFile::~PassFile() {
  close(descriptor_);
}

}  // namespace drover::engine::base
