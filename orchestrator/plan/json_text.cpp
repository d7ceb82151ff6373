#include "orchestrator/plan/json_text.h"

#include <iterator>

#include <fmt/format.h>

namespace drover::orchestrator::plan {
namespace {

void append_escaped(std::string& text, char character) {
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  const std::size_t found = kShort.find(character);
  if (found != std::string_view::npos) {
    text += '\\';
    text += kLetters[found];
  } else if (static_cast<unsigned char>(character) < 0x20) {
    fmt::format_to(std::back_inserter(text), "\\u{:04x}", static_cast<unsigned>(character));
  } else {
    text += character;
  }
}

}  // namespace

void append_quoted(std::string& text, std::string_view value) {
  text += '"';
  for (const char character : value) {
    append_escaped(text, character);
  }
  text += '"';
}

}  // namespace drover::orchestrator::plan
