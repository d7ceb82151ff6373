#include "orchestrator/plan/plan_file.h"

#include <array>
#include <stdexcept>
#include <type_traits>

#include <fmt/format.h>

#include "engine/base/sha256.h"
#include "engine/error.h"
#include "orchestrator/plan/canonical.h"
#include "orchestrator/plan/json_text.h"
#include "orchestrator/plan/plan_defect.h"
#include "orchestrator/plan/plan_fields.h"
#include "orchestrator/plan/whole_file.h"
#include "orchestrator/utf8.h"

namespace drover::orchestrator::plan {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongest = std::size_t{512} * 1024 * 1024;

std::string_view word_for(engine::Direction direction) {
  return direction == engine::Direction::up ? "up" : "down";
}

// The text. A plan of 100,000 tenants has 30 MB of it, so it grows in one string.

void append(std::string& text, const std::string& value) {
  append_quoted(text, value);
}

void append(std::string& text, bool value) {
  text += value ? "true" : "false";
}

template <typename Number>
requires std::is_same_v<Number, std::size_t> || std::is_same_v<Number, std::int64_t>
void append(std::string& text, Number value) {
  text += std::to_string(value);
}

void append(std::string& text, engine::Direction value) {
  append_quoted(text, word_for(value));
}

void append(std::string& text, const engine::RevisionId& id) {
  append_quoted(text, id.value);
}

void append(std::string& text, const TenantId& id) {
  append_quoted(text, id.value);
}

template <typename Item>
void append(std::string& text, const std::vector<Item>& items) {
  text += '[';
  std::string_view separator;
  for (const Item& item : items) {
    text += separator;
    append(text, item);
    separator = ", ";
  }
  text += ']';
}

template <typename Record>
void append_fields(std::string& text, const Record& record, std::string_view separator) {
  bool first = true;
  for (const Field<Record>& field : kFields<Record>) {
    text += first ? std::string_view() : separator;
    first = false;
    append_quoted(text, field.key);
    text += ": ";
    std::visit([&](auto member) { append(text, record.*member); }, field.member);
  }
}

template <typename Record>
requires(kFields<Record>.size() > 0) void append(std::string& text, const Record& record) {
  text += '{';
  append_fields(text, record, ", ");
  text += '}';
}

template <typename Item>
void append_list(std::string& text, std::string_view key, const std::vector<Item>& items) {
  text += ",\n  ";
  append_quoted(text, key);
  text += ": [";
  std::string_view separator = "\n    ";
  for (const Item& item : items) {
    text += separator;
    append(text, item);
    separator = ",\n    ";
  }
  text += items.empty() ? "]" : "\n  ]";
}

// The digest.

void encode(Canonical& bytes, const std::string& value) {
  bytes.text(value);
}

template <typename Number>
requires std::is_integral_v<Number>
void encode(Canonical& bytes, Number value) {
  bytes.number(static_cast<std::uint64_t>(value));
}

void encode(Canonical& bytes, engine::Direction value) {
  bytes.text(word_for(value));
}

void encode(Canonical& bytes, const engine::RevisionId& id) {
  bytes.text(id.value);
}

void encode(Canonical& bytes, const TenantId& id) {
  bytes.text(id.value);
}

template <typename Item>
void encode(Canonical& bytes, const std::vector<Item>& items) {
  bytes.number(items.size());
  for (const Item& item : items) {
    encode(bytes, item);
  }
}

template <typename Record>
requires(kFields<Record>.size() > 0) void encode(Canonical& bytes, const Record& record) {
  for (const Field<Record>& field : kFields<Record>) {
    std::visit([&](auto member) { encode(bytes, record.*member); }, field.member);
  }
}

template <typename Item>
void add_list(engine::base::Sha256& digest, const std::vector<Item>& items) {
  Canonical bytes;
  digest.add(bytes.number(items.size()).bytes());
  for (const Item& item : items) {
    bytes.clear();
    encode(bytes, item);
    digest.add(bytes.bytes());
  }
}

/// JSON is UTF-8: other bytes would make a file that nobody can read back.
void refuse_other_bytes(const std::string& text) {
  const std::size_t good = valid_utf8_prefix(text);
  if (good == text.size()) {
    return;
  }
  const std::size_t line_start = text.rfind('\n', good) + 1;
  const std::string_view before(text.data() + line_start, good - line_start);
  throw Error(ErrorCode::usage,
              "plan_not_utf8",
              fmt::format("a text of the plan is not UTF-8, after {}",
                          before.substr(before.find_first_not_of(' '))),
              "Rename what is named there; a plan holds only UTF-8.");
}

}  // namespace

std::string to_text(const Plan& plan) {
  if (const auto defect = defect_of(plan)) {
    throw std::logic_error("a plan that does not agree with itself: " + defect->what);
  }
  std::string text;
  text.reserve(plan.tenants.size() * 256 + 4096);
  text += fmt::format("{{\n  \"format\": {},\n  \"drover\": \"plan\",\n  \"digest\": \"{}\",\n  ",
                      kPlanFormat,
                      digest_of(plan));
  append_fields(text, plan, ",\n  ");
  append_list(text, "revisions", plan.revisions);
  append_list(text, "waves", plan.waves);
  append_list(text, "step_lists", plan.step_lists);
  append_list(text, "tenants", plan.tenants);
  append_list(text, "findings", plan.findings);
  text += "\n}\n";
  refuse_other_bytes(text);
  return text;
}

std::string digest_of(const Plan& plan) {
  Canonical head;
  head.text("drover plan 1");
  encode(head, plan);
  engine::base::Sha256 digest;
  digest.add(head.bytes());
  add_list(digest, plan.revisions);
  add_list(digest, plan.waves);
  add_list(digest, plan.step_lists);
  add_list(digest, plan.tenants);
  add_list(digest, plan.findings);
  return "sha256:" + engine::base::to_hex(digest.finish());
}

void write_file(const Plan& plan, const fs::path& file) {
  if (write_new_file(file, to_text(plan)) == Written::exists_already) {
    throw Error(ErrorCode::usage,
                "plan_exists",
                "the file exists already, and a plan never replaces one",
                "Name another file, or remove this one.",
                {file.generic_string(), 0, 0});
  }
}

Plan read_file(const fs::path& file) {
  const auto text = read_whole_file(file, kLongest);
  if (!text) {
    throw Error(ErrorCode::usage,
                "invalid_plan",
                "the file has more than 512 MiB, which no plan has",
                "Name the file that drover wrote.",
                {file.generic_string(), 0, 0});
  }
  return from_text(*text, file.generic_string());
}

}  // namespace drover::orchestrator::plan
