#include "engine/parse/section.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "engine/parse/batch_options.h"
#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

constexpr std::string_view kNoTransaction = "no-transaction";
constexpr std::string_view kOptions[] = {"postgres", "sqlite", kNoTransaction};

struct SectionWord {
  std::string_view word;
  Section::Kind kind;
};

constexpr SectionWord kSectionWords[] = {
    {"up", Section::Kind::up},
    {"down", Section::Kind::down},
    {"verify", Section::Kind::verify},
    {"batch", Section::Kind::batch},
};

const SectionWord* find_section_word(std::string_view word) noexcept {
  const auto* const found = std::find_if(
      std::begin(kSectionWords), std::end(kSectionWords), [&](const SectionWord& each) {
        return each.word == word;
      });
  return found == std::end(kSectionWords) ? nullptr : found;
}

std::optional<Dialect> dialect_called(std::string_view word) {
  for (const Dialect dialect : {Dialect::postgres, Dialect::sqlite}) {
    if (word == name_of(dialect)) {
      return dialect;
    }
  }
  return std::nullopt;
}

bool may_run_without_transaction(Section::Kind kind) noexcept {
  return kind == Section::Kind::up || kind == Section::Kind::down;
}

[[noreturn]] void refuse_option(const Migration& file,
                                const Directive& directive,
                                std::string_view option) {
  if (option == kNoTransaction) {
    refuse(file,
           option.data(),
           "unknown_section_option",
           "a section " + shown(directive.word) + " cannot be no-transaction",
           "Remove the word; only up and down sections can.");
  }
  const std::string_view meant = nearest(option, kOptions);
  refuse(file,
         option.data(),
         "unknown_section_option",
         shown(option) + " is no option of a section " + shown(directive.word),
         meant.empty() ? "Use " + listed(kOptions) + "."
                       : "Did you mean '" + std::string(meant) + "'?");
}

void read_options(const Migration& file, const Directive& directive, Section& section) {
  for (const std::string_view option : words_of(directive.value)) {
    const auto dialect = dialect_called(option);
    const bool no_transaction =
        option == kNoTransaction && may_run_without_transaction(section.kind);
    if (!dialect && !no_transaction) {
      refuse_option(file, directive, option);
    }
    const bool again =
        dialect ? section.dialect.has_value() : section.transactional == Transactional::no;
    if (again) {
      refuse(file,
             option.data(),
             "duplicate_section_option",
             dialect ? "the section names two dialects" : "the section says 'no-transaction' twice",
             "Keep one of the two; a section without a dialect is for both.");
    }
    if (dialect) {
      section.dialect = dialect;
    } else {
      section.transactional = Transactional::no;
    }
  }
}

/// A batch has its dialect, if any, before its keys.
void read_batch(const Migration& file, const Directive& directive, Section& section) {
  std::string_view options = directive.value;
  const std::string_view first = options.substr(0, options.find_first_of(" \t"));
  section.dialect = dialect_called(first);
  if (section.dialect) {
    options = trimmed(options.substr(first.size()));
  }
  section.batch = read_batch_options(file, options);
}

}  // namespace

bool is_section_word(std::string_view word) noexcept {
  return find_section_word(word) != nullptr;
}

Section begin_section(const Migration& file, const Directive& directive) {
  Section section;
  section.kind = find_section_word(directive.word)->kind;
  section.directive = folded(directive.line);
  if (section.kind == Section::Kind::batch) {
    read_batch(file, directive, section);
  } else {
    read_options(file, directive, section);
  }
  return section;
}

}  // namespace drover::engine::parse
