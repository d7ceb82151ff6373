/// What the readers of sections share: how a text becomes a value that the rest of the program may
/// use, with references expanded and paths made absolute.
///
/// Thread safety: one thread at a time.

#pragma once

#include <filesystem>
#include <string>

#include "engine/secret.h"
#include "orchestrator/settings/given.h"
#include "orchestrator/settings/secrets.h"
#include "orchestrator/tenant.h"

namespace drover::orchestrator::settings {

class Section;

class SectionReader {
 public:
  enum class References {
    expand,   ///< Are replaced.
    check,    ///< Must be right and stay: nobody needs the secrets of an environment not chosen.
    literal,  ///< Are none: flags and variables say what they say.
  };

  /// `directory` is absolute; relative paths start there.
  SectionReader(std::filesystem::path directory, Secrets& secrets, References references)
      : directory_(std::move(directory)), secrets_(&secrets), references_(references) {}

  const std::filesystem::path& directory() const noexcept { return directory_; }

  /// The text, not empty.
  std::string text(const Given& given) const;
  engine::Secret secret(const Given& given) const;

  /// The text as an absolute path in normal form.
  std::filesystem::path path(const Given& given) const;

  /// A target: PostgreSQL words, or "sqlite:PATH", whose path becomes absolute.
  engine::Secret target(const Given& given) const;

  /// The entries of a `labels:` mapping; empty when `section` has none.
  Labels labels(const Section& section) const;

 private:
  std::filesystem::path directory_;
  Secrets* secrets_;
  References references_;
};

/// `path` as seen from `directory`, absolute and in normal form, without a slash at its end.
std::filesystem::path absolute_path(const std::filesystem::path& directory,
                                    const std::string& path);

}  // namespace drover::orchestrator::settings
