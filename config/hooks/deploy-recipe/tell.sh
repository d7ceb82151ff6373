#!/bin/sh
# failure, halt, run_end: one line for people. Put your messenger here.
set -eu

case $DROVER_EVENT in
  failure) what="tenant $DROVER_TENANT: $DROVER_OUTCOME" ;;
  halt) what="run stopped: $DROVER_REASON" ;;
  *) what="run ended with status $DROVER_EXIT_STATUS, $DROVER_COUNT_APPLIED applied" ;;
esac
echo "$what${DROVER_MESSAGE:+ ($DROVER_MESSAGE)}" >>told.log
