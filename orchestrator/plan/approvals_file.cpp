#include "orchestrator/plan/approvals_file.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/revision_id.h"
#include "orchestrator/nearest.h"
#include "orchestrator/plan/json_text.h"
#include "orchestrator/plan/utc_time.h"
#include "orchestrator/plan/whole_file.h"

namespace drover::orchestrator::plan {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kLongestApprovals = std::size_t{16} * 1024 * 1024;
constexpr mode_t kMode = 0644;  // nothing in it is secret
const std::vector<std::string> kKeys{"digest", "who", "at", "key_id", "signature"};

[[noreturn]] void refuse(const std::string& message, std::string hint, const Place& place) {
  throw Error(ErrorCode::usage, "invalid_approvals", message, std::move(hint), place);
}

[[noreturn]] void refuse_line(const std::string& message, const Place& place) {
  refuse(message, "Remove the line and have the plan approved again.", place);
}

/// A parser that by itself keeps the last of two equal keys and goes to any depth is watched here.
Json parse(std::string_view line, const Place& place) {
  std::set<std::string> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, const Json& parsed) {
    const bool opens =
        event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start;
    if (opens && depth > 0) {
      refuse_line("the line holds more than texts", place);
    }
    if (event == Json::parse_event_t::key && !keys.insert(parsed.get<std::string>()).second) {
      refuse_line(
          fmt::format("key {} is there twice", engine::in_quotes(parsed.get<std::string>())),
          place);
    }
    return true;
  };
  try {
    return Json::parse(line.begin(), line.end(), watch);
  } catch (const Json::parse_error& error) {
    refuse_line(fmt::format("the line is not JSON: something is wrong at byte {}", error.byte),
                place);
  }
}

std::string text_at(const Json& object, const std::string& key, const Place& place) {
  const auto found = object.find(key);
  if (found == object.end()) {
    refuse_line(fmt::format("key '{}' is missing", key), place);
  }
  if (!found->is_string()) {
    refuse_line(fmt::format("key '{}' holds {}, not a text", key, found->dump()), place);
  }
  return found->get<std::string>();
}

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_digest(std::string_view text) {
  constexpr std::string_view kStart = "sha256:";
  return text.size() == kStart.size() + 64 && text.starts_with(kStart) &&
         is_hex(text.substr(kStart.size()));
}

bool is_name(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char character) {
    return static_cast<unsigned char>(character) < 0x20 || character == 0x7F;
  });
}

void check_values(const Approval& approval, const Place& place) {
  if (!is_digest(approval.digest)) {
    refuse_line(fmt::format("the digest {} is not sha256: and 64 hexadecimal digits",
                            engine::in_quotes(approval.digest)),
                place);
  }
  if (!is_name(approval.who)) {
    refuse_line(fmt::format("the name {} is empty or holds a control character",
                            engine::in_quotes(approval.who)),
                place);
  }
  if (approval.key_id.empty() != approval.signature.empty()) {
    refuse_line("a key id and a signature go together, and one of them is empty", place);
  }
  if (!approval.key_id.empty() && (approval.key_id.size() != 16 || !is_hex(approval.key_id))) {
    refuse_line(fmt::format("the key id {} is not 16 hexadecimal digits",
                            engine::in_quotes(approval.key_id)),
                place);
  }
}

Approval from_line(std::string_view line, const Place& place) {
  const Json object = parse(line, place);
  if (!object.is_object()) {
    refuse_line(fmt::format("the line holds {}, not an object", object.type_name()), place);
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) == kKeys.end()) {
      refuse(fmt::format("key {} is not one of an approval", engine::in_quotes(key)),
             nearest_hint(key, kKeys),
             place);
    }
  }
  const std::string at = text_at(object, "at", place);
  const std::optional<WallTime> time = from_utc_text(at);
  if (!time) {
    refuse_line(fmt::format("the time {} is not like 2026-03-01T09:30:00Z", engine::in_quotes(at)),
                place);
  }
  Approval approval{text_at(object, "digest", place),
                    text_at(object, "who", place),
                    *time,
                    text_at(object, "key_id", place),
                    text_at(object, "signature", place)};
  check_values(approval, place);
  return approval;
}

std::string content_of(const OpenFile& opened, const fs::path& file) {
  auto text = read_rest(opened, kLongestApprovals, file);
  if (!text) {
    refuse("the file has more than 16 MiB",
           "Name the approvals of a plan, or begin a new file.",
           {file.generic_string(), 0, 0});
  }
  return std::move(*text);
}

}  // namespace

fs::path approvals_file_of(const fs::path& plan_file) {
  return fs::path(plan_file) += ".approvals";
}

std::string to_line(const Approval& approval) {
  const std::array<std::string, 5> values{
      approval.digest, approval.who, to_utc_text(approval.at), approval.key_id, approval.signature};
  std::string line;
  for (std::size_t i = 0; i < values.size(); ++i) {
    line += i == 0 ? "{" : ", ";
    append_quoted(line, kKeys[i]);
    line += ": ";
    append_quoted(line, values[i]);
  }
  return line + "}\n";
}

void add_approval(const fs::path& file, const Approval& approval) {
  const std::string line = to_line(approval);
  approvals_from_text(line, "the approval");
  const OpenFile opened(
      ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, kMode));
  if (!opened.is_open() || ::flock(opened.get(), LOCK_EX) != 0) {
    throw write_error(file, errno);
  }
  const std::string before = content_of(opened, file);
  approvals_from_text(before, file.generic_string());
  if (!write_all(opened, line) || ::fsync(opened.get()) != 0) {
    const Error error = write_error(file, errno);
    // A part of a line would make the whole file unreadable.
    if (::ftruncate(opened.get(), static_cast<off_t>(before.size())) != 0) {
      throw write_error(file, errno);
    }
    throw error;
  }
}

std::vector<Approval> read_approvals(const fs::path& file) {
  if (std::error_code none; !fs::exists(file, none) && !none) {
    return {};
  }
  const OpenFile opened = open_regular(file);
  return approvals_from_text(content_of(opened, file), file.generic_string());
}

std::vector<Approval> approvals_from_text(std::string_view text, const std::string& name) {
  std::vector<Approval> approvals;
  Place place{name, 0, 0};
  while (!text.empty()) {
    ++place.line;
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      refuse_line("the line is cut short: it does not end with a line break", place);
    }
    approvals.push_back(from_line(text.substr(0, end), place));
    text.remove_prefix(end + 1);
  }
  return approvals;
}

}  // namespace drover::orchestrator::plan
