-- The four roles that a fleet on PostgreSQL needs, none of them a superuser. Run it once in each
-- tenant database, as its owner or a superuser, with the tables' owner and schema named:
--
--   psql -v owner=app -v schema=public -f roles.sql -d tenant_1
--
-- Give a login to each by GRANT, for example: CREATE ROLE alice LOGIN IN ROLE drover_planner;
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

-- The migrator does what the owner may do, so that objects belong to the owner and not to a person.
GRANT :"owner" TO drover_migrator;
-- It shows who stands in its way, with names.
GRANT pg_read_all_stats TO drover_migrator;

GRANT pg_read_all_data TO drover_backup;

GRANT USAGE ON SCHEMA :"schema" TO drover_planner, drover_auditor;
-- The history tables are made by the migrator (as the owner) at a tenant's first change; whatever it
-- makes in this schema from now on with a name of Drover's can be read by planner and auditor.
SELECT format('GRANT SELECT ON %I.%I TO drover_planner, drover_auditor', schemaname, tablename)
  FROM pg_tables WHERE schemaname = :'schema' AND tablename LIKE 'drover\_%'
\gexec
