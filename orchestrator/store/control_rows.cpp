#include "orchestrator/store/control_rows.h"

#include "orchestrator/store/run_rows.h"

namespace drover::orchestrator::store {

void insert_control(StoreTransaction& transaction, const RunId& run, const Control& control) {
  // $1 run, $2 what, $3 who, $4 tenant, $5 reason, $6 in flight
  transaction.query(
      "INSERT INTO controls (run, what, who, tenant, reason, in_flight) "
      "VALUES ($1, $2, $3, $4, $5, $6)",
      {std::string_view(run.value),
       name_of(control.what),
       std::string_view(control.who),
       std::string_view(control.tenant),
       std::string_view(control.reason),
       static_cast<std::int64_t>(control.in_flight)});
}

std::vector<Control> take_controls(StoreTransaction& transaction, const RunId& run) {
  std::vector<Control> controls;
  std::int64_t last = 0;
  for (const StoreRow& row :
       transaction.query("SELECT id, what, who, tenant, reason, in_flight FROM controls "
                         "WHERE run = $1 AND taken = 0 ORDER BY id",
                         {std::string_view(run.value)})) {
    last = row.number(0);
    if (const auto what = control_named(row.text(1))) {  // a newer one is nothing we can do
      controls.push_back(
          {*what, row.text(2), row.text(3), row.text(4), static_cast<std::size_t>(row.number(5))});
    }
  }
  if (last > 0) {
    transaction.query("UPDATE controls SET taken = 1 WHERE run = $1 AND taken = 0 AND id <= $2",
                      {std::string_view(run.value), last});
  }
  return controls;
}

void insert_stage_approval(StoreTransaction& transaction,
                           const RunId& run,
                           const std::string& stage,
                           const std::string& who) {
  transaction.query(
      "INSERT INTO stage_approvals (run, stage, who, at_ms) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (run, stage, who) DO NOTHING",
      {std::string_view(run.value),
       std::string_view(stage),
       std::string_view(who),
       milliseconds_of(transaction.now())});
}

std::map<std::string, std::set<std::string>> select_stage_approvals(StoreTransaction& transaction,
                                                                    const RunId& run) {
  std::map<std::string, std::set<std::string>> approvals;
  for (const StoreRow& row :
       transaction.query("SELECT stage, who FROM stage_approvals WHERE run = $1",
                         {std::string_view(run.value)})) {
    approvals[row.text(0)].insert(row.text(1));
  }
  return approvals;
}

void put_hold(StoreTransaction& transaction, const std::string& environment, const Hold& hold) {
  delete_hold(transaction, environment, hold.tenant);
  const StoreValue until =
      hold.until ? StoreValue(milliseconds_of(*hold.until)) : StoreValue(std::monostate());
  // $1 environment, $2 tenant, $3 reason, $4 owner, $5 since, $6 until
  transaction.query(
      "INSERT INTO holds (environment, tenant, reason, owner, since_ms, until_ms) "
      "VALUES ($1, $2, $3, $4, $5, $6)",
      {std::string_view(environment),
       std::string_view(hold.tenant.value),
       std::string_view(hold.reason),
       std::string_view(hold.owner),
       milliseconds_of(transaction.now()),
       until});
}

std::size_t delete_hold(StoreTransaction& transaction,
                        const std::string& environment,
                        const TenantId& tenant) {
  return transaction
      .query("DELETE FROM holds WHERE environment = $1 AND tenant = $2 RETURNING tenant",
             {std::string_view(environment), std::string_view(tenant.value)})
      .size();
}

std::vector<Hold> select_holds(StoreTransaction& transaction, const std::string& environment) {
  std::vector<Hold> holds;
  for (const StoreRow& row : transaction.query(
           "SELECT tenant, reason, owner, since_ms, until_ms FROM holds "
           "WHERE environment = $1 AND (until_ms IS NULL OR until_ms > $2) ORDER BY tenant",
           {std::string_view(environment), milliseconds_of(transaction.now())})) {
    Hold& hold = holds.emplace_back();
    hold.tenant = TenantId{row.text(0)};
    hold.reason = row.text(1);
    hold.owner = row.text(2);
    hold.since = wall_time_of(row.number(3));
    if (!row.is_null(4)) {
      hold.until = wall_time_of(row.number(4));
    }
  }
  return holds;
}

}  // namespace drover::orchestrator::store
