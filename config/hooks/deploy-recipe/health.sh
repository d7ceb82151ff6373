#!/bin/sh
# stage_end, after verify.sh: does the ring serve? Ask yours, for example with
#   curl --fail --silent --show-error --max-time 10 "http://$DROVER_STAGE.internal/health"
set -eu

if grep -q '^broken' "deployed/$DROVER_STAGE"; then
  echo "ring $DROVER_STAGE does not answer" >&2
  exit 1
fi
