/// All of Drover that an application sees: one database (database.h) and many (fleet.h).
///
///     find_package(drover REQUIRED)                            # or: pkg-config --libs drover
///     target_link_libraries(app PRIVATE drover::drover)
///
///     #include <drover/drover.h>

#pragma once

#include "engine/api/database.h"
#include "orchestrator/api/fleet.h"
