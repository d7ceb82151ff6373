/// Reads the words behind a verb by a table of options.
///
/// Strict, because a word that lands in the wrong place may select another fleet: nothing is
/// abbreviated, a value is never empty and never the next option, a comma or bracket means nothing,
/// what takes one value is given once. Values of long options may stand behind "=". "-1" is a word,
/// and behind "--" everything is. (This is not CLI11: with version 2.1.2,
/// "--tenant= --yes" and "--tenant --yes" took "--yes" as the tenant, "--yes=false" counted as
/// given, and the word "[a,b]" became two.)
///
/// Thread safety: one thread.
/// Errors: Error usage, kind invalid_arguments.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/error.h"
#include "orchestrator/cli/verb.h"

namespace drover::orchestrator::cli {

/// What `words` say of `options`; all of these are declared in the result. `verb` is for messages.
Arguments read_words(std::string_view verb,
                     std::span<const OptionSpec> options,
                     std::span<const std::string> words);

/// The key in Arguments: "revision" of "-r,--revision", or a word's own name.
std::string key_of(const OptionSpec& option);

/// The names that may be typed: "-r", "--revision". None for a word.
std::vector<std::string> typed_names(const OptionSpec& option);

/// The option of `options` that is typed as `name`; nullptr when there is none.
const OptionSpec* option_typed(std::span<const OptionSpec> options, std::string_view name);

/// As many tenants at once as the configuration may ask for.
inline constexpr std::size_t kMostAtOnce = 10'000;

/// The whole number that the option `name` (without dashes) was given; nullopt without it.
///
/// Throws Error usage: invalid_arguments, where it is none from 1 to `most`.
std::optional<std::size_t> number_given(const Arguments& arguments,
                                        std::string_view name,
                                        std::size_t most);

Error invalid_arguments(const std::string& message, std::string hint);

}  // namespace drover::orchestrator::cli
