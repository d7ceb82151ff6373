#include "orchestrator/backup/dump_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace drover::orchestrator::backup {
namespace {

constexpr std::string_view kCopy = "COPY ";
constexpr std::string_view kFromStdin = " FROM stdin;";
constexpr std::string_view kEndOfData = "\\.";
constexpr std::string_view kServerVersion = "-- Dumped from database version ";
constexpr std::string_view kToolVersion = "-- Dumped by pg_dump version ";
constexpr std::string_view kSetval = "SELECT pg_catalog.setval(";
constexpr std::string_view kLargeObject = "SELECT pg_catalog.lo_open(";

/// Reads names as pg_dump writes them: plain, or in double quotes with "" for a quote.
class Names {
 public:
  explicit Names(std::string_view text) : text_(text) {}

  std::string next() {
    std::string name;
    if (at_ < text_.size() && text_[at_] == '"') {
      for (++at_; at_ < text_.size(); ++at_) {
        if (text_[at_] == '"' && (at_ + 1 >= text_.size() || text_[at_ + 1] != '"')) {
          ++at_;
          break;
        }
        at_ += text_[at_] == '"' ? 1U : 0U;
        name += text_[at_];
      }
      return name;
    }
    while (at_ < text_.size() && text_[at_] != '.' && text_[at_] != ' ' && text_[at_] != ',' &&
           text_[at_] != ')') {
      name += text_[at_++];
    }
    return name;
  }

  std::size_t at() const noexcept { return at_; }

  bool skip(std::string_view what) {
    const bool there = text_.substr(at_).starts_with(what);
    at_ += there ? what.size() : 0;
    return there;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

/// The arguments of setval() without the sequence's schema, which may be called otherwise in a
/// copy: files_id_seq', 5, true);
std::string_view without_schema(std::string_view setval) {
  const std::string_view arguments = setval.substr(kSetval.size() + 1);  // behind the quote
  Names names(arguments);
  names.next();
  return names.skip(".") ? arguments.substr(names.at()) : arguments;
}

/// The column of a row in COPY's text format. What is kept (ids, a UUID) needs no unescaping.
std::string_view column_of(std::string_view row, std::size_t number) {
  for (std::size_t i = 0; i < number; ++i) {
    const std::size_t tab = row.find('\t');
    row.remove_prefix(tab == std::string_view::npos ? row.size() : tab + 1);
  }
  return row.substr(0, row.find('\t'));
}

}  // namespace

void DumpReader::take(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    if (end == std::string_view::npos) {
      rest_ += piece;
      return;
    }
    if (rest_.empty()) {
      take_line(piece.substr(0, end));
    } else {
      rest_ += piece.substr(0, end);
      take_line(rest_);
      rest_.clear();
    }
    piece.remove_prefix(end + 1);
  }
}

void DumpReader::take_line(std::string_view line) {
  if (rows_ != nullptr) {
    line == kEndOfData ? end_table() : take_row(line);
    return;
  }
  if (!copy_.empty() || line.starts_with(kCopy)) {  // a name may hold a line break
    copy_ += copy_.empty() ? "" : "\n";
    copy_ += line;
    if (copy_.ends_with(kFromStdin)) {
      begin_table(std::exchange(copy_, {}));
    }
  } else if (line.starts_with(kSetval)) {
    tables_["(sequences)"].add(without_schema(line));
  } else if (line.starts_with(kLargeObject)) {
    tables_["(large objects)"].add(line);
  } else if (line.starts_with(kServerVersion) && content_.server_version.empty()) {
    content_.server_version = line.substr(kServerVersion.size());
  } else if (line.starts_with(kToolVersion) && content_.tool_version.empty()) {
    content_.tool_version = line.substr(kToolVersion.size());
  }
}

/// COPY public.files (id, name) FROM stdin;
void DumpReader::begin_table(std::string_view copy) {
  Names names(copy.substr(kCopy.size()));
  const std::string schema = names.next();
  names.skip(".");
  const std::string table = names.next();
  rows_ = &tables_[fmt::format("{}.{}", schema, table)];
  const bool is_history = schema == history_schema_;
  const std::string wanted = is_history && table == "drover_tenant"
                                 ? "uid"
                                 : (is_history && table == "drover_revisions" ? "revision" : "");
  if (wanted.empty() || !names.skip(" (")) {
    return;
  }
  column_ = 0;
  while (names.next() != wanted) {
    if (!names.skip(", ")) {
      return;
    }
    ++column_;
  }
  one_value_ = wanted == "uid" ? &content_.uid : nullptr;
  values_ = wanted == "uid" ? nullptr : &content_.revisions;
}

void DumpReader::take_row(std::string_view row) {
  rows_->add(row);
  if (one_value_ != nullptr) {
    *one_value_ = column_of(row, column_);
  } else if (values_ != nullptr) {
    values_->emplace_back(column_of(row, column_));
  }
}

void DumpReader::end_table() {
  rows_ = nullptr;
  one_value_ = nullptr;
  values_ = nullptr;
}

DumpContent DumpReader::finish() {
  if (rows_ != nullptr) {
    defect_ = "it ends inside the rows of a table";
  } else if (!copy_.empty()) {
    defect_ = "it ends inside a COPY statement";
  } else if (!rest_.empty()) {
    defect_ = "it ends inside a line";
  }
  for (const auto& [name, sum] : tables_) {
    content_.tables.push_back(sum.digest_of(name));
  }
  std::sort(content_.revisions.begin(), content_.revisions.end());
  return std::move(content_);
}

}  // namespace drover::orchestrator::backup
