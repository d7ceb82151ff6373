/// All of Drover that an application sees: one database (database.h) and many (fleet.h).

#pragma once

#include "engine/api/database.h"
#include "orchestrator/api/fleet.h"
