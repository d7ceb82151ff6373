/// What a plan's text and digest hold, field by field: one table per record, which the writer, the
/// reader and the digest share.
///
/// For this room only. A member that is added to a record of orchestrator/plan.h must come into its
/// table, and kPlanFormat goes up; a count of the members below stops the build until it does.
///
/// Thread safety: constants.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "orchestrator/plan.h"

namespace drover::orchestrator::plan {

inline constexpr std::int64_t kPlanFormat = 1;

using RevisionIds = std::vector<engine::RevisionId>;
using Texts = std::vector<std::string>;

template <typename Record>
struct Field {
  using Member = std::variant<std::string Record::*,
                              bool Record::*,
                              std::size_t Record::*,
                              std::int64_t Record::*,
                              engine::Direction Record::*,
                              engine::RevisionId Record::*,
                              TenantId Record::*,
                              RevisionIds Record::*,
                              Texts Record::*>;
  std::string_view key;
  Member member;
};

template <typename Record>
inline constexpr std::array<Field<Record>, 0> kFields{};

/// Those of the plan itself; its lists follow them.
template <>
inline constexpr std::array<Field<Plan>, 9> kFields<Plan>{{
    {"environment", &Plan::environment},
    {"production", &Plan::production},
    {"whole_fleet", &Plan::whole_fleet},
    {"direction", &Plan::direction},
    {"target", &Plan::target},
    {"author", &Plan::author},
    {"created", &Plan::created},
    {"migrations_digest", &Plan::migrations_digest},
    {"strategy", &Plan::strategy},
}};

template <>
inline constexpr std::array<Field<PlannedRevision>, 6> kFields<PlannedRevision>{{
    {"id", &PlannedRevision::id},
    {"file", &PlannedRevision::file},
    {"sha256", &PlannedRevision::sha256},
    {"irreversible", &PlannedRevision::irreversible},
    {"transactional", &PlannedRevision::transactional},
    {"locks", &PlannedRevision::locks},
}};

template <>
inline constexpr std::array<Field<PlannedWave>, 2> kFields<PlannedWave>{{
    {"name", &PlannedWave::name},
    {"tenants", &PlannedWave::tenants},
}};

template <>
inline constexpr std::array<Field<PlannedTenant>, 10> kFields<PlannedTenant>{{
    {"id", &PlannedTenant::id},
    {"server", &PlannedTenant::server},
    {"wave", &PlannedTenant::wave},
    {"rule", &PlannedTenant::rule},
    {"from", &PlannedTenant::from},
    {"epoch", &PlannedTenant::epoch},
    {"uid", &PlannedTenant::uid},
    {"bytes", &PlannedTenant::bytes},
    {"steps", &PlannedTenant::steps},
    {"unfit", &PlannedTenant::unfit},
}};

template <>
inline constexpr std::array<Field<PlanFinding>, 3> kFields<PlanFinding>{{
    {"kind", &PlanFinding::kind},
    {"about", &PlanFinding::about},
    {"text", &PlanFinding::text},
}};

/// Compiles while each record has as many members as its table knows.
inline void count_members(const Plan& plan,
                          const PlannedRevision& revision,
                          const PlannedWave& wave,
                          const PlannedTenant& tenant,
                          const PlanFinding& finding) {
  [[maybe_unused]] const auto& [p1, p2, p3, p4, p5, p6, p7, p8, p9, l1, l2, l3, l4, l5] = plan;
  [[maybe_unused]] const auto& [r1, r2, r3, r4, r5, r6] = revision;
  [[maybe_unused]] const auto& [w1, w2] = wave;
  [[maybe_unused]] const auto& [t1, t2, t3, t4, t5, t6, t7, t8, t9, t10] = tenant;
  [[maybe_unused]] const auto& [f1, f2, f3] = finding;
}

}  // namespace drover::orchestrator::plan
