#include "engine/parse/normal_text.h"

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "engine/parse/text_error.h"

namespace drover::engine::parse {
namespace {

constexpr std::string_view kUtf8Bom = "\xEF\xBB\xBF";
constexpr std::string_view kUtf16Boms[] = {"\xFF\xFE",
                                           "\xFE\xFF"};  // UTF-32 begins like the first.

/// The first bytes of well-formed UTF-8 characters, and what may follow (Unicode, table 3-7).
struct Utf8Form {
  unsigned char first_from;
  unsigned char first_to;
  unsigned char second_from;
  unsigned char second_to;
  std::size_t size;
};

constexpr Utf8Form kUtf8Forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2},
    {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3},
    {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4},
    {0xF4, 0xF4, 0x80, 0x8F, 4},
};

unsigned char byte_at(std::string_view text, std::size_t at) noexcept {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

/// The size of the character beyond ASCII that starts at `at`; 0 when it is not well-formed.
std::size_t character_size(std::string_view text, std::size_t at) noexcept {
  const unsigned char first = byte_at(text, at);
  for (const Utf8Form& form : kUtf8Forms) {
    if (first < form.first_from || first > form.first_to) {
      continue;
    }
    const unsigned char second = byte_at(text, at + 1);
    if (second < form.second_from || second > form.second_to) {
      return 0;
    }
    for (std::size_t i = 2; i < form.size; ++i) {
      if ((byte_at(text, at + i) & 0xC0U) != 0x80U) {
        return 0;
      }
    }
    return form.size;
  }
  return 0;
}

enum class Defect { none, nul_byte, lone_cr, not_utf8 };

struct Finding {
  Defect defect = Defect::none;
  std::size_t at = 0;
};

Finding first_defect(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '\0') {
      return {Defect::nul_byte, at};
    }
    if (c == '\r' && byte_at(text, at + 1) != '\n') {
      return {Defect::lone_cr, at};
    }
    const std::size_t size = static_cast<unsigned char>(c) < 0x80U ? 1 : character_size(text, at);
    if (size == 0) {
      return {Defect::not_utf8, at};
    }
    at += size;
  }
  return {};
}

[[noreturn]] void refuse_defect(const Migration& file, const Finding& finding) {
  const char* const at = file.text->data() + finding.at;
  switch (finding.defect) {
    case Defect::nul_byte:
      refuse(file,
             at,
             "nul_byte",
             "the file holds a NUL byte",
             "Remove it; SQL text cannot hold one.");
    case Defect::lone_cr:
      refuse(file,
             at,
             "lone_cr",
             "a carriage return stands without a line feed",
             "End lines with LF or CRLF; inside a string write chr(13).");
    default:
      refuse(file, at, "not_utf8", "the text is not valid UTF-8 here", "Save the file as UTF-8.");
  }
}

/// CRLF to LF, in place.
void fold_line_ends(std::string& text) {
  std::size_t to = text.find('\r');
  if (to == std::string::npos) {
    return;
  }
  for (std::size_t from = to; from < text.size(); ++from) {
    if (text[from] != '\r') {
      text[to++] = text[from];
    }
  }
  text.resize(to);
}

}  // namespace

void set_text(Migration& file, std::string bytes) {
  for (const std::string_view bom : kUtf16Boms) {
    if (bytes.starts_with(bom)) {
      file.text = std::make_shared<const std::string>(std::move(bytes));
      refuse(file,
             file.text->data(),
             "utf16",
             "the file is not UTF-8 but UTF-16 or UTF-32",
             "Save the file as UTF-8.");
    }
  }
  if (bytes.starts_with(kUtf8Bom)) {
    bytes.erase(0, kUtf8Bom.size());
  }
  const Finding finding = first_defect(bytes);
  if (finding.defect == Defect::none) {
    fold_line_ends(bytes);
  }
  file.text = std::make_shared<const std::string>(std::move(bytes));
  if (finding.defect != Defect::none) {
    refuse_defect(file, finding);
  }
}

}  // namespace drover::engine::parse
