#!/bin/sh
# after_tenant: gives the tenant back, unless it is between two revisions: then neither the old nor
# the new application can work with it, and the next run gives it back.
set -eu

case $DROVER_OUTCOME in
  partial | in_doubt)
    echo "$DROVER_TENANT stays drained: $DROVER_OUTCOME, $DROVER_MESSAGE"
    exit 0
    ;;
esac
name=$(printf %s "$DROVER_TENANT" | tr -c 'A-Za-z0-9_.-' '_')
rm -f "drained/$name"
