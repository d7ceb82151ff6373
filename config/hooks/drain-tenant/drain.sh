#!/bin/sh
# before_tenant: takes the tenant out of service, and waits until nobody works in it any more.
# Here the application looks for the file drained/TENANT; yours may have an API for it, or a load
# balancer: `echo "set server app/$DROVER_TENANT state drain" | socat stdio /run/haproxy.sock`.
set -eu

name=$(printf %s "$DROVER_TENANT" | tr -c 'A-Za-z0-9_.-' '_')
mkdir -p drained
echo "$DROVER_RUN" >"drained/$name"

# The application writes its work under way into busy/TENANT. The hook's deadline ends the wait.
while [ -e "busy/$name" ]; do
  sleep 1
done
