#include "engine/files/migration_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>

#include "engine/files/exclusive_file.h"
#include "engine/files/utf8.h"

namespace drover::engine::files {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMinNumberWidth = 4;
constexpr std::size_t kRandomIdLength = 12;
constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kMaxSlugLength = 40;

constexpr std::string_view kNormalSections = R"(
-- drover: up
-- Write here what makes the change.

-- drover: down
-- Write here what takes it back.
)";

constexpr std::string_view kEmptySections = R"(
-- drover: up

-- drover: down
)";

constexpr std::string_view kDataSections = R"(
-- Runs in small transactions of its own. Put the names of your table, key and columns in.
-- drover: batch table=my_table key=id target=500ms
-- drover: done my_column IS NOT NULL
UPDATE my_table SET my_column = 'my value'
 WHERE {range} AND my_column IS NULL;

-- drover: verify
SELECT count(*) = 0 FROM my_table WHERE my_column IS NULL;

-- drover: down
-- Write here what takes it back, if anything has to.
)";

constexpr std::string_view kMergeSections = R"(
-- drover: up
-- Joins the branches; what they need from each other goes here.

-- drover: down
)";

std::string_view sections_of(Template kind) {
  switch (kind) {
    case Template::normal:
      return kNormalSections;
    case Template::empty:
      return kEmptySections;
    case Template::data:
      return kDataSections;
    case Template::merge:
      return kMergeSections;
  }
  return kNormalSections;
}

/// The number that `id` is, when it is nothing but digits.
std::optional<std::uint64_t> number_of(const RevisionId& id) {
  std::uint64_t number = 0;
  const char* const end = id.value.data() + id.value.size();
  const auto [rest, error] = std::from_chars(id.value.data(), end, number);
  if (error != std::errc() || rest != end) {
    return std::nullopt;
  }
  return number;
}

RevisionId next_number(std::span<const RevisionId> taken) {
  std::uint64_t largest = 0;
  std::size_t width = kMinNumberWidth;
  for (const RevisionId& id : taken) {
    if (const auto number = number_of(id)) {
      largest = std::max(largest, *number);
      width = std::max(width, id.value.size());
    }
  }
  if (largest == std::numeric_limits<std::uint64_t>::max()) {
    throw Error(ErrorCode::usage,
                "no_next_number",
                fmt::format("no number comes after '{}'", largest),
                "Choose random ids, or give the id yourself.");
  }
  return {fmt::format("{:0{}}", largest + 1, width)};
}

RevisionId random_id() {
  std::random_device random;
  std::uniform_int_distribution<std::size_t> any_digit(0, kDigits.size() - 1);
  std::string id(kRandomIdLength, '0');
  std::generate(id.begin(), id.end(), [&] { return kDigits[any_digit(random)]; });
  return {id};
}

/// What may not be in an id that is to stand in a file name before an underscore.
void check_id(const RevisionId& id) {
  const auto defect = name_defect(id.value);
  const auto at = id.value.find_first_of("_/.");
  if (defect || at != std::string::npos) {
    throw Error(ErrorCode::usage,
                "invalid_id",
                fmt::format("the id {} {}",
                            in_quotes(id),
                            defect ? defect->what : fmt::format("holds '{}'", id.value[at])),
                defect ? defect->hint : "Use letters and digits: the file is named after the id.");
  }
}

void check_label(const std::string& label) {
  if (const auto defect = name_defect(label)) {
    throw Error(ErrorCode::usage,
                "invalid_label",
                fmt::format("the label {} {}", in_quotes(label), defect->what),
                defect->hint);
  }
}

void check_message(std::string_view message) {
  const bool has_control = std::any_of(message.begin(), message.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20U || c == '\x7F';
  });
  if (has_control || !is_utf8(message)) {
    throw Error(ErrorCode::usage,
                "invalid_message",
                has_control ? "the message holds a line break or another control character"
                            : "the message is not UTF-8",
                "Give one line of text.");
  }
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::string joined(std::span<const RevisionId> ids) {
  return listed(ids, ids.size());
}

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80U;
}

char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

RevisionId next_id(std::span<const RevisionId> taken, IdStyle style) {
  if (style == IdStyle::number) {
    return next_number(taken);
  }
  // Digits alone would look like a number to next_number().
  RevisionId id = random_id();
  while (number_of(id) || std::find(taken.begin(), taken.end(), id) != taken.end()) {
    id = random_id();
  }
  return id;
}

std::string slug_of(std::string_view message) {
  std::string slug;
  for (const char c : message) {
    const char lower = lowered(c);
    if (is_word_character(lower)) {
      slug += lower;
    } else if (!slug.empty() && slug.back() != '_') {
      slug += '_';
    }
  }
  if (slug.ends_with('_')) {
    slug.pop_back();
  }
  const std::size_t most = bytes_of_first(slug, kMaxSlugLength);
  if (most < slug.size()) {
    const std::size_t border = slug.rfind('_', most);
    slug.resize(border == std::string::npos ? most : border);
  }
  return slug;
}

std::string file_name_of(const RevisionId& id, std::string_view message) {
  const std::string slug = slug_of(message);
  return id.value + (slug.empty() ? "" : "_" + slug) + ".sql";
}

std::string text_of(const NewMigration& migration) {
  check_id(migration.id);
  check_message(migration.message);
  std::for_each(migration.labels.begin(), migration.labels.end(), check_label);
  if (migration.kind == Template::merge && migration.parents.size() < 2) {
    throw Error(ErrorCode::usage,
                "merge_needs_parents",
                fmt::format("a merge needs several parents, and {} given",
                            migration.parents.empty() ? "none was" : "one was"),
                "Name the heads to merge.");
  }

  const std::string_view message = trimmed(migration.message);
  std::string text = fmt::format("-- drover: revision {}\n-- drover: parents {}\n",
                                 migration.id.value,
                                 migration.parents.empty() ? "none" : joined(migration.parents));
  if (!message.empty()) {
    text += fmt::format("-- drover: message {}\n", message);
  }
  if (!migration.labels.empty()) {
    text += fmt::format("-- drover: labels {}\n", fmt::join(migration.labels, ", "));
  }
  if (!migration.depends.empty()) {
    text += fmt::format("-- drover: depends {}\n", joined(migration.depends));
  }
  return text.append(sections_of(migration.kind));
}

fs::path create_migration(const fs::path& directory, const NewMigration& migration) {
  const std::string text = text_of(migration);
  fs::path path = directory / file_name_of(migration.id, migration.message);
  write_new_file(path, text);
  return path;
}

}  // namespace drover::engine::files
