/// Tells directives from other line comments, and from comments that only look like one.
///
/// The caller has made sure that the comment stands outside of every quote and comment. What a
/// directive means say header.h and section.h.
///
/// Thread safety: free functions without state.

#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drover::engine::parse {

/// One line "-- drover: WORD VALUE". Views into the file's text.
struct Directive {
  std::string_view line;   ///< From "--" on, without trailing blanks.
  std::string_view word;   ///< Empty when the line ends before it.
  std::string_view value;  ///< What follows the word, without blanks around it. May be empty.
};

enum class CommentRole {
  plain,
  directive,
  mistyped,  ///< Looks like a directive of ours and is not one.
  foreign,   ///< A section marker of another tool.
};

/// What the line comment `comment`, from "--" to its line's end, is. `text` is all of the file.
CommentRole role_of(std::string_view comment, std::string_view text);

/// The parts of a comment whose role is `directive`.
Directive directive_in(std::string_view comment);

/// Every word a directive may begin with: header, sections, lines of a batch.
std::span<const std::string_view> directive_words() noexcept;

/// `line` with each run of blanks made one space: the form that is hashed.
std::string folded(std::string_view line);

/// `text` without blanks around it.
std::string_view trimmed(std::string_view text);

/// The words of `text`, which blanks divide.
std::vector<std::string_view> words_of(std::string_view text);

/// The parts of `text` between commas, without blanks around them. Of an empty text, one empty
/// part.
std::vector<std::string_view> parts_between_commas(std::string_view text);

}  // namespace drover::engine::parse
