#include "orchestrator/report/table.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "orchestrator/report/text.h"

namespace drover::orchestrator::report {
namespace {

constexpr std::string_view kBetweenColumns = "  ";
constexpr std::size_t kNarrowest = 6;  ///< No column is cut below this.

std::string padded(const std::string& text, std::size_t width, Column::Align align) {
  const std::string blanks(width - std::min(width, cells_of(text)), ' ');
  return align == Column::Align::right ? blanks + text : text + blanks;
}

void end_line(std::string& text) {
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  if (cells.size() > columns_.size()) {
    throw std::logic_error("a row has more cells than the table has columns");
  }
  cells.resize(columns_.size());
  for (std::string& cell : cells) {
    cell = printable(cell);
  }
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::optional<std::size_t> most) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = cells_of(columns_[i].title);
    for (const std::vector<std::string>& row : rows_) {
      widest = std::max(widest, cells_of(row[i]));
    }
    widths.push_back(widest);
  }
  if (most) {
    const std::size_t between = kBetweenColumns.size() * (columns_.size() - 1);
    std::size_t sum = std::accumulate(widths.begin(), widths.end(), between);
    auto widest = std::max_element(widths.begin(), widths.end());
    while (sum > *most && *widest > kNarrowest) {
      --*widest;
      --sum;
      widest = std::max_element(widths.begin(), widths.end());
    }
  }
  return widths;
}

std::string Table::written(std::optional<std::size_t> width) const {
  if (rows_.empty()) {
    return {};
  }
  const std::vector<std::size_t> widths = this->widths(width);
  std::string text;
  const auto add_line = [&](auto cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      line += i == 0 ? "" : kBetweenColumns;
      line += padded(cut_to(cell_at(i), widths[i]), widths[i], columns_[i].align);
    }
    end_line(line);
    text += line;
  };
  add_line([&](std::size_t i) { return columns_[i].title; });
  for (const std::vector<std::string>& row : rows_) {
    add_line([&](std::size_t i) { return row[i]; });
  }
  return text;
}

}  // namespace drover::orchestrator::report
