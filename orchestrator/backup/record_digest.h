/// What the tables of a database hold, summed up by the server itself.
///
/// The bytes of a row are the text of its record, so these digests compare with one another and not
/// with those of an archive (Backup::rows_as "record"). Beside tables they cover filled
/// materialized views, sequences (a row each) and large objects; of partitioned tables each
/// partition. Tables of the server's own are left out, and temporary ones.
///
/// Thread safety: one thread per Desk. Errors: RestoreFailure (desk.h).

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/content_digest.h"
#include "orchestrator/backup/desk.h"

namespace drover::orchestrator::backup {

inline constexpr std::string_view kRowsAsRecord = "record";

/// What a session must be opened with for equal rows to have equal texts.
std::vector<engine::SessionSetting> record_settings();

/// Of all schemas, or of `schema` where that is not empty. By name.
std::vector<engine::TableDigest> record_digests(Desk& desk,
                                                std::string_view schema,
                                                const engine::Patience& patience);

}  // namespace drover::orchestrator::backup
