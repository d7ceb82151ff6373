/// The keywords of a target, in the order and spelling of our normal form.
///
/// Reads and writes libpq's two notations. For conninfo.cpp only, which knows what the keywords
/// mean.
///
/// Thread safety: values. Errors: drover::Error, kind "invalid_target", never showing a value.

#pragma once

#include <map>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace drover::engine::postgres {

/// Host, port, database and user come first; the others follow by name.
struct KeywordOrder {
  bool operator()(const std::string& left, const std::string& right) const noexcept;
};

using KeywordList = std::map<std::string, std::string, KeywordOrder>;

/// `text` in either notation. Our own keywords (schema, pooled) are in the list like any other.
/// Throws drover::Error: invalid_target.
KeywordList parse_keywords(std::string_view text);

/// "host=db1 port=5432 dbname='my db'": quoted only where needed.
std::string to_string(const KeywordList& keywords);

/// An error about a target.
Error invalid_target(const std::string& message, const std::string& hint);

}  // namespace drover::engine::postgres
