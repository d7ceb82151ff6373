#include "orchestrator/plan/restore_file.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/base/sha256.h"
#include "engine/error.h"
#include "orchestrator/plan/canonical.h"
#include "orchestrator/plan/json_text.h"
#include "orchestrator/plan/utc_time.h"
#include "orchestrator/plan/whole_file.h"

namespace drover::orchestrator::plan {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kLongestOrder = std::size_t{64} * 1024 * 1024;
constexpr int kOrderFormat = 1;
constexpr std::string_view kHead = "{\n  \"format\": 1,\n  \"drover\": \"restore\",";

Error invalid(const std::string& what, const std::string& file) {
  return {ErrorCode::usage,
          "invalid_order",
          what,
          "Name a file that drover restore --out wrote, or make a new one.",
          {file, 0, 0}};
}

/// ,"key": "value"
void append_text(std::string& text, std::string_view key, std::string_view value) {
  append_quoted(text, key);
  text += ": ";
  append_quoted(text, value);
}

/// Texts by key; every key of `keys` must be there, and nothing else.
template <std::size_t Count>
void check_keys(const Json& object,
                const std::array<std::string_view, Count>& keys,
                const std::string& file) {
  if (!object.is_object()) {
    throw invalid("an object is missing", file);
  }
  for (const std::string_view key : keys) {
    if (!object.contains(key)) {
      throw invalid(fmt::format("key '{}' is missing", key), file);
    }
  }
  for (const auto& [key, value] : object.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      throw invalid(fmt::format("key '{}' is not known", key), file);
    }
  }
}

std::string text_in(const Json& object, std::string_view key, const std::string& file) {
  const Json& value = object.at(std::string(key));
  if (!value.is_string()) {
    throw invalid(fmt::format("'{}' is no text", key), file);
  }
  return value.get<std::string>();
}

OrderedRestore restore_in(const Json& object, const std::string& file) {
  constexpr std::array<std::string_view, 4> kKeys{"tenant", "backup", "uid", "sha256"};
  check_keys(object, kKeys, file);
  return {TenantId{text_in(object, "tenant", file)},
          BackupId{text_in(object, "backup", file)},
          text_in(object, "uid", file),
          text_in(object, "sha256", file)};
}

Json parsed(std::string_view text, const std::string& file) {
  try {
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error& error) {
    throw invalid(fmt::format("the text is not JSON: something is wrong at byte {}", error.byte),
                  file);
  }
}

}  // namespace

std::string to_text(const RestoreOrder& order) {
  std::string text(kHead);
  text += "\n  ";
  append_text(text, "digest", digest_of(order));
  for (const auto& [key, value] : {std::pair("environment", &order.environment),
                                   std::pair("author", &order.author),
                                   std::pair("created", &order.created)}) {
    text += ",\n  ";
    append_text(text, key, *value);
  }
  text += ",\n  \"restores\": [";
  for (const OrderedRestore& restore : order.restores) {
    text += &restore == &order.restores.front() ? "\n    {" : ",\n    {";
    append_text(text, "tenant", restore.tenant.value);
    for (const auto& [key, value] : {std::pair("backup", &restore.backup.value),
                                     std::pair("uid", &restore.uid),
                                     std::pair("sha256", &restore.sha256)}) {
      text += ", ";
      append_text(text, key, *value);
    }
    text += "}";
  }
  return text + "\n  ]\n}\n";
}

std::string digest_of(const RestoreOrder& order) {
  Canonical canonical;
  canonical.text("drover restore 1").text(order.environment).text(order.author).text(order.created);
  canonical.number(order.restores.size());
  for (const OrderedRestore& restore : order.restores) {
    canonical.text(restore.tenant.value).text(restore.backup.value);
    canonical.text(restore.uid).text(restore.sha256);
  }
  return "sha256:" + engine::base::sha256_hex(canonical.bytes());
}

RestoreOrder restore_from_text(std::string_view text, const std::string& name) {
  constexpr std::array<std::string_view, 7> kKeys{
      "format", "drover", "digest", "environment", "author", "created", "restores"};
  const Json json = parsed(text, name);
  check_keys(json, kKeys, name);
  if (json["format"] != kOrderFormat || json["drover"] != "restore" ||
      !json["restores"].is_array()) {
    throw invalid("this is no order to restore of this version", name);
  }
  RestoreOrder order{text_in(json, "environment", name),
                     text_in(json, "author", name),
                     text_in(json, "created", name),
                     {}};
  std::set<TenantId> tenants;
  for (const Json& restore : json["restores"]) {
    order.restores.push_back(restore_in(restore, name));
    if (!tenants.insert(order.restores.back().tenant).second) {
      throw invalid(fmt::format("tenant '{}' is there twice", order.restores.back().tenant.value),
                    name);
    }
  }
  if (text_in(json, "digest", name) != digest_of(order)) {
    throw Error(ErrorCode::verification,
                "order_changed",
                "the order was changed after it was written: its digest is another one",
                "Make a new one with drover restore --out.",
                {name, 0, 0});
  }
  return order;
}

void write_file(const RestoreOrder& order, const fs::path& file) {
  if (write_new_file(file, to_text(order)) == Written::exists_already) {
    throw Error(ErrorCode::usage,
                "order_exists",
                "the file exists already, and an order never replaces one",
                "Name another file, or remove this one.",
                {file.generic_string(), 0, 0});
  }
}

RestoreOrder read_restore_file(const fs::path& file) {
  const auto text = read_whole_file(file, kLongestOrder);
  if (!text) {
    throw invalid("the file has more than 64 MiB, which no order has", file.generic_string());
  }
  return restore_from_text(*text, file.generic_string());
}

bool is_restore_file(const fs::path& file) {
  const OpenFile open = open_regular(file);
  std::array<char, 64> start{};
  const ssize_t count = read(open.get(), start.data(), start.size());
  return std::string_view(start.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)))
      .starts_with(kHead);
}

}  // namespace drover::orchestrator::plan
