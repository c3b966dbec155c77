#!/bin/sh
# apply.sh CHECKOUT BUCKET PLAN [FLAG...]
#
# Applies the plan that was reviewed, on the host that applies: makes sure that the merged CHECKOUT's workspace still gives
# this plan in BUCKET, brings BUCKET's workspace to it, and runs the plan. Run again it continues. Approvals are committed as
# CHECKOUT/approvals/<plan id>/NAME.sig. Further arguments go to `maand-apply`, such as --wait.
#
# The exit code is that of maand-apply, or of `maand-plan verify` (3) where something else was rolled out since the plan was
# made; then BUCKET's workspace is the old one. BUCKET/catalog.yaml is what the next branch plans against.
set -eu

usage='apply.sh CHECKOUT BUCKET PLAN [FLAG...]'
checkout=${1:?$usage}
bucket=${2:?$usage}
plan=${3:?$usage}
shift 3
id=$(sha256sum < "$plan" | cut -d ' ' -f 1)
kept=$bucket/plans/$id.plan.yaml

# Puts the workspace back that was swapped for a plan which turned out to be stale. Where that was killed, the next job does it.
restore() {
    if [ -e "$bucket/workspace.old" ]; then
        rm -rf "$bucket/workspace"
        mv "$bucket/workspace.old" "$bucket/workspace"
    fi
}

restore
if ! cmp -s "$plan" "$kept"; then
    # A new one. What is on its way goes on with its own files, whatever the workspace is.
    rm -rf "$bucket/workspace.new" "$bucket/workspace.gone"
    cp -R "$checkout/workspace" "$bucket/workspace.new"
    # The bucket may have none before the first rollout.
    mkdir -p "$bucket/workspace"
    trap restore EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mv "$bucket/workspace" "$bucket/workspace.old"
    mv "$bucket/workspace.new" "$bucket/workspace"
    maand-plan verify "$plan" --bucket "$bucket"
    # Planning here keeps the contents, so that the plan can run when the workspace has moved on.
    maand-plan deploy --bucket "$bucket" > "$bucket/plan.new"
    rm "$bucket/plan.new"
    # From here on the merged workspace is the bucket's.
    mv "$bucket/workspace.old" "$bucket/workspace.gone"
    trap - EXIT INT TERM HUP
    rm -rf "$bucket/workspace.gone"
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
