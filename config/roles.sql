-- The four roles that a fleet on PostgreSQL needs, none of them a superuser. Run it in each tenant
-- database as a superuser, with the tables' owner and schema named:
--
--   psql -v owner=app -v schema=public -f roles.sql -d tenant_1
--
-- Run it before the first change, for the migrator, and once more after it, for planner and auditor:
-- they may read the history tables, which appear at a tenant's first change. Any number of times
-- does no harm.
--
-- Give a login to each, for example:
--
--   CREATE ROLE alice LOGIN IN ROLE drover_planner;
--   CREATE ROLE robot LOGIN IN ROLE drover_migrator;
--   ALTER ROLE robot SET role = app;    -- what it makes belongs to the owner, not to the robot
--
-- A run's backups are made by the robot: the owner may read all that pg_dump wants. Restores, drills
-- and on_partial: restore make databases, rename them and end their sessions. The owner needs:
--
--   ALTER ROLE app CREATEDB;
--   GRANT pg_signal_backend TO app;     -- not for drills
--
--   drover_planner    reads histories: status, plan, ready
--   drover_migrator   becomes the owner and changes the schema: upgrade, downgrade
--   drover_backup     reads all rows: pg_dump
--   drover_auditor    reads histories and catalogues: nightly status, never rows

\set ON_ERROR_STOP on

SELECT format('CREATE ROLE %I NOLOGIN', wanted)
  FROM unnest(ARRAY['drover_planner', 'drover_migrator', 'drover_backup', 'drover_auditor']) AS wanted
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec

-- The migrator may do what the owner may do.
GRANT :"owner" TO drover_migrator;
-- It shows who stands in its way, with names.
GRANT pg_read_all_stats TO drover_migrator;

GRANT pg_read_all_data TO drover_backup;

GRANT USAGE ON SCHEMA :"schema" TO drover_planner, drover_auditor;
-- The history tables that are there by now, and no other table.
SELECT format('GRANT SELECT ON %I.%I TO drover_planner, drover_auditor', schemaname, tablename)
  FROM pg_tables WHERE schemaname = :'schema' AND tablename LIKE 'drover\_%'
\gexec
