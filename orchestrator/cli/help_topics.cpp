#include "orchestrator/cli/help_topics.h"

#include <array>

namespace drover::orchestrator::cli {
namespace {

constexpr std::string_view kExitCodes = R"(Exit codes

   0  done, or nothing to do
   2  usage, configuration, or a migration file that does not parse
   3  finished with failed, skipped or unreadable tenants
   4  halted: budget, gate or operator
   5  every tenant's lock, or the run's lease, is held by somebody else
   6  nothing could be reached
   7  files and history differ: edited, diverged, unknown revision; or a backup is damaged
   8  waiting for an approval, or paused: by a person, a gate, or backups that keep failing
  10  changes are pending (only with --detailed-exitcode)
  70  a bug in Drover
  74  our own input or output failed: the run store, a full disk
 130  interrupted (SIGINT) after draining; 143 for SIGTERM

Where several apply: 70, 74, 130/143, 2, 4, 7, 8, 3; 5 or 6 only when every tenant had that
cause; then 10, then 0.
)";

constexpr std::string_view kReferences = R"(References to revisions

  0007            an id, or the first characters of one (at least 3)
  head, heads     the only head; all of them
  base            before the first revision
  current         where the tenant is
  +2, -1          two further, one back; from where the tenant is
  0007+1, 0007-2  from a revision
  LABEL, LABEL@head, LABEL@base, LABEL@+1
                  on the branch that a label, or a revision, names
  a:b             a range, for history and --sql
)";

constexpr std::string_view kEnvironment = R"(Environment variables

  DROVER_SECTION_KEY   overrides a setting: DROVER_LIMITS_IN_FLIGHT=32, DROVER_STORE=runs.db,
                       DROVER_MIGRATIONS=db, DROVER_TIMEOUTS_LOCK=500ms. Flags beat variables,
                       variables beat the file.
  DATABASE_URL         the only target, where there is neither drover.yaml nor -e
  NO_COLOR             no colour
  PGPASSWORD, PGPASSFILE, PGSERVICEFILE, PGSSLROOTCERT ...
                       as in every PostgreSQL client
)";

constexpr std::string_view kSelectorTopic = R"(Selectors

  --tenant acme,globex          these tenants
  -l tier=free,region!=eu       labels: key=value, key!=value, key (has it), !key (has it not);
                                every term must hold
  --server db1:5432             tenants of these servers
  --status behind,failed        tenants in these states, asked before anything else
  --limit 10                    the first ten of what is left

How many tenants are meant is shown before anything happens. None at all is an error.
)";

constexpr std::string_view kOutput = R"(Output for programs

  -o json, yaml   one object; it begins with format, environment, started, finished
  -o ndjson       the same without its rows on the first line, then one row a line
  -o csv          the rows, with a header; lists are joined by commas

New keys may come, none changes. Times are RFC 3339 in UTC. Words that a key may have:

  state of a tenant    unreachable, held, partial, edited, unknown_revision, diverged, ahead,
                       behind, empty, current
  outcome of a tenant  applied, current, failed, partial, in_doubt, not_started, skipped, held,
                       unreachable, vanished
  outcome of a run     done, nothing_to_do, incomplete, halted, interrupted
  outcome of lock release
                       freed, taken, not_needed
  code of an error     usage, incomplete, halted, busy, unreachable, verification, waiting,
                       pending, internal, storage
)";

constexpr std::string_view kMigrations = R"(Migration files

  migrations/0004_add_content_hash.sql

  -- drover: revision 0004
  -- drover: parents 0003
  -- drover: message Store a hash of every file

  -- drover: up
  ALTER TABLE files ADD COLUMN content_sha256 text;

  -- drover: up postgres no-transaction
  CREATE INDEX CONCURRENTLY files_content_sha256 ON files (content_sha256);

  -- drover: verify
  SELECT count(*) = 0 FROM files WHERE length(content_sha256) <> 64;

  -- drover: down
  ALTER TABLE files DROP COLUMN content_sha256;

Header      revision, parents (none for a first one), message, labels, depends, irreversible,
            requires-fleet, set lock_timeout|statement_timeout|role|search_path|foreign_keys=VALUE
Sections    up, down [postgres|sqlite] [no-transaction]; verify; batch key=value ...
drover create writes one, drover validate checks all.
)";

constexpr std::string_view kHooks = R"(Hooks: programs that a run calls

  hooks:                        # of an environment; those of an event are called in their order
    - {on: before_tenant, command: [./drain.sh], deadline: 60s, on_error: fail, stages: [canary]}

  run_start      before anything; a failure ends the run (4)         fail
  stage_start    before its first tenant; a failure halts            fail
  before_tenant  a failure leaves the tenant alone: failed (hook)    fail
  after_tenant   whatever came of it; a failure makes it failed      fail
  stage_end      when its gate has passed; a failure halts           fail
  failure        a tenant has ended badly; beside the run            warn
  halt           the run stops early, or is paused; beside the run   warn
  run_end        the last of all                                     warn

The last column is on_error where nobody says it: fail, or warn, which is only told. The last three
with fail: the exit status is 3 at least.

The facts are in DROVER_EVENT, RUN, ENVIRONMENT, VERB, RESUMED, STAGE, TENANT, SERVER, DATABASE,
SCHEMA or FILE, ATTEMPT, LABEL_x, OUTCOME, REASON, MESSAGE, FROM, TO, EXIT_STATUS and COUNT_x, each
with DROVER_ before it, and as JSON on standard input. There is no shell, and nothing else of the
environment but PATH, HOME, USER, LOGNAME, LANG, LC_ALL, TZ and TMPDIR. drover runs RUN -v shows
what hooks wrote, 64 KiB of each call.
)";

constexpr std::string_view kBackups = R"(Backups before change, and the way back

  backup: {policy: required, directory: backups}   # of an environment; a stage may have its own
                                                   # policy and max_age
  policy     required     a tenant without a proven backup is not changed
             best_effort  it is changed all the same, and named in drover runs RUN
             none         no backup is made
  provider   pg_dump; command; template_copy (maintenance: true, tenants with a database of their
             own); SQLite files are copied by SQLite itself, unless by a command
  max_age    a backup so young, of the same revision, serves again; default: a new one each run
  keep       {count: 7, age: 14d}: what drover backups prune leaves
  on_partial of a stage, for a tenant stuck half-way: stop (people look), downgrade, restore

A tenant whose backup fails stays as it is (failed, backup). Three in a row of one server pause the
run (8), unless its failure budget halts it first (4): mend the cause, then drover resume.

Which way back, after a run that should not have been:

  drover rollback RUN           by the migrations' down sections; keeps what users wrote since
  drover restore --run RUN      to what was before the run; loses what users wrote since
  drover restore --tenant T     one tenant, from its newest backup
  drover restore --drill        try it first where it harms nobody

What a restore replaced is kept: database or schema NAME_before_..., or a backup marked aside.
drover runs RUN names it. Drop the database or schema yourself when nobody misses it.
)";

constexpr std::string_view kBatches = R"(Batches: large tables in many short transactions

  -- drover: batch table=files rows=1000..20000 check=count
  -- drover: done name_key IS NOT DISTINCT FROM lower(name)
  UPDATE files SET name_key = lower(name) WHERE {range};

{range} becomes the condition on the key. The cursor moves in the transaction of its rows: whatever
is killed, each row is done once. What stands below in the file waits for the batch and its check.

  table      required                   key        columns, unique, not NULL: the primary key
  scan       heap: as it lies on disk (PostgreSQL 14, with done); for random keys
  target     500ms a transaction        rows       50..50000 a transaction
  wal        16MB a transaction         workers    1 (PostgreSQL)
  order      asc; desc                  vacuum     20% dead rows: VACUUM on the way
  sync_commit  off; on                  on_poison  stop; park: pass bad rows, which are listed
  check      count: of rows that are not done, where done is given; checksum: what the UPDATE
             assigns is computed again and compared; none
  mode       wait; background: a run that goes no further does not wait, drover batches run works
             it off, and what descends from the revision is refused until then
  trigger    none; sync: rows that others write meanwhile are done by a trigger (with done), under
             the rights of who writes

  -- drover: done EXPR         true for a row that needs nothing more
  -- drover: where EXPR        which rows are meant
  -- drover: throttle SELECT   asked of the tenant; true: wait

batches: in drover.yaml says when all batches of a server wait. Every wait has a name:

  paused  rest  window  flag  query  unobservable  replica_lag  slot_retention  blocked_sessions
  active_backends  commit_latency  wal_budget  autovacuum  dead_rows  lock

  drover batches list                  how far they are, how fast, what they wait for
  drover batches pause --tenant acme   until drover batches resume; outlives every process
  drover batches set --rows 2000 --workers 2 --wal 5MiB --rest 50
  drover batches run                   work off those with mode=background

A run that is stopped leaves its batches where they are; drover resume goes on there. A revision
whose batch is not done is partial: hotfixes on other branches pass.
)";

constexpr std::array kTopics = {HelpTopic{"exit-codes", kExitCodes},
                                HelpTopic{"references", kReferences},
                                HelpTopic{"environment", kEnvironment},
                                HelpTopic{"selectors", kSelectorTopic},
                                HelpTopic{"migrations", kMigrations},
                                HelpTopic{"hooks", kHooks},
                                HelpTopic{"backups", kBackups},
                                HelpTopic{"batches", kBatches},
                                HelpTopic{"output", kOutput}};

}  // namespace

std::span<const HelpTopic> help_topics() {
  return kTopics;
}

}  // namespace drover::orchestrator::cli
