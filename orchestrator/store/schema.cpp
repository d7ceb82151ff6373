#include "orchestrator/store/schema.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace drover::orchestrator::store {
namespace {

// Times are milliseconds since 1970 by the store's clock, so that both databases compare them
// alike.
constexpr std::string_view kFormat1 = R"sql(
CREATE TABLE runs (
  id            {text} PRIMARY KEY,
  environment   {text} NOT NULL,
  verb          {text} NOT NULL,
  target        {text} NOT NULL,
  digest        {text} NOT NULL,
  options       {text} NOT NULL,
  owner_user    {text} NOT NULL,
  owner_host    {text} NOT NULL,
  owner_pid     BIGINT NOT NULL,
  owner_process {text} NOT NULL,           -- see process_identity.h; empty: not known
  token         {text} NOT NULL,           -- changes with every holder
  state         {text} NOT NULL,
  exit_status   BIGINT NOT NULL,
  started_ms    BIGINT NOT NULL,
  heartbeat_ms  BIGINT NOT NULL,
  last_write_ms BIGINT NOT NULL,
  finished_ms   BIGINT,
  total         BIGINT NOT NULL
);
CREATE INDEX runs_by_start ON runs (environment, started_ms);

CREATE TABLE leases (
  environment {text} PRIMARY KEY,
  run         {text} NOT NULL              -- empty: free
);

CREATE TABLE run_tenants (
  run                 {text} NOT NULL,
  tenant              {text} NOT NULL,
  position            BIGINT NOT NULL,     -- in the run's list
  started             BIGINT NOT NULL DEFAULT 0,
  attempts            BIGINT NOT NULL DEFAULT 0,
  outcome             {text},              -- NULL: none yet
  server              {text} NOT NULL DEFAULT '',
  reason              {text} NOT NULL DEFAULT '',
  heads_before        {text} NOT NULL DEFAULT '',     -- revisions, separated by commas
  heads_after         {text} NOT NULL DEFAULT '',
  duration_ms         BIGINT NOT NULL DEFAULT 0,
  fault_code          BIGINT,              -- NULL: no fault
  fault_class         {text},
  fault_kind          {text},
  fault_sqlstate      {text},
  fault_message       {text},
  fault_hint          {text},
  fault_revision      {text},
  fault_file          {text},
  fault_line          BIGINT,
  fault_column        BIGINT,
  blocker_pid         BIGINT,              -- NULL: no blocker
  blocker_application {text},
  blocker_user        {text},
  blocker_state       {text},
  blocker_age         {text},
  PRIMARY KEY (run, tenant)
);

CREATE TABLE events (
  id     {serial},
  run    {text} NOT NULL,
  writer {text} NOT NULL,                  -- the process that wrote it, and its number there:
  number BIGINT NOT NULL,                  -- written twice after a commit in doubt, kept once
  at_ms  BIGINT NOT NULL,
  tenant {text} NOT NULL,
  kind   {text} NOT NULL,
  text   {text} NOT NULL,
  UNIQUE (writer, number)
);
CREATE INDEX events_of_run ON events (run, id);

CREATE TABLE texts (
  sha256 {text} PRIMARY KEY,
  body   {bytes} NOT NULL
);

CREATE TABLE run_files (
  run    {text} NOT NULL,
  name   {text} NOT NULL,
  sha256 {text} NOT NULL,
  PRIMARY KEY (run, name)
);

CREATE TABLE durations (
  environment {text} NOT NULL,
  tenant      {text} NOT NULL,
  duration_ms BIGINT NOT NULL,
  PRIMARY KEY (environment, tenant)
);

CREATE TABLE tenant_uids (
  environment {text} NOT NULL,
  tenant      {text} NOT NULL,
  uid         {text} NOT NULL,
  PRIMARY KEY (environment, tenant)
);
)sql";

// What people want of runs and tenants.
constexpr std::string_view kFormat2 = R"sql(
CREATE TABLE controls (
  id        {serial},
  run       {text} NOT NULL,
  what      {text} NOT NULL,
  who       {text} NOT NULL,
  tenant    {text} NOT NULL,
  reason    {text} NOT NULL,
  in_flight BIGINT NOT NULL,
  taken     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX controls_of_run ON controls (run, taken);

CREATE TABLE stage_approvals (
  run   {text} NOT NULL,
  stage {text} NOT NULL,
  who   {text} NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (run, stage, who)
);

CREATE TABLE holds (
  environment {text} NOT NULL,
  tenant      {text} NOT NULL,
  reason      {text} NOT NULL,
  owner       {text} NOT NULL,
  since_ms    BIGINT NOT NULL,
  until_ms    BIGINT,                      -- NULL: until it is removed
  PRIMARY KEY (environment, tenant)
);
)sql";

constexpr std::array<std::string_view, 2> kJournalSchema = {kFormat1, kFormat2};

constexpr std::string_view kFormatTable = "journal_format";

/// The format of the tables that are there; 0 for none.
std::int64_t format_of(const StoreDb& db, StoreTransaction& transaction) {
  if (transaction.query(db.dialect().has_table, {kFormatTable}).empty()) {
    return 0;
  }
  const std::vector<StoreRow> rows = transaction.query("SELECT format FROM journal_format");
  if (rows.size() != 1) {
    throw Error(ErrorCode::storage,
                "journal_corrupt",
                fmt::format("{} does not say which format it has", db.name()),
                "Move it away; the next run makes a new one, and no tenant is lost by that.");
  }
  return rows.front().number(0);
}

void refuse_newer(const StoreDb& db, std::int64_t format, SchemaSteps steps) {
  if (format > static_cast<std::int64_t>(steps.size())) {
    throw Error(ErrorCode::storage,
                "journal_too_new",
                fmt::format("{} has format {}, and this drover knows formats up to {}",
                            db.name(),
                            format,
                            steps.size()),
                "Use the newer drover that wrote it, or name another store.");
  }
}

std::string in_dialect(std::string_view step, const StoreDialect& dialect) {
  return fmt::format(fmt::runtime(step),
                     fmt::arg("text", dialect.text_type),
                     fmt::arg("bytes", dialect.bytes_type),
                     fmt::arg("serial", dialect.serial_key));
}

void apply_steps(StoreDb& db, StoreTransaction& transaction, SchemaSteps steps) {
  db.prepare_for_schema(transaction);
  const std::int64_t format = format_of(db, transaction);
  refuse_newer(db, format, steps);
  if (format == 0) {
    transaction.run_script(
        "CREATE TABLE journal_format (format BIGINT NOT NULL);"
        "INSERT INTO journal_format (format) VALUES (0)");
  }
  for (const std::string_view step : steps.subspan(static_cast<std::size_t>(format))) {
    transaction.run_script(in_dialect(step, db.dialect()));
  }
  transaction.query("UPDATE journal_format SET format = $1",
                    {static_cast<std::int64_t>(steps.size())});
}

}  // namespace

SchemaSteps journal_schema() noexcept {
  return kJournalSchema;
}

void bring_up_to_date(StoreDb& db, SchemaSteps steps) {
  std::int64_t format = 0;
  db.transact(StoreDb::Access::read,
              [&](StoreTransaction& transaction) { format = format_of(db, transaction); });
  refuse_newer(db, format, steps);
  if (format < static_cast<std::int64_t>(steps.size())) {
    db.transact(StoreDb::Access::write,
                [&](StoreTransaction& transaction) { apply_steps(db, transaction, steps); });
  }
}

}  // namespace drover::orchestrator::store
