/// What must be true before something is put back at all, and of what was put back before it
/// becomes live.
///
/// Thread safety: free functions. Errors: RestoreFailure (desk.h): restore_refused for a backup
/// that is the wrong one, restore_not_proven for content that is not what was saved.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/history.h"
#include "orchestrator/backup/desk.h"
#include "orchestrator/backup/restore_means.h"

namespace drover::orchestrator::backup {

/// The backup is of another tenant, environment, server, database or schema than the request.
/// `extent` is what is to be put back.
void check_request(const RestoreRequest& request, Extent extent);

/// The history of the tenant in `schema` (its own, unless the means name another); nullopt where it
/// cannot be read, because it is damaged, say.
std::optional<engine::History> read_history(Desk& desk,
                                            const RestoreMeans& means,
                                            std::string_view schema,
                                            const engine::Patience& patience);

/// The live tenant says that it is another than the one that was saved.
void check_same_tenant(const RestoreRequest& request, std::string_view live_uid);

/// Puts the content of `source` into the database of `target`. A program that cannot be started is
/// a RestoreFailure here as well.
void fill_from(BackupSource& source,
               const engine::Target& target,
               const engine::Patience& patience);

/// What stands in the database of `target`, in `schema`, is what the manifest says: the tenant's
/// uid inside, the heads among its revisions, every table by rows and sum. `schema` may be called
/// otherwise than when it was saved.
void check_content(const RestoreRequest& request,
                   const RestoreMeans& means,
                   const engine::Target& target,
                   Extent extent,
                   const engine::Patience& patience);

}  // namespace drover::orchestrator::backup
