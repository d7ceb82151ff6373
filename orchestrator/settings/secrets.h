/// `${env:NAME}`, `${file:PATH}` and `${cmd:NAME}` in the texts of the configuration file.
///
/// Only that file's own texts come here; what a tenant source delivers is data and never expanded.
/// `$${` stands for a literal `${`; any other `$` is itself. What an expansion brings in is not
/// looked at again.
///
/// Thread safety: one thread at a time; commands run in the caller's thread, each at most once.
/// Errors: Error usage, kind invalid_secret, at the text's place. No message shows a secret.

#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/secret.h"
#include "orchestrator/settings/given.h"

namespace drover::orchestrator::settings {

using EnvironmentVariables = std::map<std::string, std::string>;

class Secrets {
 public:
  /// Everything given lives longer than this object. Relative paths start at `directory`.
  Secrets(std::filesystem::path directory, const EnvironmentVariables& variables)
      : directory_(std::move(directory)), variables_(variables) {}

  /// What `commands:` says.
  void set_commands(std::map<std::string, std::vector<std::string>> commands);

  /// The text with every reference replaced.
  std::string expand(const Given& given);

  /// Throws like expand() for what is wrong with the references as written, and reads nothing: a
  /// developer need not have the secrets of production.
  void check(const Given& given) const;

  /// True when `text` has a reference.
  static bool refers(std::string_view text) noexcept;

 private:
  struct Reference {
    std::string kind;  ///< "env", "file" or "cmd"
    std::string name;
  };

  Reference reference_in(std::string_view inside, const Given& given) const;
  std::string read(const Reference& reference, const Given& given);
  std::string read_file(const Reference& reference, const Given& given) const;
  std::string run_command(const Reference& reference, const Given& given);

  template <typename Replace>
  std::string replace_references(const Given& given, Replace replace) const;

  std::filesystem::path directory_;
  const EnvironmentVariables& variables_;
  std::map<std::string, std::vector<std::string>> commands_;
  std::map<std::string, std::string> command_outputs_;
};

}  // namespace drover::orchestrator::settings
