/// A password for a child of ours, in a file that libpq reads (PGPASSFILE) and nobody else sees.
///
/// The file is memory of this process, reached through /proc: it has no name in any folder, only
/// our own user can open it, and it is gone with us, however we end.
///
/// Thread safety: an object belongs to one thread. Errors: Error storage: passfile_failed.

#pragma once

#include <string>
#include <string_view>

namespace drover::engine::base {

class PassFile {
 public:
  /// For every host, database and role.
  explicit PassFile(std::string_view password);
  PassFile(const PassFile&) = delete;
  PassFile& operator=(const PassFile&) = delete;
  ~PassFile();

  const std::string& path() const noexcept { return path_; }

 private:
  int descriptor_ = -1;
  std::string path_;
};

}  // namespace drover::engine::base
