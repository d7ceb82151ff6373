/// The file of approvals beside a plan: PLAN.json.approvals, a JSON object per line.
///
/// It may be written by several people one after the other; each adds a line. What an approval is
/// worth says approval.h.
///
/// Thread safety: free functions without state; writers wait for each other by a lock on the file.
///
/// Errors: Error usage, invalid_approvals, with the line; Error storage, file_not_readable and
/// file_not_writable.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "orchestrator/plan/approval.h"

namespace drover::orchestrator::plan {

/// "PLAN.json.approvals" for "PLAN.json".
std::filesystem::path approvals_file_of(const std::filesystem::path& plan_file);

/// {"digest": ..., "who": ..., "at": ..., "key_id": ..., "signature": ...} and a line break.
std::string to_line(const Approval& approval);

/// Adds a line, and makes the file when there is none. A file that read_approvals() refuses, and an
/// approval that it would refuse, is refused here.
void add_approval(const std::filesystem::path& file, const Approval& approval);

/// In the order in which they were added; none when there is no file. Reads at most 16 MiB.
std::vector<Approval> read_approvals(const std::filesystem::path& file);

/// Reads the text of such a file. `name` is for places.
std::vector<Approval> approvals_from_text(std::string_view text, const std::string& name);

}  // namespace drover::orchestrator::plan
