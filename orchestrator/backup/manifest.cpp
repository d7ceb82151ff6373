#include "orchestrator/backup/manifest.h"

#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "engine/base/sha256.h"
#include "engine/error.h"

namespace drover::orchestrator::backup {
namespace {

using OrderedJson = nlohmann::ordered_json;
using std::chrono::milliseconds;

constexpr int kFormat = 1;

/// In milliseconds since 1970, UTC.
std::int64_t number_of(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

WallTime time_of(std::int64_t number) {
  return WallTime(milliseconds(number));
}

template <typename Ids>
OrderedJson values_of(const Ids& ids) {
  OrderedJson values = OrderedJson::array();
  for (const auto& id : ids) {
    values.push_back(id.value);
  }
  return values;
}

Backup read(const OrderedJson& json) {
  Backup backup;
  backup.id = BackupId{json.at("backup").get<std::string>()};
  backup.tenant = TenantId{json.at("tenant").get<std::string>()};
  json.at("uid").get_to(backup.uid);
  json.at("environment").get_to(backup.environment);
  json.at("server").get_to(backup.server);
  json.at("database").get_to(backup.database);
  json.at("schema").get_to(backup.schema);
  backup.provider = provider_named(json.at("provider").get<std::string>()).value();
  json.at("file").get_to(backup.file);
  json.at("handle").get_to(backup.handle);
  json.at("bytes").get_to(backup.bytes);
  json.at("sha256").get_to(backup.sha256);
  json.at("server_version").get_to(backup.server_version);
  json.at("tool_version").get_to(backup.tool_version);
  backup.started = time_of(json.at("started_ms").get<std::int64_t>());
  backup.finished = time_of(json.at("finished_ms").get<std::int64_t>());
  json.at("run").get_to(backup.run);
  json.at("aside").get_to(backup.aside);
  for (const OrderedJson& head : json.at("heads")) {
    backup.heads.push_back(engine::RevisionId{head.get<std::string>()});
  }
  json.at("epoch").get_to(backup.epoch);
  json.at("rows_as").get_to(backup.rows_as);
  for (const OrderedJson& table : json.at("tables")) {
    backup.tables.push_back({table.at(0).get<std::string>(),
                             table.at(1).get<std::uint64_t>(),
                             table.at(2).get<std::string>()});
  }
  return backup;
}

/// `object` with its own digest as the last member, and a line break.
std::string with_digest(std::string object) {
  const std::string digest = engine::base::sha256_hex(object);
  object.pop_back();
  return fmt::format("{},\"line_sha256\":\"{}\"}}\n", object, digest);
}

}  // namespace

std::string to_line(const Backup& backup) {
  OrderedJson tables = OrderedJson::array();
  for (const engine::TableDigest& table : backup.tables) {
    tables.push_back(OrderedJson::array({table.table, table.rows, table.sum}));
  }
  const OrderedJson json{{"format", kFormat},
                         {"backup", backup.id.value},
                         {"tenant", backup.tenant.value},
                         {"uid", backup.uid},
                         {"environment", backup.environment},
                         {"server", backup.server},
                         {"database", backup.database},
                         {"schema", backup.schema},
                         {"provider", std::string(name_of(backup.provider))},
                         {"file", backup.file},
                         {"handle", backup.handle},
                         {"bytes", backup.bytes},
                         {"sha256", backup.sha256},
                         {"server_version", backup.server_version},
                         {"tool_version", backup.tool_version},
                         {"started_ms", number_of(backup.started)},
                         {"finished_ms", number_of(backup.finished)},
                         {"run", backup.run},
                         {"aside", backup.aside},
                         {"heads", values_of(backup.heads)},
                         {"epoch", backup.epoch},
                         {"rows_as", backup.rows_as},
                         {"tables", std::move(tables)}};
  return with_digest(json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

Backup from_line(std::string_view line, const std::string& name) {
  try {
    const OrderedJson json = OrderedJson::parse(line.begin(), line.end());
    if (json.at("format") == kFormat) {
      Backup backup = read(json);
      if (to_line(backup) == line) {
        return backup;
      }
    }
  } catch (const std::exception&) {  // of the JSON library, or of a word that is not known
  }
  throw Error(ErrorCode::verification,
              "manifest_damaged",
              "the manifest of a backup cannot be read",
              "Keep the backup beside it, and make a new one of that tenant.",
              {name, 0, 0});
}

}  // namespace drover::orchestrator::backup
