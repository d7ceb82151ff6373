/// One value as it was given, in the file, an environment variable or a flag, and its reading as a
/// number, a duration, a flag ...
///
/// Texts are read by the type that is asked for, never guessed: `yes`, `012`, `1e3` and `5` (for a
/// duration) are refused with the way to write what was meant.
///
/// Thread safety: values and pure functions.
/// Errors: Error usage, kind invalid_setting, naming the setting and its place (or the variable).

#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"

namespace drover::orchestrator::settings {

struct Given {
  enum class Style { plain, quoted };  ///< How it stood in the file. Elsewhere: plain.

  std::string name;  ///< "limits.in_flight", "DROVER_LIMITS_IN_FLIGHT", "--store"
  std::string text;
  Place place;  ///< Empty outside a file.
  Style style = Style::plain;
};

[[noreturn]] void refuse_setting(const Given& given, const std::string& why, std::string hint);

/// The text itself, which must not be empty nor hold a NUL.
std::string to_text(const Given& given);

/// `true` or `false`.
bool to_flag(const Given& given);

/// A whole number of at least `least` and at most `most`.
std::size_t to_count(const Given& given, std::size_t least, std::size_t most);

/// A whole number with a unit: ms, s, m, h or d. At least `least`, at most ten years.
std::chrono::milliseconds to_duration(const Given& given, std::chrono::milliseconds least);

/// The same, or `none` as nullopt.
std::optional<std::chrono::milliseconds> to_duration_or_none(const Given& given,
                                                             std::chrono::milliseconds least);

/// 1 to 100, with or without "%".
std::size_t to_percent(const Given& given);

/// A whole number with a unit: B, KiB, MiB or GiB. At least 1, at most 1024 GiB.
std::size_t to_bytes(const Given& given);

/// The index in `words` of the text; the nearest word is suggested for another one.
std::size_t to_choice(const Given& given, const std::vector<std::string>& words);

/// A duration in the largest unit that fits: "10m", "1500ms".
std::string print_duration(std::chrono::milliseconds duration);

}  // namespace drover::orchestrator::settings
