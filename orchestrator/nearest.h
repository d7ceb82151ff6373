/// "did you mean ...?": the known word that a mistyped one is nearest to.
///
/// Thread safety: pure functions.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drover::orchestrator {

/// The one of `candidates` that is the fewest typing slips away from `word`: a letter missing,
/// added, wrong, or swapped with its neighbour; upper and lower case (ASCII) count as equal. Empty
/// when even the best is more than a third of the word away. Among equals the first one wins.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// A hint for an unknown word: "Did you mean 'x'?" when one is near, else "Known are a, b and c."
/// with at most 20 of `candidates`.
std::string nearest_hint(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace drover::orchestrator
