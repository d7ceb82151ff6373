#include "orchestrator/inventory/source_row.h"

#include <algorithm>

#include "orchestrator/utf8.h"

namespace drover::orchestrator::inventory {
namespace {

constexpr std::size_t kMostShown = 300;

}  // namespace

std::string RowPlace::to_string() const {
  Place line = place;
  line.column = 0;
  return drover::to_string(line) + (row.empty() ? "" : ", " + row);
}

const SourceRow::Value* SourceRow::find(std::string_view column) const noexcept {
  const auto found = std::find_if(
      values.begin(), values.end(), [column](const auto& value) { return value.first == column; });
  return found == values.end() ? nullptr : &found->second;
}

void refuse_row(const RowPlace& at,
                std::string kind_name,
                const std::string& message,
                std::string hint) {
  throw Error(ErrorCode::usage,
              std::move(kind_name),
              at.row.empty() ? message : at.row + ": " + message,
              std::move(hint),
              at.place);
}

std::string first_line(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of("\r\n \t"), text.size()));
  std::string line(text.substr(0, std::min(text.find('\n'), kMostShown)));
  line.resize(valid_utf8_prefix(line));
  std::replace_if(
      line.begin(),
      line.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; },
      ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  line.erase(0, line.find_first_not_of(' '));
  return line;
}

}  // namespace drover::orchestrator::inventory
