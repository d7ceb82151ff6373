#!/bin/sh
# Runs every benchmark of bench/README.md. Quiet machine, release build.
#   bench/run.sh [DATABASES] [SCHEMAS] [FILES] [TENANTS]
set -eu
# In memory where that is to be had: a slow disk is not what is measured.
if [ -z "${TMPDIR:-}" ] && [ -w /dev/shm ]; then export TMPDIR=/dev/shm; fi
cd "$(dirname "$0")/.."
bin=$PWD/build/release
"$bin/bench/bench_floor_files" "$(mktemp -d)/files"
"$bin/bench/bench_plan"
"$bin/bench/bench_fleet_bench" "$bin/orchestrator/cli/drover" "$bin/bench/bench_floor_postgres" \
  "$bin/bench/bench_floor_sqlite" "${1:-400}" "${2:-1000}" "${3:-1000}" "${4:-10000}"
"$bin/bench/bench_backup" "$bin/orchestrator/cli/drover"
"$bin/bench/bench_batch" "$bin/orchestrator/cli/drover"
