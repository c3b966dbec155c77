#!/bin/sh
# plan.sh BUCKET OUT [CATALOG] [FLAG...]
#
# Plans the rollout of a branch, away from the hosts, and writes into the folder OUT:
#   rollout.plan.yaml   the plan
#   rollout.md          what reviewers read, for a comment; no longer than a comment may be
#   changes             true or false
# BUCKET is the checkout; CATALOG says what runs on the hosts (`maand-plan catalog export`), and may be missing before
# the first rollout. Further arguments go to `maand-plan deploy`, such as --window and --start-before.
set -eu

bucket=${1:?plan.sh BUCKET OUT [CATALOG] [FLAG...]}
out=${2:?plan.sh BUCKET OUT [CATALOG] [FLAG...]}
catalog=${3:-}
shift $(($# < 3 ? $# : 3))
mkdir -p "$out"
if [ -n "$catalog" ] && [ -s "$catalog" ]; then set -- --catalog "$catalog" "$@"; fi

code=0
maand-plan deploy --bucket "$bucket" --overwrite --detailed-exitcode -o "$out/rollout.plan.yaml" "$@" || code=$?
case $code in
0) echo false > "$out/changes" ;;
2) echo true > "$out/changes" ;;
*) exit "$code" ;;
esac
maand-plan show "$out/rollout.plan.yaml" --bucket "$bucket" --format markdown > "$out/rollout.md"
