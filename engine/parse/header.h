/// The header of a migration file: who the revision is, whom it follows, how its sessions are set.
///
/// Thread safety: a HeaderReader belongs to one thread.

#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "engine/migration.h"
#include "engine/parse/directive.h"

namespace drover::engine::parse {

/// Whether `word` is the word of a header directive.
bool is_header_word(std::string_view word) noexcept;

/// Fills in the header of one Migration, directive by directive. The Migration must have its text
/// and source, and outlive the reader.
///
/// Throws MigrationTextError.
class HeaderReader {
 public:
  explicit HeaderReader(Migration& file) : file_(file) {}

  /// Takes one directive whose word is_header_word().
  void take(const Directive& directive);

  /// Takes the id and message from the file's name where the text does not say them, and makes sure
  /// that nothing is missing. Call it once, last.
  void finish();

 private:
  void read_set(const Directive& directive);
  void take_id_from_file_name();
  void require_agreement_with_file_name() const;

  Migration& file_;
  std::set<std::string, std::less<>> seen_;  ///< Words of header directives; of `set`, with name.
  std::optional<std::string_view> revision_;
};

}  // namespace drover::engine::parse
