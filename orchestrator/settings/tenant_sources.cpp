#include "orchestrator/settings/tenant_sources.h"

#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "orchestrator/glob.h"
#include "orchestrator/id_pattern.h"
#include "orchestrator/nearest.h"

namespace drover::orchestrator::settings {
namespace {

using What = decltype(TenantSource::what);
using Names = std::vector<std::string>;

/// Runs a check of the domain, which knows no places, and gives its error this one.
template <typename Check>
void check_at(const Given& given, Check check) {
  try {
    check();
  } catch (const Error& error) {
    throw Error(error.code(), error.kind_name(), error.what(), error.hint(), given.place);
  }
}

std::string read_glob(const Section& section) {
  const std::optional<Given> given = section.given("match");
  if (!given) {
    return "*";
  }
  check_at(*given, [&given] { check_glob(to_text(*given)); });
  return given->text;
}

std::string read_id_pattern(const Section& section, const Names& known, std::string otherwise) {
  const std::optional<Given> given = section.given("id");
  if (!given) {
    return otherwise;
  }
  check_at(*given, [&] { IdPattern::parse(to_text(*given), known); });
  return given->text;
}

std::filesystem::path read_root(const Section& section, const SectionReader& reader) {
  const std::optional<Given> given = section.given("root");
  return given ? reader.path(*given) : std::filesystem::path();
}

What read_list(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  ListSource source;
  for (const YamlNode& item : items_of(node, name)) {
    const Section entry(
        item, fmt::format("{}[{}]", name, source.entries.size()), {"id", "target", "labels"});
    source.entries.push_back({reader.text(entry.required("id")),
                              reader.target(entry.required("target")),
                              reader.labels(entry),
                              entry.place()});
  }
  return source;
}

What read_file(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  FileSource source;
  Given path;
  if (node.kind == YamlNode::Kind::mapping) {
    const Section section(node, name, {"path", "root", "labels", "secret"});
    path = section.required("path");
    source.root = read_root(section, reader);
  } else {
    path = given_of(node, name);
  }
  source.path = reader.path(path);
  if (source.path.extension() != ".csv" && source.path.extension() != ".json") {
    refuse_setting(path,
                   fmt::format("is '{}', neither a .csv nor a .json file", path.text),
                   "Name a CSV file with a header line, or a JSON file with a list of objects.");
  }
  return source;
}

What read_query(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  const Section section(node, name, {"on", "sql", "root", "labels", "secret"});
  return QuerySource{reader.target(section.required("on")),
                     to_text(section.required("sql")),
                     read_root(section, reader)};
}

What read_databases(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  const Section section(node, name, {"server", "match", "id", "schema", "labels", "secret"});
  DatabasesSource source;
  source.server = reader.secret(section.required("server"));
  source.match = read_glob(section);
  source.id = read_id_pattern(section, {"server", "database"}, source.id);
  if (const std::optional<Given> schema = section.given("schema")) {
    source.schema = reader.text(*schema);
  }
  return source;
}

What read_schemas(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  const Section section(node, name, {"database", "match", "id", "labels", "secret"});
  SchemasSource source;
  source.database = reader.secret(section.required("database"));
  source.match = read_glob(section);
  source.id = read_id_pattern(section, {"server", "database", "schema"}, source.id);
  return source;
}

What read_sqlite(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  SqliteSource source;
  Given path;
  if (node.kind == YamlNode::Kind::mapping) {
    const Section section(node, name, {"path", "id", "labels", "secret"});
    path = section.required("path");
    source.id = read_id_pattern(section, {"file"}, source.id);
  } else {
    path = given_of(node, name);
  }
  const std::filesystem::path pattern = reader.path(path);
  const std::filesystem::path given_folder = std::filesystem::path(path.text).parent_path();
  if (has_glob(given_folder.string())) {
    refuse_setting(path,
                   fmt::format("is '{}', with a pattern in a folder's name", path.text),
                   "Use *, ? and [ only behind the last slash; list several folders as several "
                   "sources.");
  }
  check_at(path, [&pattern] { check_glob(pattern.filename().string()); });
  source.pattern = pattern.string();
  return source;
}

What read_command(const YamlNode& node, const std::string& name, const SectionReader& reader) {
  CommandSource source;
  source.directory = reader.directory();
  if (node.kind != YamlNode::Kind::mapping) {
    source.argv = texts_of(node, name);
    return source;
  }
  const Section section(
      node, name, {"argv", "deadline", "most_output", "root", "labels", "secret"});
  source.argv = texts_of(section.required_value("argv"), section.name_of("argv"));
  if (const std::optional<Given> deadline = section.given("deadline")) {
    source.deadline = to_duration(*deadline, std::chrono::seconds(1));
  }
  if (const std::optional<Given> bytes = section.given("most_output")) {
    source.most_output = to_bytes(*bytes);
  }
  source.root = read_root(section, reader);
  return source;
}

struct SourceKind {
  const char* name;
  What (*read)(const YamlNode& node, const std::string& name, const SectionReader& reader);
};

/// In the order of TenantSource::what.
constexpr std::array<SourceKind, 7> kKinds = {{{"list", read_list},
                                               {"file", read_file},
                                               {"query", read_query},
                                               {"databases", read_databases},
                                               {"schemas", read_schemas},
                                               {"sqlite", read_sqlite},
                                               {"command", read_command}}};

Names keys_of_an_item() {
  Names keys;
  for (const SourceKind& kind : kKinds) {
    keys.emplace_back(kind.name);
  }
  keys.emplace_back("labels");
  keys.emplace_back("secret");
  return keys;
}

/// The one source that `item` names.
const SourceKind& kind_of(const Section& item) {
  const SourceKind* found = nullptr;
  for (const SourceKind& kind : kKinds) {
    const YamlEntry* const entry = item.find(kind.name);
    if (entry == nullptr) {
      continue;
    }
    if (found != nullptr) {
      refuse_setting({item.name(), "", entry->key_place},
                     fmt::format("has two sources, '{}' and '{}'", found->name, kind.name),
                     "Write each source as a list item of its own.");
    }
    found = &kind;
  }
  if (found == nullptr) {
    refuse_setting({item.name(), "", item.place()},
                   "has no source",
                   "Add one of list, file, query, databases, schemas, sqlite and command.");
  }
  return *found;
}

engine::Secret look_up(const Given& name, const Section* secrets, const SectionReader& reader) {
  Names known;
  if (secrets != nullptr) {
    if (const std::optional<Given> secret = secrets->given(name.text)) {
      return reader.secret(*secret);
    }
    for (const YamlEntry& entry : secrets->entries()) {
      known.push_back(entry.key);
    }
  }
  const std::string near = nearest(name.text, known);
  refuse_setting(name,
                 fmt::format("is '{}', which is not under secrets", name.text),
                 near.empty() ? fmt::format("Add `secrets: {{{}: ...}}`.", name.text)
                              : fmt::format("Did you mean '{}'?", near));
}

/// `labels` and `secret` may stand beside the source or among its keys, but not in both places.
void read_shared(const Section& section,
                 const Section* secrets,
                 const SectionReader& reader,
                 TenantSource& source) {
  if (const YamlEntry* const entry = section.find("labels")) {
    if (!source.labels.empty()) {
      refuse_setting({section.name_of("labels"), "", entry->key_place},
                     "is given twice for one source",
                     "Keep one of them.");
    }
    source.labels = reader.labels(section);
  }
  const std::optional<Given> name = section.given("secret");
  if (name && source.secret) {
    refuse_setting(*name, "is given twice for one source", "Keep one of them.");
  }
  if (name) {
    source.secret = look_up(*name, secrets, reader);
  }
}

}  // namespace

std::vector<TenantSource> read_tenant_sources(const YamlNode& node,
                                              const std::string& name,
                                              const Section* secrets,
                                              const SectionReader& reader) {
  std::vector<TenantSource> sources;
  for (const YamlNode& item_node : items_of(node, name)) {
    const std::string item_name = fmt::format("{}[{}]", name, sources.size());
    const Section item(item_node, item_name, keys_of_an_item());
    const SourceKind& kind = kind_of(item);
    const YamlNode& value = *item.value(kind.name);
    const std::string value_name = item.name_of(kind.name);
    TenantSource source;
    source.what = kind.read(value, value_name, reader);
    source.place = item.place();
    read_shared(item, secrets, reader, source);
    if (value.kind == YamlNode::Kind::mapping) {
      read_shared(Section::of_names(value, value_name), secrets, reader, source);
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

std::string_view kind_name_of(const TenantSource& source) noexcept {
  return kKinds[source.what.index()].name;
}

}  // namespace drover::orchestrator::settings
