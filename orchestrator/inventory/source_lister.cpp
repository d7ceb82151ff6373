#include "orchestrator/inventory/source_lister.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "engine/base/child_process.h"
#include "orchestrator/glob.h"
#include "orchestrator/id_pattern.h"
#include "orchestrator/inventory/connection_words.h"
#include "orchestrator/inventory/control_query.h"
#include "orchestrator/inventory/csv_rows.h"
#include "orchestrator/inventory/json_rows.h"
#include "orchestrator/inventory/sqlite_files.h"
#include "orchestrator/utf8.h"

namespace drover::orchestrator::inventory {
namespace {

constexpr std::uintmax_t kMostFileBytes = std::uintmax_t{256} * 1024 * 1024;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Neither templates nor databases that refuse connections, nor those that a restore has made or
/// kept (orchestrator/backup/marked_comment.h).
constexpr const char* kDatabasesSql = R"sql(
SELECT datname
  FROM pg_catalog.pg_database
 WHERE NOT datistemplate AND datallowconn
   AND coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '')
       OPERATOR(pg_catalog.!~~) '[drover: %'
 ORDER BY datname COLLATE "C"
)sql";

/// Everything but PostgreSQL's own and what a restore has made or kept.
constexpr const char* kSchemasSql = R"sql(
SELECT nspname
  FROM pg_catalog.pg_namespace
 WHERE pg_catalog.left(nspname, 3) OPERATOR(pg_catalog.<>) 'pg_'
   AND nspname OPERATOR(pg_catalog.<>) 'information_schema'
   AND coalesce(pg_catalog.obj_description(oid, 'pg_namespace'), '')
       OPERATOR(pg_catalog.!~~) '[drover: %'
 ORDER BY nspname COLLATE "C"
)sql";

std::string origin_of(const Place& place) {
  return RowPlace{place, ""}.to_string();
}

[[noreturn]] void refuse_file(const std::filesystem::path& path,
                              const std::string& why,
                              std::string hint) {
  throw Error(ErrorCode::usage, "source_failed", why, std::move(hint), {path.string(), 0, 0});
}

std::string read_file(const std::filesystem::path& path) {
  std::error_code problem;
  const std::uintmax_t size = std::filesystem::file_size(path, problem);
  std::ifstream stream(path, std::ios::binary);
  if (problem || !stream) {
    refuse_file(path,
                fmt::format("the file of tenants cannot be read: {}",
                            problem ? problem.message() : "it may not be opened"),
                "Correct the path or the file's permissions.");
  }
  if (size > kMostFileBytes) {
    refuse_file(
        path,
        fmt::format("the file of tenants is {} bytes long, more than {}", size, kMostFileBytes),
        "Split it, or use a query.");
  }
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid < text.size()) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(valid);
    const auto line = static_cast<std::size_t>(std::count(text.begin(), end, '\n'));
    throw Error(ErrorCode::usage,
                "source_malformed",
                "the file of tenants is not UTF-8",
                "Save it as UTF-8.",
                {path.string(), line + 1, 0});
  }
  if (text.compare(0, kByteOrderMark.size(), kByteOrderMark) == 0) {
    text.erase(0, kByteOrderMark.size());
  }
  return text;
}

/// `error` with the place of a row or source in it, unless it has one.
[[noreturn]] void rethrow_at(const Error& error, const RowPlace& at) {
  if (!error.place().file.empty()) {
    throw error;
  }
  const std::string message =
      at.row.empty() ? std::string(error.what()) : at.row + ": " + error.what();
  throw Error(error.code(), error.kind_name(), message, error.hint(), at.place);
}

std::string column_names(const SourceRow& row) {
  std::string names;
  for (const auto& [name, value] : row.values) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

/// The value that every row must have.
const std::string& required(const SourceRow& row, const std::string& column) {
  const SourceRow::Value* const value = row.find(column);
  if (value == nullptr) {
    refuse_row(row.at,
               "source_malformed",
               fmt::format("there is no column '{}'", column),
               fmt::format("Name a column so (with AS in SQL); there are: {}.", column_names(row)));
  }
  if (!*value || (*value)->empty()) {
    refuse_row(row.at,
               "source_malformed",
               fmt::format("column '{}' has no value", column),
               "Leave the row out at its source, or complete it.");
  }
  return **value;
}

void check_values(const SourceRow& row) {
  for (const auto& [name, value] : row.values) {
    if (value && (!is_utf8(*value) || value->find('\0') != std::string::npos)) {
      refuse_row(
          row.at,
          "source_malformed",
          fmt::format(
              "column '{}' holds {}", name, is_utf8(*value) ? "a NUL" : "bytes that are not UTF-8"),
          "Correct the row at its source.");
    }
  }
}

std::vector<SourceRow> rows_of(QueryAnswer answer, const Place& source) {
  std::set<std::string> seen;
  for (const std::string& column : answer.columns) {
    if (!seen.insert(column).second) {
      refuse_row({source, ""},
                 "source_malformed",
                 fmt::format("the query has two columns '{}'", column),
                 "Give each column a name of its own.");
    }
  }
  std::vector<SourceRow> rows;
  for (std::vector<std::optional<std::string>>& values : answer.rows) {
    SourceRow row;
    row.at = {source, fmt::format("row {}", rows.size() + 1)};
    for (std::size_t i = 0; i < values.size(); ++i) {
      row.values.emplace_back(answer.columns[i], std::move(values[i]));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

/// The names in the only column of `answer` that match `pattern`.
std::vector<std::string> matching(const QueryAnswer& answer, const std::string& pattern) {
  std::vector<std::string> names;
  for (const std::vector<std::optional<std::string>>& row : answer.rows) {
    if (row.front() && glob_matches(pattern, *row.front())) {
      names.push_back(*row.front());
    }
  }
  return names;
}

}  // namespace

std::vector<Tenant> SourceLister::list() const {
  try {
    std::vector<Tenant> tenants =
        std::visit([this](const auto& what) { return list(what); }, source_.what);
    if (tenants.empty()) {
      throw Error(
          ErrorCode::usage,
          "source_empty",
          "this source lists no tenant",
          "Check what it looks for, or remove it: a fleet that shrinks to nothing is seldom "
          "meant.");
    }
    return tenants;
  } catch (const Error& error) {
    rethrow_at(error, {source_.place, ""});
  }
}

std::vector<Tenant> SourceLister::list(const ListSource& source) const {
  std::vector<Tenant> tenants;
  for (const ListSource::Entry& entry : source.entries) {
    try {
      Tenant tenant = make_tenant(
          entry.id, target_of_configuration(entry.target.reveal()), origin_of(entry.place));
      for (const auto& [name, value] : entry.labels) {
        tenant.labels[name] = value;
      }
      tenants.push_back(std::move(tenant));
    } catch (const Error& error) {
      rethrow_at(error, {entry.place, ""});
    }
  }
  return tenants;
}

std::vector<Tenant> SourceLister::list(const FileSource& source) const {
  const std::string text = read_file(source.path);
  const std::string name = source.path.string();
  return tenants_of_rows(
      source.path.extension() == ".csv" ? parse_csv(text, name) : parse_json_list(text, name),
      source.root);
}

std::vector<Tenant> SourceLister::list(const QuerySource& source) const {
  const engine::Target control = target_of_configuration(source.on.reveal());
  QueryAnswer answer = control.dialect == engine::Dialect::sqlite
                           ? query_sqlite(control, source.sql)
                           : query_postgres(control, source.sql, environment_.timeouts);
  return tenants_of_rows(rows_of(std::move(answer), source_.place), source.root);
}

std::vector<Tenant> SourceLister::list(const DatabasesSource& source) const {
  const engine::Target server = target_of_configuration(source.server.reveal());
  const engine::Target asked =
      names_database(source.server.reveal()) ? server : in_database(server, "postgres");
  const IdPattern pattern = IdPattern::parse(source.id, {"server", "database"});
  std::vector<Tenant> tenants;
  for (const std::string& name :
       matching(query_postgres(asked, kDatabasesSql, environment_.timeouts), source.match)) {
    engine::Target target = in_database(server, name);
    target.schema = source.schema;
    const std::string id = pattern.id_for({{"server", target.server}, {"database", name}});
    tenants.push_back(make_tenant(id, std::move(target), origin_of(source_.place)));
  }
  return tenants;
}

std::vector<Tenant> SourceLister::list(const SchemasSource& source) const {
  const engine::Target database = target_of_configuration(source.database.reveal());
  const IdPattern pattern = IdPattern::parse(source.id, {"server", "database", "schema"});
  std::vector<Tenant> tenants;
  for (const std::string& name :
       matching(query_postgres(database, kSchemasSql, environment_.timeouts), source.match)) {
    engine::Target target = database;
    target.schema = name;
    const std::string id = pattern.id_for(
        {{"server", target.server}, {"database", target.database}, {"schema", name}});
    tenants.push_back(make_tenant(id, std::move(target), origin_of(source_.place)));
  }
  return tenants;
}

std::vector<Tenant> SourceLister::list(const SqliteSource& source) const {
  const IdPattern pattern = IdPattern::parse(source.id, {"file"});
  std::vector<Tenant> tenants;
  for (const std::filesystem::path& file : sqlite_files(source.pattern)) {
    tenants.push_back(make_tenant(pattern.id_for({{"file", file.stem().string()}}),
                                  sqlite_target(file),
                                  origin_of(source_.place)));
  }
  return tenants;
}

std::vector<Tenant> SourceLister::list(const CommandSource& source) const {
  engine::base::ChildRequest request;
  request.argv = source.argv;
  request.directory = source.directory;
  request.variables = {{"DROVER_ENVIRONMENT", environment_.name}};
  request.deadline = source.deadline;
  request.output_limit = source.most_output;
  request.too_much_output = engine::base::ChildRequest::TooMuchOutput::end;
  request.stop = adapters_.stop;
  const engine::base::ChildResult result = engine::base::run_child(request);
  if (!result.succeeded()) {
    const std::string said = first_line(result.errors);
    throw Error(ErrorCode::usage,
                "source_failed",
                fmt::format("command '{}' {}{}{}",
                            source.argv.front(),
                            engine::base::describe(result, request),
                            said.empty() ? "" : ": ",
                            said),
                "Run the command by hand; nothing of what it wrote was used.");
  }
  return tenants_of_rows(parse_json_lines(result.output, source_.place), source.root);
}

engine::Target SourceLister::target_of_configuration(const std::string& text) const {
  const std::string_view path = sqlite_path_in(text);
  engine::Target target =
      path.empty() ? adapters_.parse_target(text, TargetTrust::configuration) : sqlite_target(path);
  if (source_.secret && target.password.empty()) {
    target.password = *source_.secret;
  }
  return target;
}

engine::Target SourceLister::in_database(const engine::Target& server,
                                         const std::string& name) const {
  engine::Target target =
      adapters_.parse_target(with_database(server.connection, name), TargetTrust::configuration);
  target.password = server.password;
  target.pooled = server.pooled.empty() ? "" : with_database(server.pooled, name);
  return target;
}

engine::Target SourceLister::target_of_row(const std::string& text,
                                           const std::filesystem::path& root) const {
  const std::string_view path = sqlite_path_in(text);
  return path.empty() ? adapters_.parse_target(text, TargetTrust::source)
                      : sqlite_target_under(root, std::string(path));
}

Tenant SourceLister::tenant_of_row(const SourceRow& row, const std::filesystem::path& root) const {
  check_values(row);
  try {
    const std::string& id = required(row, "id");
    Tenant tenant =
        make_tenant(id, target_of_row(required(row, "target"), root), row.at.to_string());
    for (const auto& [name, value] : row.values) {
      if (value && name != "id" && name != "target") {
        tenant.labels[name] = *value;
      }
    }
    return tenant;
  } catch (const Error& error) {
    rethrow_at(error, row.at);
  }
}

std::vector<Tenant> SourceLister::tenants_of_rows(const std::vector<SourceRow>& rows,
                                                  const std::filesystem::path& root) const {
  std::vector<Tenant> tenants;
  tenants.reserve(rows.size());
  for (const SourceRow& row : rows) {
    tenants.push_back(tenant_of_row(row, root));
  }
  return tenants;
}

Tenant SourceLister::make_tenant(std::string id, engine::Target target, std::string origin) const {
  if (source_.secret && target.dialect == engine::Dialect::postgres && target.password.empty()) {
    target.password = *source_.secret;
  }
  return {TenantId{std::move(id)}, std::move(target), source_.labels, std::move(origin)};
}

}  // namespace drover::orchestrator::inventory
