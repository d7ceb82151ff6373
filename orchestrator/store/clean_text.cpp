#include "orchestrator/store/clean_text.h"

#include <cstddef>

#include "orchestrator/utf8.h"

namespace drover::orchestrator::store {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

std::string clean_text(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t good = valid_utf8_prefix(text);
    for (const char character : text.substr(0, good)) {
      if (character == '\0') {
        clean += kReplacement;
      } else {
        clean += character;
      }
    }
    text.remove_prefix(good);
    if (!text.empty()) {
      clean += kReplacement;
      text.remove_prefix(1);
    }
  }
  return clean;
}

}  // namespace drover::orchestrator::store
