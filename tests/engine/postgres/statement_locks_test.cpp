// What engine/parse says that a statement locks, and what a real server's pg_locks says.

#include "engine/parse/statement_locks.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "engine/parse/name_pattern.h"
#include "tests/engine/parse/lock_forms.h"
#include "tests/support/pg_cluster.h"

using namespace drover::engine::parse;
using drover::test::PgCluster;
using drover::test::shared_cluster;

namespace {

constexpr const char* kDatabase = "statement_locks";
constexpr int kOldest = 150000;  ///< The release whose documentation statement_locks.h follows.

struct Relation {
  std::string name;
  std::string index_of;  ///< Empty: it is a table or a view.
  std::string file;      ///< Changes when it is written anew.
};

/// What a statement did to one relation.
struct Deed {
  LockMode mode = LockMode::access_share;
  bool scanned = false;
  bool rewritten = false;
};

/// "ShareUpdateExclusiveLock"
LockMode mode_of(const std::string& word) {
  std::string name;
  for (const char letter : word.substr(0, word.size() - std::string_view("Lock").size())) {
    const bool capital = letter >= 'A' && letter <= 'Z';
    name += (capital && !name.empty() ? " " : "") + std::string(1, letter);
  }
  return lock_mode_named(name).value();
}

/// The relations that a statement finds, by oid.
std::map<std::string, Relation> make_relations() {
  PgCluster& cluster = shared_cluster();
  cluster.create_database(kDatabase);
  cluster.execute(kDatabase, "ALTER DATABASE statement_locks SET allow_in_place_tablespaces = on");
  cluster.execute(kDatabase, "CREATE TABLESPACE space LOCATION ''");
  cluster.execute(kDatabase, "CREATE SCHEMA elsewhere;" + std::string(kLockTables));
  std::map<std::string, Relation> relations;
  for (const auto& row :
       cluster.execute(kDatabase,
                       "SELECT c.oid, c.relname, coalesce(t.relname, ''), "
                       "coalesce(pg_relation_filenode(c.oid), 0)"
                       "  FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid"
                       "  LEFT JOIN pg_class t ON t.oid = i.indrelid"
                       " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', "
                       "'v', 'm', 'f', 'i', 'I')")) {
    relations[row[0].value()] = {row[1].value(), row[2].value(), row[3].value()};
  }
  return relations;
}

/// Runs `statement` in a transaction that is rolled back, and tells what it held at its end.
std::map<std::string, Deed> deeds_of(std::string_view statement,
                                     const std::map<std::string, Relation>& relations) {
  std::map<std::string, Deed> deeds;
  for (const auto& row : shared_cluster().execute(
           kDatabase,
           "BEGIN; " + std::string(statement) +
               "; SELECT relation, mode, coalesce(pg_relation_filenode(relation), 0),"
               "         coalesce(pg_stat_get_xact_numscans(relation), 0) > 0"
               "    FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'")) {
    const auto known = relations.find(row[0].value());
    if (known == relations.end()) {
      continue;  // Made by the statement itself, or the server's own.
    }
    const Relation& relation = known->second;
    Deed& deed = deeds[relation.name];
    deed.mode = std::max(deed.mode, mode_of(row[1].value()));
    deed.scanned = row[3] == "t";
    deed.rewritten = row[2] != relation.file && row[2] != "0";
  }
  return deeds;
}

const Relation* find_relation(const std::map<std::string, Relation>& relations,
                              const std::string& name) {
  for (const auto& [oid, relation] : relations) {
    if (relation.name == name) {
      return &relation;
    }
  }
  return nullptr;
}

/// public.files and "My Files" as pg_class has them.
std::string relation_name(std::string name) {
  name = name.starts_with("public.") ? name.substr(7) : name;
  return name.starts_with('"') ? name.substr(1, name.size() - 2) : name;
}

/// What the server must have locked, if `lock` is right: tables or indexes.
std::vector<std::string> meant_by(const TableLock& lock,
                                  const std::map<std::string, Relation>& relations) {
  const std::string name = relation_name(lock.name);
  if (lock.of == TableLock::Of::table_of_index) {
    return {find_relation(relations, name)->index_of};
  }
  if (lock.of != TableLock::Of::indexes_of_table) {
    return {name};
  }
  std::vector<std::string> indexes;
  for (const auto& [oid, relation] : relations) {
    if (relation.index_of == name) {
      indexes.push_back(relation.name);
    }
  }
  return indexes;
}

void check_work(const TableLock& lock, const Deed& deed) {
  switch (lock.work) {
    case TableWork::none:
      CHECK_FALSE(deed.rewritten);
      CHECK_FALSE(deed.scanned);
      return;
    case TableWork::possible_scan:
    case TableWork::scan:
      CHECK_FALSE(deed.rewritten);
      CHECK(deed.scanned);
      return;
    case TableWork::rewrite:
      CHECK(deed.rewritten);
      return;
    case TableWork::possible_rewrite:
      return;  // Some of the forms do, some do not.
  }
}

/// Whether the work under `lock` is told, of tables and under locks that others wait for. TRUNCATE
/// makes a table anew without writing it.
bool tells_work(const LockForm& form, const TableLock& lock) {
  return lock.mode > LockMode::row_exclusive && lock.of != TableLock::Of::index &&
         lock.of != TableLock::Of::indexes_of_table && !form.statement.starts_with("TRUNCATE");
}

void check_form(const LockForm& form, const std::map<std::string, Relation>& relations) {
  const auto deeds = deeds_of(form.statement, relations);
  std::set<std::string> said;
  for (const TableLock& lock : locks_of(form.statement)) {
    for (const std::string& name : meant_by(lock, relations)) {
      INFO(to_string(lock) << ", and so " << name);
      const auto deed = deeds.find(name);
      REQUIRE(deed != deeds.end());
      CHECK(name_of(deed->second.mode) == name_of(lock.mode));
      if (tells_work(form, lock)) {
        check_work(lock, deed->second);
      }
      said.insert(name);
    }
  }
  for (const auto& [name, deed] : deeds) {
    INFO(name << " is locked, and nothing is said of it");
    const bool is_index = !find_relation(relations, name)->index_of.empty();
    CHECK((said.contains(name) || is_index || deed.mode <= LockMode::row_share));
  }
}

}  // namespace

TEST_CASE("what is said of a statement's locks is what the server locks") {
  if (shared_cluster().value("postgres", "SHOW server_version_num") < std::to_string(kOldest)) {
    WARN("the server is older than the documentation that the table follows");
    return;
  }
  const auto relations = make_relations();
  for (const LockForm& form : kLockForms) {
    INFO(form.statement);
    if (form.alone == Alone::no) {
      check_form(form, relations);
    }
  }
}
