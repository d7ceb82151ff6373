#!/bin/sh
# ./dev demo: a fleet of 200 throw-away tenants, from nothing to a mended failure.
#   demo.sh DROVER [--postgres]
# Everything lives in demo/, which is made anew each time.
set -eu
drover=$1
shift
kind=sqlite
[ "${1:-}" = --postgres ] && kind=postgres

here=$(pwd)
rm -rf demo
mkdir -p demo/tenants
cp -r migrations demo/migrations

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
  printf '\n$ drover'
  printf ' %s' "$@"
  printf '\n'
  status=0
  "$drover" "$@" || status=$?
  [ $status = 0 ] || printf '(exit status %s)\n' $status
}

# One tenant's database, asked without Drover: ask TENANT SQL
ask() {
  if [ $kind = postgres ]; then psql -q -X -d "$1" -c "$2"
  else sqlite3 "tenants/$1.db" "$2"; fi
}

cd demo
if [ $kind = postgres ]; then
  . "$here/config/throwaway-postgres.sh"
  throwaway_start "$here/demo"  # sets PGHOST, PGPORT, PGUSER; ended by the trap below
  trap throwaway_stop EXIT INT TERM
  say "Two hundred databases on a throw-away PostgreSQL"
  i=1
  while [ $i -le 200 ]; do
    printf 'CREATE DATABASE tenant_%03d;\n' $i
    i=$((i + 1))
  done | psql -q -X -d postgres
  cat >drover.yaml <<YAML
migrations: migrations
store: runs.db
environments:
  demo:
    tenants:
      - databases: {server: "host=$PGHOST port=$PGPORT user=$PGUSER dbname=postgres", match: "tenant_*"}
YAML
else
  say "Two hundred SQLite files"
  i=1
  while [ $i -le 200 ]; do
    echo "tenants/$(printf 'tenant_%03d' $i).db"
    i=$((i + 1))
  done | xargs -n 1 sh -c 'sqlite3 "$0" VACUUM'  # an empty database each
  cat >drover.yaml <<'YAML'
migrations: migrations
store: runs.db
environments:
  demo:
    tenants:
      - sqlite: tenants/*.db
YAML
fi

say "1. Who is in the fleet, and are the migrations sound?"
run tenants --limit 3
run validate

say "2. The first three revisions, everywhere"
run upgrade 0003 --yes
ask tenant_042 "
  INSERT INTO tenants (id, code, name) VALUES (1, 'acme', 'Acme');
  INSERT INTO files (id, tenant_id, tenant_code, original_filename, file_path, file_size)
  WITH RECURSIVE i (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 20000)
  SELECT n, 1, 'acme', 'scan.pdf', '/acme/' || n, n FROM i;
  INSERT INTO extraction_results (file_id, tenant_id, extraction_type, status)
  SELECT id, 1, 'text', CASE id % 5 WHEN 0 THEN 'failed' ELSE 'completed' END FROM files;"
echo "(tenant_042: 20,000 files)"

say "3. One tenant has something in the way that its history does not know"
block="CREATE TABLE plans (oops integer)"
ask tenant_117 "$block"
echo "(tenant_117: $block)"

say "4. Up to a change of all files in batches: it fails there, and only there"
run upgrade 0021 --yes

say "5. Where does it stand now?"
run status --tenant tenant_117 --tenant tenant_118

say "6. Mend it, and run the same command again"
ask tenant_117 "DROP TABLE plans"
run upgrade 0021 --yes
run batches list --all --tenant tenant_042

say "7. A batch that no run waits for"
run upgrade 0022 --yes
run batches list --tenant tenant_042
run batches run
run upgrade --yes

say "8. The final report"
run status
run runs
