#include "orchestrator/backup/database_properties.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace drover::orchestrator::backup;

namespace {

DatabaseProperties plain() {
  DatabaseProperties properties;
  properties.owner = "ann";
  properties.encoding = "UTF8";
  properties.collate = "C.UTF-8";
  properties.ctype = "C.UTF-8";
  properties.tablespace = "pg_default";
  return properties;
}

bool asks_for(int version, const std::string& column) {
  return database_properties_message("acme", version).front().sql.find(column) != std::string::npos;
}

}  // namespace

TEST_CASE("a server is asked only for what its version knows") {
  CHECK_FALSE(asks_for(130020, "datlocprovider"));
  CHECK_FALSE(asks_for(140010, "daticulocale"));
  CHECK(asks_for(150000, "datlocprovider"));
  CHECK(asks_for(150000, "daticulocale"));
  CHECK_FALSE(asks_for(150000, "daticurules"));
  CHECK(asks_for(160000, "daticurules"));
  CHECK(asks_for(170000, "d.datlocale"));
  CHECK_FALSE(asks_for(180000, "daticulocale"));
  CHECK(asks_for(180000, "daticurules"));
}

TEST_CASE("a new database has the locale of the old one, whoever provides it") {
  DatabaseProperties like = plain();
  const std::string start =
      "CREATE DATABASE \"a\"\"b\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE "
      "'C.UTF-8'";
  CHECK(create_database_statement("a\"b", like) == start);
  like.tablespace = "fa st";
  CHECK(create_database_statement("a\"b", like) == start + " TABLESPACE \"fa st\"");
  like.tablespace = "pg_default";
  like.locale_provider = 'i';
  like.locale = "de-DE";
  CHECK(create_database_statement("a\"b", like) ==
        start + " LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'");
  like.icu_rules = "&a < 'g'";
  CHECK(create_database_statement("a\"b", like) ==
        start + " LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' ICU_RULES '&a < ''g'''");
  like.locale_provider = 'b';
  like.locale = "C.UTF-8";
  CHECK(create_database_statement("a\"b", like) ==
        start + " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'");
}

TEST_CASE("properties are given by statements in an order that works") {
  DatabaseProperties properties = plain();
  properties.grants = {{"ann", "ann", "CONNECT", false},
                       {"ann", "zoe", "CONNECT", true},
                       {"bob", "", "CONNECT", false},
                       {"zoe", "bob", "CONNECT", true}};
  properties.settings = {{"", "search_path", "\"$user\", \"we \"\"ird\", public"},
                         {"bob", "app.name", "it's"}};
  properties.comment = "mine";
  properties.labels = {{"selinux", "s0"}};
  properties.connection_limit = 5;
  properties.is_template = true;
  CHECK(property_statements("a b", properties, "restore 1") ==
        std::vector<std::string>{
            "ALTER DATABASE \"a b\" OWNER TO \"ann\"",
            "REVOKE ALL PRIVILEGES ON DATABASE \"a b\" FROM PUBLIC, \"ann\"",
            "GRANT CONNECT ON DATABASE \"a b\" TO \"ann\"",
            "GRANT CONNECT ON DATABASE \"a b\" TO \"zoe\" WITH GRANT OPTION",
            "SET ROLE \"zoe\"",
            "GRANT CONNECT ON DATABASE \"a b\" TO \"bob\" WITH GRANT OPTION",
            "RESET ROLE",
            "SET ROLE \"bob\"",
            "GRANT CONNECT ON DATABASE \"a b\" TO PUBLIC",
            "RESET ROLE",
            "ALTER DATABASE \"a b\" SET \"search_path\" TO '$user', 'we \"ird', 'public'",
            "ALTER ROLE \"bob\" IN DATABASE \"a b\" SET \"app\".\"name\" TO 'it''s'",
            "COMMENT ON DATABASE \"a b\" IS '[drover: restore 1] mine'",
            "SECURITY LABEL FOR \"selinux\" ON DATABASE \"a b\" IS 's0'",
            "ALTER DATABASE \"a b\" CONNECTION LIMIT 5",
            "ALTER DATABASE \"a b\" IS_TEMPLATE true"});
}

TEST_CASE("what differs is said in words") {
  const DatabaseProperties was = plain();
  CHECK(differences(was, was).empty());
  DatabaseProperties is = was;
  is.owner = "bob";
  is.collate = "C";
  is.locale_provider = 'i';
  is.connection_limit = 3;
  is.allows_connections = false;
  is.comment = "x";
  is.grants = {{"bob", "", "CONNECT", false}};
  is.settings = {{"bob", "work_mem", "8MB"}};
  is.labels = {{"selinux", "s0"}};
  CHECK(differences(was, is) ==
        std::vector<std::string>{"owner is 'bob', and was 'ann'",
                                 "collation is 'C', and was 'C.UTF-8'",
                                 "locale provider is 'i', and was 'c'",
                                 "connection limit is '3', and was '-1'",
                                 "comment is 'x', and was ''",
                                 "CONNECT of PUBLIC from 'bob' was not there",
                                 "setting work_mem = '8MB' of role 'bob' was not there",
                                 "security label 's0' of selinux was not there"});
  CHECK(differences(is, was).at(5) == "CONNECT of PUBLIC from 'bob' is missing");
}
