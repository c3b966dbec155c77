#!/bin/sh
# apply.sh CHECKOUT BUCKET PLAN [FLAG...]
#
# Applies the plan that was reviewed, on the host that applies: brings BUCKET's workspace to the merged CHECKOUT, makes sure
# that it still gives this plan, and runs it. Run again it continues. Approvals are committed as
# CHECKOUT/approvals/<plan id>/NAME.sig. Further arguments go to `maand-apply`, such as --wait.
#
# The exit code is that of maand-apply, or of `maand-plan verify` (3) where something else was rolled out since the plan was
# made. BUCKET/catalog.yaml is what the next branch plans against.
set -eu

usage='apply.sh CHECKOUT BUCKET PLAN [FLAG...]'
checkout=${1:?$usage}
bucket=${2:?$usage}
plan=${3:?$usage}
shift 3
id=$(sha256sum < "$plan" | cut -d ' ' -f 1)
kept=$bucket/plans/$id.plan.yaml

if ! cmp -s "$plan" "$kept"; then
    # A new one. What is on its way goes on with its own files, whatever the workspace is.
    rm -rf "$bucket/workspace.new" "$bucket/workspace.old"
    cp -R "$checkout/workspace" "$bucket/workspace.new"
    if [ -e "$bucket/workspace" ]; then mv "$bucket/workspace" "$bucket/workspace.old"; fi
    mv "$bucket/workspace.new" "$bucket/workspace"
    rm -rf "$bucket/workspace.old"
    maand-plan verify "$plan" --bucket "$bucket"
    # Planning here keeps the contents, so that the plan can run when the workspace has moved on.
    maand-plan deploy --bucket "$bucket" > "$bucket/plan.new"
    rm "$bucket/plan.new"
    mkdir -p "$bucket/plans"
    cp "$plan" "$kept.new"
    mv "$kept.new" "$kept"
fi
if [ -d "$checkout/approvals/$id" ]; then
    mkdir -p "$kept.sig.d"
    cp "$checkout/approvals/$id/"*.sig "$kept.sig.d/"
fi

code=0
maand-apply "$kept" --bucket "$bucket" "$@" || code=$?
maand-plan catalog export --bucket "$bucket" > "$bucket/catalog.yaml.new"
mv "$bucket/catalog.yaml.new" "$bucket/catalog.yaml"
if [ "$code" -eq 75 ]; then
    echo "Parked. The same job goes on later, or a timer: maand-plan schedule $kept --bucket $bucket"
fi
exit "$code"
