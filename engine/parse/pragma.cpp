#include "engine/parse/pragma.h"

#include <algorithm>
#include <iterator>

#include "engine/parse/sql_tokens.h"

namespace drover::engine::parse {
namespace {

enum class Acts { when_set, always };

struct PragmaRule {
  std::string_view name;
  Acts acts;
  PragmaVerdict verdict;
};

constexpr PragmaRule kPragmaRules[] = {
    {"foreign_keys", Acts::when_set, PragmaVerdict::useless_in_transaction},
    {"journal_mode", Acts::when_set, PragmaVerdict::useless_in_transaction},
    {"synchronous", Acts::when_set, PragmaVerdict::useless_in_transaction},
    {"auto_vacuum", Acts::when_set, PragmaVerdict::useless_in_transaction},
    {"page_size", Acts::when_set, PragmaVerdict::useless_in_transaction},
    {"encoding", Acts::when_set, PragmaVerdict::useless_in_transaction},
    {"wal_checkpoint", Acts::always, PragmaVerdict::useless_in_transaction},
    {"writable_schema", Acts::when_set, PragmaVerdict::forbidden},
};

}  // namespace

PragmaFinding look_at_pragma(std::string_view statement) {
  TokenReader tokens(statement, Dialect::sqlite);
  tokens.next_code();  // PRAGMA
  auto name = tokens.next_code();
  auto behind = tokens.next_code();
  if (behind && behind->is('.')) {
    name = tokens.next_code();
    behind = tokens.next_code();
  }
  PragmaFinding finding;
  if (!name) {
    return finding;
  }
  finding.name = lower_case(name_in(*name));
  const auto* const rule =
      std::find_if(std::begin(kPragmaRules), std::end(kPragmaRules), [&](const PragmaRule& each) {
        return each.name == finding.name;
      });
  if (rule != std::end(kPragmaRules) && (rule->acts == Acts::always || behind)) {
    finding.verdict = rule->verdict;
  }
  return finding;
}

}  // namespace drover::engine::parse
