#!/bin/sh
# stage_end: the tenants of the ring are migrated, so the application of the ring may follow.
# Put what deploys yours here: `kubectl set image ...`, `helm upgrade ...`, an API of your own.
set -eu

mkdir -p deployed
cp release "deployed/$DROVER_STAGE.part"
mv "deployed/$DROVER_STAGE.part" "deployed/$DROVER_STAGE"
