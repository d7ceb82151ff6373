/// How a source that lists databases, schemas or files names its tenants: "{server}/{database}".
///
/// Thread safety: immutable after build.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace drover::orchestrator {

class IdPattern {
 public:
  /// `known` are the names that may stand in braces; "{{" and "}}" are braces themselves.
  ///
  /// Throws Error usage: invalid_id_pattern, for an unknown name (with the nearest one), a brace
  /// that is not closed, or a pattern without any name: it would give every tenant one id.
  static IdPattern parse(std::string_view text, const std::vector<std::string>& known);

  /// `values` has one for every name the pattern uses. They are data: braces in them mean nothing.
  std::string id_for(const std::map<std::string, std::string>& values) const;

 private:
  struct Part {
    std::string text;
    bool is_name = false;
  };

  std::vector<Part> parts_;
};

}  // namespace drover::orchestrator
