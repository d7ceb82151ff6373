/// Turns what people write about a PostgreSQL tenant into a Target, and back into words.
///
/// Takes a URL ("postgres://user@host:port/database?schema=acme") or libpq's keywords
/// ("host=... dbname=... schema=acme"). `schema` and `pooled` are ours and are taken out first; the
/// rest is libpq's. Nothing here connects.
///
/// `pooled` holds keywords, or a URL, of the pooler; what it leaves out is as in the target, so
/// pooled='port=6432' is enough for a pooler on the same host.
///
/// Thread safety: free functions; PG* environment variables and the service file are read.
/// Errors: drover::Error, kind "invalid_target". No message ever shows a value, since a mistyped
/// password may stand anywhere.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/target.h"

namespace drover::engine::postgres {

/// The Target of `text`, from a person's hand or a trusted file. What `text` does not say about
/// host, port, user and database is filled in from the environment as libpq does. A password goes
/// into Target::password.
///
/// Over a network (a host that is neither a socket folder nor loopback) the default is
/// sslmode=verify-full; less has to be written in the target or in PGSSLMODE.
///
/// Throws drover::Error: invalid_target.
Target parse_pg_target(std::string_view text);

/// The same for a target out of a tenant source, which is data: only host, port, dbname, user,
/// sslmode, application_name, schema and pooled may be set, and sslmode not below `sslmode_floor`
/// (empty: no floor), which is also the default.
///
/// Throws drover::Error: invalid_target, naming the keyword.
Target parse_source_pg_target(std::string_view text, std::string_view sslmode_floor);

/// The same server, role and schema, in the database `name`. Without a pooler, which may not know
/// it.
Target with_database(const Target& target, std::string_view name);

/// "acme on db1:5432", and ", schema t_7" where it is not public. Without secrets.
std::string describe(const Target& target);

/// The role that `target` logs in as; empty when libpq decides.
std::string role_of(const Target& target);

/// The sslmode of `target` when it reaches over a network with less than verify-full, for one
/// warning per run; nullopt when all is well.
std::optional<std::string> weak_sslmode(const Target& target);

}  // namespace drover::engine::postgres
