#!/bin/sh
# stage_end, after deploy.sh: is out there what should be?
set -eu

if ! cmp -s release "deployed/$DROVER_STAGE"; then
  echo "ring $DROVER_STAGE does not run the release" >&2
  exit 1
fi
# Also: can every tenant be read, and does its history agree with the files?
drover status -e "$DROVER_ENVIRONMENT" >&2
