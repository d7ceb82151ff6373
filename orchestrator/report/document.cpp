#include "orchestrator/report/document.h"

#include <ctime>

#include <fmt/format.h>

#include "orchestrator/report/text.h"
#include "orchestrator/report/yaml_writer.h"

namespace drover::orchestrator::report {
namespace {

constexpr std::string_view kLineEndOfCsv = "\r\n";
constexpr std::string_view kListSeparator = ",";

/// How JSON is laid out: nothing, or breaks and an indent of so many blanks.
struct Layout {
  bool broken = false;
  std::size_t indent = 0;

  Layout deeper() const { return {broken, indent + 2}; }
  std::string line_break() const { return broken ? "\n" + std::string(indent, ' ') : ""; }
  std::string_view after_comma() const { return broken ? "" : " "; }
};

void write_json(std::string& out, const Value& value, const Layout& layout);

/// "[a, b]" or "{...}": `write` puts one item down.
template <typename Items, typename Write>
void write_group(std::string& out,
                 const Items& items,
                 std::string_view brackets,
                 const Layout& layout,
                 Write write) {
  out += brackets.front();
  const Layout inner = layout.deeper();
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) {
      out += ',';
      out += inner.after_comma();
    }
    out += inner.line_break();
    write(items[i], inner);
  }
  if (!items.empty()) {
    out += layout.line_break();
  }
  out += brackets.back();
}

void write_json(std::string& out, const Value& value, const Layout& layout) {
  if (const Value::List* const items = value.items()) {
    write_group(out, *items, "[]", layout, [&out](const Value& item, const Layout& inner) {
      write_json(out, item, inner);
    });
  } else if (const Value::Object* const members = value.members()) {
    write_group(out, *members, "{}", layout, [&out](const Member& member, const Layout& inner) {
      out += quoted_text(member.key) + ": ";
      write_json(out, member.value, inner);
    });
  } else if (const std::string* const text = value.text()) {
    out += quoted_text(*text);
  } else {
    out += bare_scalar(value);
  }
}

std::string pretty_json(const Value& value) {
  std::string out;
  write_json(out, value, {true, 0});
  return out + "\n";
}

const Value::List* rows_of(const Document& document) {
  const Value* const rows = document.rows.empty() ? nullptr : document.value.find(document.rows);
  return rows == nullptr ? nullptr : rows->items();
}

std::string ndjson(const Document& document) {
  const Value::List* const rows = rows_of(document);
  Value head = Value::object();
  for (const Member& member : *document.value.members()) {
    if (rows == nullptr || member.key != document.rows) {
      head.set(member.key, member.value);
    }
  }
  std::string out = json_line(head) + "\n";
  if (rows != nullptr) {
    for (const Value& row : *rows) {
      out += json_line(row) + "\n";
    }
  }
  return out;
}

/// The value at "error.kind" of `row`; null where the path ends early.
const Value& at_path(const Value& row, std::string_view path) {
  static const Value kNothing;
  const Value* here = &row;
  while (here != nullptr && !path.empty()) {
    const std::size_t dot = path.find('.');
    here = here->find(path.substr(0, dot));
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return here == nullptr ? kNothing : *here;
}

std::string csv_cell(const std::string& text) {
  std::string clean = printable(text, LineBreaks::keep);
  const bool plain = clean.find_first_of(",\"\n") == std::string::npos && !clean.starts_with(' ') &&
                     !clean.ends_with(' ');
  if (plain) {
    return clean;
  }
  std::string quoted = "\"";
  for (const char c : clean) {
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  }
  return quoted + "\"";
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    line += (&cell == &cells.front() ? "" : ",") + csv_cell(cell);
  }
  return line.append(kLineEndOfCsv);
}

std::vector<std::string> columns_of(const Document& document, const Value::List& rows) {
  std::vector<std::string> columns = document.columns;
  if (columns.empty() && !rows.empty() && rows.front().members() != nullptr) {
    for (const Member& member : *rows.front().members()) {
      columns.push_back(member.key);
    }
  }
  return columns;
}

std::string csv(const Document& document) {
  const Value::List itself{document.value};
  const Value::List* const listed = rows_of(document);
  const Value::List& rows = listed == nullptr ? itself : *listed;
  const std::vector<std::string> columns = columns_of(document, rows);
  std::string out = columns.empty() ? "" : csv_line(columns);
  for (const Value& row : rows) {
    std::vector<std::string> cells;
    cells.reserve(columns.size());
    for (const std::string& column : columns) {
      cells.push_back(cell_text(at_path(row, column)));
    }
    out += csv_line(cells);
  }
  return out;
}

}  // namespace

std::string rfc3339(WallTime time) {
  using std::chrono::milliseconds;
  const auto since = std::chrono::floor<milliseconds>(time.time_since_epoch());
  const auto whole = std::chrono::floor<std::chrono::seconds>(since);
  const std::time_t seconds = whole.count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                     parts.tm_year + 1900,
                     parts.tm_mon + 1,
                     parts.tm_mday,
                     parts.tm_hour,
                     parts.tm_min,
                     parts.tm_sec,
                     (since - whole).count());
}

Value opening(const Occasion& occasion) {
  Value value = Value::object();
  value.set("format", 1);
  value.set("environment", occasion.environment.empty() ? Value() : Value(occasion.environment));
  value.set("started", rfc3339(occasion.started));
  value.set("finished", rfc3339(occasion.finished));
  return value;
}

std::string json_line(const Value& value) {
  std::string out;
  write_json(out, value, {});
  return out;
}

std::string cell_text(const Value& value) {
  if (value.is_null()) {
    return {};
  }
  if (const std::string* const text = value.text()) {
    return *text;
  }
  std::string joined;
  if (const Value::List* const items = value.items()) {
    for (const Value& item : *items) {
      joined += (&item == &items->front() ? "" : std::string(kListSeparator)) + cell_text(item);
    }
    return joined;
  }
  if (const Value::Object* const members = value.members()) {
    for (const Member& member : *members) {
      joined += (&member == &members->front() ? "" : std::string(kListSeparator)) + member.key +
                "=" + cell_text(member.value);
    }
    return joined;
  }
  return bare_scalar(value);
}

std::string written(const Document& document, DataFormat format) {
  switch (format) {
    case DataFormat::json:
      return pretty_json(document.value);
    case DataFormat::yaml:
      return yaml_text(document.value);
    case DataFormat::ndjson:
      return ndjson(document);
    case DataFormat::csv:
      return csv(document);
  }
  return {};
}

}  // namespace drover::orchestrator::report
