#include "engine/parse/batch_options.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "engine/parse/section_text.h"
#include "engine/parse/sql_scanner.h"
#include "engine/parse/statement_kind.h"
#include "engine/parse/text_error.h"
#include "engine/parse/value_rules.h"

namespace drover::engine::parse {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMostWorkers = 64;
constexpr std::uint64_t kMostRows = 1'000'000;
constexpr std::uint64_t kLeastWal = 64ULL << 10U;
constexpr std::uint64_t kMostWal = 16ULL << 30U;

bool is_target(std::string_view value) {
  const auto duration = duration_in(value);
  return duration && *duration >= 1ms && *duration <= 5min;
}

bool is_row_range(std::string_view value) {
  const auto range = range_in(value);
  return range && range->least >= 1 && range->most <= kMostRows;
}

bool is_wal(std::string_view value) {
  const auto bytes = bytes_in(value);
  return bytes && *bytes >= kLeastWal && *bytes <= kMostWal;
}

bool is_worker_count(std::string_view value) {
  const auto number = number_in(value);
  return number && *number >= 1 && *number <= kMostWorkers;
}

bool is_vacuum_share(std::string_view value) {
  const auto percent = percent_in(value);
  return percent && *percent >= 1;
}

/// One key that a batch may have.
struct KeyRule {
  std::string_view key;
  std::string_view otherwise;              ///< Its value when not given; empty: then it is absent.
  bool (*allows)(std::string_view value);  ///< nullptr: the words of `wanted`, and no other.
  std::string_view wanted;                 ///< Those words, or what the hint asks for.
};

constexpr KeyRule kKeys[] = {
    {"table", "", is_qualified_name, "the name of one table, as in table=app.files"},
    {"key", "", is_list_of_names, "columns with commas between them, as in key=a,b"},
    {"scan", "", nullptr, "heap"},
    {"target", "500ms", is_target, "a duration from 1ms to 5min, as in target=500ms"},
    {"rows", "50..50000", is_row_range, "two numbers from 1 to 1000000, as in rows=50..50000"},
    {"wal", "16MB", is_wal, "a size from 64kB to 16GB, as in wal=16MB"},
    {"workers", "1", is_worker_count, "a number from 1 to 64"},
    {"order", "asc", nullptr, "asc desc"},
    {"vacuum", "20%", is_vacuum_share, "a share from 1% to 100%, as in vacuum=20%"},
    {"sync_commit", "off", nullptr, "on off"},
    {"on_poison", "stop", nullptr, "stop park"},
    {"check", "count", nullptr, "count checksum none"},
    {"mode", "wait", nullptr, "wait background"},
    {"trigger", "none", nullptr, "none sync"},
};

constexpr std::array<std::string_view, 3> kLineWords = {"done", "where", "throttle"};

const KeyRule* rule_of(std::string_view key) {
  const auto* const rule = std::find_if(
      std::begin(kKeys), std::end(kKeys), [&](const KeyRule& each) { return each.key == key; });
  return rule == std::end(kKeys) ? nullptr : rule;
}

std::vector<std::string_view> all_keys() {
  std::vector<std::string_view> keys;
  for (const KeyRule& rule : kKeys) {
    keys.push_back(rule.key);
  }
  return keys;
}

/// Takes the next word from `options`. Blanks inside of double quotes do not end it.
std::string_view take_option(std::string_view& options) {
  std::size_t end = 0;
  for (bool in_quotes = false; end < options.size(); ++end) {
    in_quotes = in_quotes != (options[end] == '"');
    if (!in_quotes && (options[end] == ' ' || options[end] == '\t')) {
      break;
    }
  }
  const std::string_view option = options.substr(0, end);
  options = trimmed(options.substr(end));
  return option;
}

void require_allowed(const Migration& file, const KeyRule& rule, std::string_view value) {
  const std::vector<std::string_view> choices = words_of(rule.wanted);
  const bool allowed = rule.allows == nullptr
                           ? std::find(choices.begin(), choices.end(), value) != choices.end()
                           : rule.allows(value);
  if (!allowed) {
    refuse(
        file,
        value.data(),
        "bad_batch_value",
        std::string(rule.key) + " is " + shown(value) + ", which it cannot be",
        "Give it " + (rule.allows == nullptr ? listed(choices) : std::string(rule.wanted)) + ".");
  }
}

void read_option(const Migration& file, std::string_view option, BatchOptions& batch) {
  const std::size_t cut = option.find('=');
  const std::string_view key = option.substr(0, cut);
  const KeyRule* const rule = rule_of(key);
  if (rule == nullptr || cut == std::string_view::npos) {
    const auto keys = all_keys();
    const std::string_view meant = nearest(key, keys);
    const std::string hint = rule != nullptr ? "Write it as '" + std::string(key) + "=VALUE'."
                             : meant.empty() ? "Use " + listed(keys) + "."
                                             : "Did you mean '" + std::string(meant) + "'?";
    refuse(
        file, option.data(), "unknown_batch_key", shown(option) + " is not a key of a batch", hint);
  }
  const std::string_view value = option.substr(cut + 1);
  require_allowed(file, *rule, value);
  if (!batch.keys.emplace(key, value).second) {
    refuse(file,
           option.data(),
           "duplicate_batch_key",
           "the batch says " + shown(key) + " twice",
           "Keep one of the two.");
  }
}

void fill_in_defaults(BatchOptions& batch) {
  for (const KeyRule& rule : kKeys) {
    if (!rule.otherwise.empty()) {
      batch.keys.emplace(rule.key, rule.otherwise);
    }
  }
}

/// "a, \"b c\"" as its names.
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  std::size_t begin = 0;
  bool in_quotes = false;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i == list.size() || (list[i] == ',' && !in_quotes)) {
      names.emplace_back(trimmed(list.substr(begin, i - begin)));
      begin = i + 1;
    } else {
      in_quotes = in_quotes != (list[i] == '"');
    }
  }
  return names;
}

/// Gives the validated text of the keys its meaning.
void understand(BatchOptions& batch) {
  const auto says = [&](const char* key, std::string_view value) {
    const auto found = batch.keys.find(key);
    return found != batch.keys.end() && found->second == value;
  };
  batch.table = batch.keys.at("table");
  if (batch.keys.contains("key")) {
    batch.key = names_in(batch.keys.at("key"));
  }
  const auto rows = range_in(batch.keys.at("rows"));
  batch.least_rows = rows->least;
  batch.most_rows = rows->most;
  batch.target = *duration_in(batch.keys.at("target"));
  batch.wal_bytes = *bytes_in(batch.keys.at("wal"));
  batch.workers = static_cast<unsigned>(*number_in(batch.keys.at("workers")));
  batch.vacuum = static_cast<double>(*percent_in(batch.keys.at("vacuum"))) / 100;
  batch.heap = says("scan", "heap");
  batch.descending = says("order", "desc");
  batch.sync_commit = says("sync_commit", "on");
  batch.on_poison =
      says("on_poison", "park") ? BatchOptions::OnPoison::park : BatchOptions::OnPoison::stop;
  batch.background = says("mode", "background");
  batch.sync_trigger = says("trigger", "sync");
  batch.check = says("check", "none")       ? BatchOptions::Check::none
                : says("check", "checksum") ? BatchOptions::Check::checksum
                                            : BatchOptions::Check::count;
}

std::string& line_of(BatchOptions& batch, std::string_view word) {
  if (word == "done") {
    return batch.done;
  }
  return word == "where" ? batch.where : batch.throttle;
}

/// What in `sql` would break the statement that it is put into; empty when nothing does. Only what
/// splitting it does not show.
std::string defect_of_sql(std::string_view sql, Dialect dialect) {
  std::string defect;
  std::size_t depth = 0;
  for_each_token(sql, dialect, [&](const Token& token) {
    const auto left = static_cast<std::size_t>(sql.data() + sql.size() - token.begin());
    if (token.is('{') && std::string_view(token.begin(), left).starts_with("{range}")) {
      defect = "holds {range}, which belongs into the statement";
    } else if (token.is(')') && depth == 0) {
      defect = "closes a parenthesis that it did not open";
    }
    depth += token.is('(') ? 1U : 0U;
    depth -= token.is(')') && depth > 0 ? 1U : 0U;
    return defect.empty();
  });
  return defect;
}

/// Makes sure that the value of a batch line can stand inside of a statement of ours, and gives it
/// without comments around it.
std::string_view sql_value(const Migration& file, const Directive& directive, Dialect dialect) {
  const Scan scan = split_statements(directive.value, dialect);
  const auto refuse_line = [&](const char* at, const std::string& why) {
    refuse(file,
           at,
           "bad_batch_line",
           shown(directive.word) + " " + why,
           "Write one whole " +
               std::string(directive.word == "throttle" ? "SELECT" : "SQL expression") +
               " on the line, without a semicolon.");
  };
  if (!scan.open.empty()) {
    refuse_line(scan.open.front().opened_at, "is not closed on its line");
  }
  if (scan.statements.size() != 1) {
    refuse_line(directive.value.data(), "is not one expression");
  }
  if (const std::string defect = defect_of_sql(directive.value, dialect); !defect.empty()) {
    refuse_line(directive.value.data(), defect);
  }
  const std::string_view value = scan.statements.front();
  if (directive.word == "throttle" && kind_of(value, dialect) != StatementKind::select) {
    refuse_line(value.data(), "is no SELECT");
  }
  return value;
}

}  // namespace

BatchOptions read_batch_options(const Migration& file, std::string_view options) {
  BatchOptions batch;
  const char* const begin = options.data();
  while (!options.empty()) {
    read_option(file, take_option(options), batch);
  }
  if (!batch.keys.contains("table")) {
    refuse(file,
           begin,
           "missing_batch_key",
           "the batch does not name its table",
           "Add table=NAME to its directive.");
  }
  fill_in_defaults(batch);
  understand(batch);
  return batch;
}

bool is_batch_line_word(std::string_view word) noexcept {
  return std::find(kLineWords.begin(), kLineWords.end(), word) != kLineWords.end();
}

void read_batch_line(const Migration& file, const Directive& directive, Section& section) {
  if (directive.value.empty()) {
    refuse(file,
           directive.line.data(),
           "missing_value",
           "the directive " + shown(directive.word) + " has no value",
           "Write '-- drover: " + std::string(directive.word) + " ...', or remove the line.");
  }
  std::string& line = line_of(section.batch, directive.word);
  if (!line.empty()) {
    refuse(file,
           directive.line.data(),
           "duplicate_batch_line",
           "the batch says " + shown(directive.word) + " twice",
           "Keep one of the lines.");
  }
  for (const Dialect dialect : dialects_of(section.dialect)) {
    line = sql_value(file, directive, dialect);
  }
}

void check_batch(const Migration& file, const Section& section, const char* directive) {
  const auto refuse_scan = [&](const std::string& why, std::string hint) {
    refuse(file, directive, "bad_batch_value", "scan=heap " + why, std::move(hint));
  };
  if (section.batch.sync_trigger && section.batch.done.empty()) {
    refuse(file,
           directive,
           "bad_batch_value",
           "trigger=sync needs to know which rows are done",
           "Add a line '-- drover: done EXPR'.");
  }
  if (section.batch.sync_trigger && section.batch.returns) {
    refuse(file,
           directive,
           "bad_batch_value",
           "trigger=sync makes a trigger of the statement, in which nothing can be returned",
           "Leave out the statement's RETURNING.");
  }
  if (section.batch.sync_trigger && section.batch.aliased && section.is_for(Dialect::sqlite)) {
    refuse(file,
           directive,
           "bad_batch_value",
           "trigger=sync makes a trigger of the statement, in which SQLite knows no alias of a "
           "table that is changed",
           "Call the table by its own name, or write 'batch postgres'.");
  }
  if (!section.batch.heap) {
    return;
  }
  if (section.batch.descending) {
    refuse_scan("has no order of its own", "Leave out order=desc.");
  }
  if (section.batch.keys.contains("key")) {
    refuse_scan("goes without a key, and key is given", "Keep one of the two.");
  }
  if (section.is_for(Dialect::sqlite)) {
    refuse_scan("is for PostgreSQL only", "Write 'batch postgres', or name a key instead.");
  }
  if (section.batch.done.empty()) {
    refuse_scan("needs to know which rows are done", "Add a line '-- drover: done EXPR'.");
  }
}

}  // namespace drover::engine::parse
