#!/bin/sh
# before_tenant: copies the tenant to backups/RUN/. A second attempt keeps the copy of the first,
# which is the one from before the run. A hook is given no password and no role: those of PostgreSQL
# come from ~/.pgpass and the operating system's user, or from PGUSER, set here.
set -eu

# A tenant's id is data: it may hold slashes and blanks. The sum tells apart what looks alike.
name=$(printf %s "$DROVER_TENANT" | tr -c 'A-Za-z0-9_.-' '_')
sum=$(printf %s "$DROVER_TENANT" | cksum | cut -d ' ' -f 1)
folder="backups/$DROVER_RUN"
copy="$folder/t.$name.$sum"
if [ -e "$copy" ]; then
  exit 0
fi
mkdir -p "$folder"

if [ -n "${DROVER_FILE:-}" ]; then
  sqlite3 -readonly "$DROVER_FILE" ".backup '$copy.part'"
else
  PGHOST=${DROVER_SERVER%:*} PGPORT=${DROVER_SERVER##*:} PGDATABASE=$DROVER_DATABASE \
    pg_dump --format=custom --no-password --file="$copy.part" --schema="\"$DROVER_SCHEMA\""
fi
mv "$copy.part" "$copy"
