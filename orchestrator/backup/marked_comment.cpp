#include "orchestrator/backup/marked_comment.h"

#include <fmt/format.h>

#include "engine/dialect.h"

namespace drover::orchestrator::backup {
namespace {

constexpr std::string_view kBegin = "[drover: ";
constexpr std::string_view kEnd = "] ";

}  // namespace

std::string to_string(const MarkedComment& comment) {
  return comment.purpose.empty()
             ? comment.comment
             : fmt::format("{}{}{}{}", kBegin, comment.purpose, kEnd, comment.comment);
}

MarkedComment marked_comment_of(std::string_view text) {
  const std::size_t end = text.find(kEnd);
  if (!text.starts_with(kBegin) || end == std::string_view::npos) {
    return {"", std::string(text)};
  }
  return {std::string(text.substr(kBegin.size(), end - kBegin.size())),
          std::string(text.substr(end + kEnd.size()))};
}

std::string sql_of(const MarkedComment& comment) {
  return engine::quoted_literal(engine::Dialect::postgres, to_string(comment));
}

}  // namespace drover::orchestrator::backup
