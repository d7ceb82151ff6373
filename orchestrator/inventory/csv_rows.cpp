#include "orchestrator/inventory/csv_rows.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include <fmt/format.h>

namespace drover::orchestrator::inventory {
namespace {

[[noreturn]] void refuse(const Place& place, const std::string& message, std::string hint) {
  refuse_row({place, ""}, "source_malformed", message, std::move(hint));
}

struct Record {
  std::vector<std::string> fields;
  Place place;
};

/// Cuts a text into records, one after the other.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  /// The next record that is not an empty line; false at the end.
  bool next(Record& record) {
    while (!rest_.empty() && (rest_.front() == '\n' || rest_.substr(0, 2) == "\r\n")) {
      take_line_end();
    }
    if (rest_.empty()) {
      return false;
    }
    record = {{}, {file_, line_, 0}};
    do {
      record.fields.push_back(rest_.substr(0, 1) == "\"" ? take_quoted() : take_plain());
    } while (take_comma());
    take_line_end();
    return true;
  }

 private:
  bool take_comma() {
    if (rest_.substr(0, 1) != ",") {
      return false;
    }
    rest_.remove_prefix(1);
    return true;
  }

  void take_line_end() {
    if (rest_.empty()) {
      return;
    }
    rest_.remove_prefix(rest_.front() == '\r' ? 2 : 1);
    ++line_;
  }

  bool at_field_end() const {
    return rest_.empty() || rest_.front() == ',' || rest_.front() == '\n' ||
           rest_.substr(0, 2) == "\r\n";
  }

  std::string take_plain() {
    std::string field;
    while (!at_field_end()) {
      if (rest_.front() == '"') {
        refuse({file_, line_, 0},
               "a quote stands inside a field that does not start with one",
               "Put the whole field in quotes and double the quote inside.");
      }
      field += rest_.front();
      rest_.remove_prefix(1);
    }
    return field;
  }

  std::string take_quoted() {
    const Place opened{file_, line_, 0};
    rest_.remove_prefix(1);
    std::string field;
    for (;;) {
      const std::size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) {
        refuse(opened, "a quote is opened in this line and never closed", "Close it.");
      }
      field += rest_.substr(0, quote);
      const std::string_view taken = rest_.substr(0, quote);
      line_ += static_cast<std::size_t>(std::count(taken.begin(), taken.end(), '\n'));
      rest_.remove_prefix(quote + 1);
      if (rest_.substr(0, 1) != "\"") {
        break;
      }
      field += '"';
      rest_.remove_prefix(1);
    }
    if (!at_field_end()) {
      refuse({file_, line_, 0},
             "something stands between a closing quote and the next comma",
             "Double a quote that belongs to the field.");
    }
    return field;
  }

  std::string_view rest_;
  const std::string& file_;
  std::size_t line_ = 1;
};

void check_header(const Record& header) {
  std::set<std::string> seen;
  for (const std::string& name : header.fields) {
    if (name.empty()) {
      refuse(header.place, "a column of the header has no name", "Name every column.");
    }
    if (!seen.insert(name).second) {
      refuse(header.place,
             fmt::format("column '{}' is in the header twice", name),
             "Keep one of them.");
    }
  }
}

}  // namespace

std::vector<SourceRow> parse_csv(std::string_view text, const std::string& file) {
  CsvReader reader(text, file);
  Record header;
  std::vector<SourceRow> rows;
  if (!reader.next(header)) {
    return rows;
  }
  check_header(header);
  Record record;
  while (reader.next(record)) {
    if (record.fields.size() != header.fields.size()) {
      refuse(record.place,
             fmt::format("the line has {} fields and the header {}",
                         record.fields.size(),
                         header.fields.size()),
             "Give every line as many fields as the header; put a field with a comma in quotes.");
    }
    SourceRow row;
    row.at.place = record.place;
    for (std::size_t i = 0; i < record.fields.size(); ++i) {
      std::string& field = record.fields[i];
      row.values.emplace_back(header.fields[i],
                              field.empty() ? SourceRow::Value() : std::move(field));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace drover::orchestrator::inventory
