# Sourced by demo.sh and the benchmarks: a PostgreSQL cluster that lives in a folder and ends with us.
#   throwaway_start FOLDER [POSTGRES OPTIONS...]   sets PGHOST, PGPORT, PGUSER
#   throwaway_stop
# It listens on a socket in a temporary folder, and on 127.0.0.1 where THROWAWAY_TCP_PORT is set.

throwaway_bin() {
  for bin in ${PG_BINDIR:-} /usr/lib/postgresql/*/bin; do
    [ -x "$bin/initdb" ] && newest=$bin
  done
  echo "${newest:?no PostgreSQL server is installed; run ./dev setup}"
}

# A server refuses to run as root, so root runs it as the account of the package. Words to put in
# front of a command: a function would run it as a child of a subshell, whose pid is not the server's.
throwaway_account() {
  if [ "$(id -u)" = 0 ]; then
    echo "setpriv --reuid=postgres --regid=postgres --init-groups"
  fi
}

throwaway_start() {
  throwaway_folder=$(mktemp -d "${TMPDIR:-/tmp}/drover-pg-XXXXXX")
  throwaway_bin=$(throwaway_bin)
  shift
  [ "$(id -u)" = 0 ] && chown postgres "$throwaway_folder"
  # shellcheck disable=SC2046 # several words, or none
  $(throwaway_account) "$throwaway_bin/initdb" -U postgres -A trust -N -E UTF8 --locale=C \
    -D "$throwaway_folder/data" >"$throwaway_folder/initdb.log" 2>&1 ||
    { cat "$throwaway_folder/initdb.log" >&2; return 1; }
  PGHOST=$throwaway_folder PGPORT=${THROWAWAY_TCP_PORT:-5432} PGUSER=postgres
  export PGHOST PGPORT PGUSER
  $(throwaway_account) "$throwaway_bin/postgres" -D "$throwaway_folder/data" -p "$PGPORT" \
    -c "listen_addresses=${THROWAWAY_TCP_PORT:+127.0.0.1}" \
    -c "unix_socket_directories=$throwaway_folder" -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c autovacuum=off -c max_connections=200 -c shared_buffers=64MB \
    -c max_wal_size=4GB "$@" >"$throwaway_folder/log" 2>&1 &
  throwaway_pid=$!
  tries=0
  until "$throwaway_bin/pg_isready" -q; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { cat "$throwaway_folder/log" >&2; return 1; }
    sleep 0.05
  done
}

throwaway_stop() {
  kill -INT "$throwaway_pid" 2>/dev/null || true
  wait "$throwaway_pid" 2>/dev/null || true
  rm -rf "$throwaway_folder"
}
