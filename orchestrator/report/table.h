/// Aligned columns for people.
///
/// Cells are made printable (text.h) here, so what stands in a database cannot disturb a terminal.
/// Width counts cells of a terminal, not bytes.
///
/// Thread safety: one thread builds it.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace drover::orchestrator::report {

struct Column {
  enum class Align { left, right };

  std::string title;
  Align align = Align::left;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Missing cells are empty. More cells than columns throw std::logic_error.
  void add(std::vector<std::string> cells);

  bool empty() const noexcept { return rows_.empty(); }

  /// Header and rows, one a line, two blanks between columns, no blanks at a line's end. Wider
  /// than `width`, the widest columns are cut, with an ellipsis; nullopt (no terminal): never.
  /// Empty without rows.
  std::string written(std::optional<std::size_t> width) const;

 private:
  std::vector<std::size_t> widths(std::optional<std::size_t> most) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace drover::orchestrator::report
