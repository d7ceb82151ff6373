#include "engine/parse/migration_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/parse/batch_options.h"
#include "engine/parse/checksum.h"
#include "engine/parse/directive.h"
#include "engine/parse/header.h"
#include "engine/parse/normal_text.h"
#include "engine/parse/section.h"
#include "engine/parse/section_text.h"
#include "engine/parse/statement_checks.h"
#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

/// Reads one file from its first byte to its last. `next_` always stands on a directive, or at the
/// end of the file.
class MigrationReader {
 public:
  explicit MigrationReader(Migration& file) : file_(file) {}

  void read();

 private:
  void read_header();
  void read_section();
  void read_batch_lines(Section& section);
  void require_no_statement(const SectionText& text, const std::string& where, std::string hint);
  void require_no_background_before(const Section& section, const char* at) const;
  void require_down() const;

  bool at_end() const noexcept { return next_.line.empty(); }
  const char* behind_line() const noexcept;
  SectionText read_text(const char* from, std::optional<Dialect> dialect);
  [[noreturn]] void refuse_directive() const;

  Migration& file_;
  Directive next_;
};

void MigrationReader::read() {
  read_header();
  while (!at_end()) {
    read_section();
  }
  require_down();
  for (const Dialect dialect : dialects_of(std::nullopt)) {
    file_.checksums[dialect] = checksums_of(file_, dialect);
  }
}

/// The first byte of the line after that of `next_`.
const char* MigrationReader::behind_line() const noexcept {
  const std::string_view text = *file_.text;
  const auto line = static_cast<std::size_t>(next_.line.data() - text.data());
  const std::size_t end = text.find('\n', line);
  return text.data() + (end == std::string_view::npos ? text.size() : end + 1);
}

SectionText MigrationReader::read_text(const char* from, std::optional<Dialect> dialect) {
  SectionText text = read_section_text(file_, from, dialect);
  next_ = text.next_directive.empty() ? Directive() : directive_in(text.next_directive);
  return text;
}

void MigrationReader::read_header() {
  HeaderReader header(file_);
  const char* from = file_.text->data();
  while (true) {
    require_no_statement(read_text(from, std::nullopt),
                         "before the first section",
                         "Write '-- drover: up' above it.");
    if (at_end() || !is_header_word(next_.word)) {
      break;
    }
    header.take(next_);
    from = behind_line();
  }
  header.finish();
}

void MigrationReader::read_section() {
  if (!is_section_word(next_.word)) {
    refuse_directive();
  }
  const Directive directive = next_;
  Section section = begin_section(file_, directive);
  const char* const begin = behind_line();
  SectionText text = read_text(begin, section.dialect);
  while (section.kind == Section::Kind::batch && !at_end() && is_batch_line_word(next_.word)) {
    require_no_statement(text,
                         "between the lines of the batch",
                         "Put '-- drover: " + std::string(next_.word) + "' above the statement.");
    read_batch_line(file_, next_, section);
    text = read_text(behind_line(), section.dialect);
  }
  section.text = {begin, static_cast<std::size_t>(text.end - begin)};
  take_statements(file_, text, section);
  if (section.kind == Section::Kind::batch) {
    check_batch(file_, section, directive.line.data());
  }
  require_no_background_before(section, directive.line.data());
  file_.sections.push_back(std::move(section));
}

/// What follows a batch in the background would have to wait for it, and nothing does.
void MigrationReader::require_no_background_before(const Section& section, const char* at) const {
  const bool goes_up = section.kind != Section::Kind::down;
  const auto before =
      std::find_if(file_.sections.begin(), file_.sections.end(), [&](const Section& earlier) {
        return earlier.kind == Section::Kind::batch && earlier.batch.background &&
               (!earlier.dialect || !section.dialect || *earlier.dialect == *section.dialect);
      });
  if (goes_up && before != file_.sections.end()) {
    refuse(file_,
           at,
           "bad_batch",
           "a section stands behind a batch with mode=background, for which the run does not wait",
           "Put it into a revision of its own, which then waits for the batch.");
  }
}

void MigrationReader::require_no_statement(const SectionText& text,
                                           const std::string& where,
                                           std::string hint) {
  if (!text.scan.statements.empty()) {
    refuse(file_,
           text.scan.statements.front().data(),
           "text_outside_section",
           "a statement stands " + where,
           std::move(hint));
  }
  if (!text.scan.open.empty()) {
    refuse_open(file_, text.scan.open.front());
  }
}

void MigrationReader::refuse_directive() const {
  const char* const at = next_.line.data();
  const std::string word = shown(next_.word);
  if (is_header_word(next_.word)) {
    refuse(file_,
           at,
           "header_after_section",
           "the header directive " + word + " stands behind the first section",
           "Move it to the top of the file.");
  }
  if (is_batch_line_word(next_.word)) {
    refuse(file_,
           at,
           "misplaced_batch_line",
           "the directive " + word + " stands outside of a batch",
           "Move it to right below the line '-- drover: batch ...'.");
  }
  const std::string_view meant = nearest(next_.word, directive_words());
  refuse(file_,
         at,
         "unknown_directive",
         next_.word.empty() ? "the directive has no word" : word + " is not a directive",
         meant.empty() ? "Use " + listed(directive_words()) + "."
                       : "Did you mean '" + std::string(meant) + "'?");
}

/// A file needs a way back, and so does each dialect that it changes.
void MigrationReader::require_down() const {
  const auto has = [&](auto wanted) {
    return std::any_of(file_.sections.begin(), file_.sections.end(), wanted);
  };
  const auto is_down = [](const Section& section) { return section.kind == Section::Kind::down; };
  const auto refuse_lack = [&](const std::string& of_what) {
    refuse(file_,
           file_.text->data() + file_.text->size(),
           "missing_down",
           "revision " + shown(file_.id.value) + " has no down section" + of_what,
           "Add '-- drover: down', or say '-- drover: irreversible REASON' in the header.");
  };
  if (file_.irreversible) {
    return;
  }
  if (!has(is_down)) {
    refuse_lack("");
  }
  for (const Dialect dialect : dialects_of(std::nullopt)) {
    const bool changes = has([&](const Section& section) {
      const bool acts = section.kind == Section::Kind::up || section.kind == Section::Kind::batch;
      return acts && section.is_for(dialect);
    });
    const bool back =
        has([&](const Section& section) { return is_down(section) && section.is_for(dialect); });
    if (changes && !back) {
      refuse_lack(" for " + std::string(name_of(dialect)));
    }
  }
}

}  // namespace

Migration parse_migration(std::string bytes, const std::filesystem::path& source) {
  Migration file;
  file.source = source;
  set_text(file, std::move(bytes));
  MigrationReader(file).read();
  return file;
}

}  // namespace drover::engine::parse
