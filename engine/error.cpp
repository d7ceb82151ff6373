#include "engine/error.h"

namespace drover {

const char* name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::incomplete:
      return "incomplete";
    case ErrorCode::halted:
      return "halted";
    case ErrorCode::busy:
      return "busy";
    case ErrorCode::unreachable:
      return "unreachable";
    case ErrorCode::verification:
      return "verification";
    case ErrorCode::waiting:
      return "waiting";
    case ErrorCode::pending:
      return "pending";
    case ErrorCode::internal:
      return "internal";
    case ErrorCode::storage:
      return "storage";
  }
  return "internal";
}

std::string to_string(const Place& place) {
  std::string text = place.file;
  if (place.line != 0) {
    text += ":" + std::to_string(place.line);
    if (place.column != 0) {
      text += ":" + std::to_string(place.column);
    }
  }
  return text;
}

}  // namespace drover
