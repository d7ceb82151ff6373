/// A plan as a file: its text, its digest, and reading both back.
///
/// The text is JSON with its keys in one order and a line per tenant, so that two plans can be
/// compared by diff. The digest is over what the plan says, not over the text: it is the SHA-256 of
/// the bytes of canonical.h for the text "drover plan 1", then every field in the order of
/// plan_fields.h (a direction as the text "up" or "down"), then the lists revisions, waves,
/// step_lists, tenants and findings. What a plan is made of says orchestrator/plan.h; whether it
/// still fits the fleet, the run.
///
/// Thread safety: free functions without state.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "orchestrator/plan.h"

namespace drover::orchestrator::plan {

/// The same plan gives the same bytes. They end with a line break.
///
/// Throws Error usage: plan_not_utf8, where a text is not UTF-8. A plan that from_text() would
/// refuse (plan_defect.h) is a bug of whoever made it: std::logic_error.
std::string to_text(const Plan& plan);

/// "sha256:" and 64 lower-case hexadecimal digits.
std::string digest_of(const Plan& plan);

/// Reads what to_text() wrote; other white space and another order of keys are fine, anything else
/// that differs is refused. `name` is the file, for places.
///
/// Throws Error usage: plan_too_new, invalid_plan. Throws Error verification: plan_changed, when
/// what the text says has another digest than it names.
Plan from_text(std::string_view text, const std::string& name);

/// Makes the file `file`, mode 0600, whole or not at all.
///
/// Throws Error usage: plan_exists and those of to_text(). Throws Error storage:
/// file_not_writable.
void write_file(const Plan& plan, const std::filesystem::path& file);

/// Reads a plan of at most 512 MiB.
///
/// Throws what from_text() throws, Error usage: invalid_plan for a file that is too long, and Error
/// storage: file_not_readable.
Plan read_file(const std::filesystem::path& file);

}  // namespace drover::orchestrator::plan
