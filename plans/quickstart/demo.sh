#!/usr/bin/env bash
# demo.sh [--bin DIR] [--keep]
#
# Copies this bucket to a temporary folder and goes through the life of three rollouts: the first deployment,
# an upgrade in batches, and an upgrade whose maand-apply is killed half-way and started again.
# --bin DIR  where maand-plan and maand-apply are (else .build/release of this checkout)
# --keep     leave the bucket behind, to look at it
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin="$here/../../.build/release"
keep=false
while [ $# -gt 0 ]; do
    case "$1" in
    --bin)
        bin=${2:?--bin needs a directory}
        shift 2
        ;;
    --keep)
        keep=true
        shift
        ;;
    *)
        sed -n '2,/^set/{s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 64
        ;;
    esac
done
bin=$(cd "$bin" && pwd)
for program in maand-plan maand-apply; do
    if [ ! -x "$bin/$program" ]; then
        echo "There is no $program in $bin: run \`make build\` first, or name the folder with --bin." >&2
        exit 1
    fi
done
export PATH="$bin:$PATH"
unset MAAND_BUCKET

top=$(mktemp -d "${TMPDIR:-/tmp}/maand-demo.XXXXXX")
top=$(cd "$top" && pwd -P)
bucket="$top/bucket"
apply_pid=

# --- stopping everything that the demo started -------------------------------------------------------------------

# Pids of programs that work inside our workers' folders.
pids_on_workers() {
    local link
    for link in /proc/[0-9]*/cwd; do
        case "$(readlink "$link" 2>/dev/null || true)" in
        "$bucket/workers/"*) basename "${link%/cwd}" ;;
        esac
    done
}

# What is on the workers beside the services: targets that still run after a kill.
targets_in_flight() {
    local pid services
    services=" $(cat "$bucket"/workers/*/opt/worker/*/jobs/*/data/server.pid 2>/dev/null | tr '\n' ' ' || true) "
    for pid in $(pids_on_workers); do
        case "$services" in *" $pid "*) ;; *) echo "$pid" ;; esac
    done
}

within() { # within SECONDS COMMAND: true as soon as the command is, false when the time is over
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

none_in_flight() { [ -z "$(targets_in_flight)" ]; }
none_on_workers() { [ -z "$(pids_on_workers)" ]; }

finish() {
    local status=$?
    trap - EXIT INT TERM HUP
    set +e
    [ -n "$apply_pid" ] && kill -9 "$apply_pid" 2>/dev/null
    if [ -d "$bucket/workers" ]; then
        # A target that a dead maand-apply left behind may be about to start a server.
        within 30 none_in_flight
        for file in "$bucket"/workers/*/opt/worker/*/jobs/*/data/server.pid; do
            [ -s "$file" ] && kill "$(cat "$file")" 2>/dev/null
        done
        if ! within 10 none_on_workers; then
            echo "demo: these processes still run below $bucket: $(pids_on_workers | tr '\n' ' ')" >&2
            [ $status -eq 0 ] && status=1
            keep=true
        fi
    fi
    if $keep; then
        echo "The bucket is still there: $bucket"
    else
        rm -rf "$top"
    fi
    if [ $status -eq 0 ]; then
        echo "Every service is stopped. The demo took $SECONDS seconds."
    else
        echo "The demo failed (exit $status); its services are stopped." >&2
    fi
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- telling what happens --------------------------------------------------------------------------------------------

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold= plain=; fi
heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '\n%s\n' "$*" | fold -s -w 100; }
run() { # shows a command, then runs it
    printf '\n%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@"
}
fail() {
    echo "demo: $*" >&2
    exit 1
}

fetch() { # fetch PORT PATH: what each worker answers
    python3 - "$@" <<'PYTHON'
import http.client
import sys

for worker in ("127.0.3.1", "127.0.3.2", "127.0.3.3"):
    try:
        connection = http.client.HTTPConnection(worker, int(sys.argv[1]), timeout=5)
        connection.request("GET", sys.argv[2])
        answer = connection.getresponse().read().decode().strip()
    except OSError as error:
        answer = f"no answer: {error.strerror}"
    print(f"http://{worker}:{sys.argv[1]}{sys.argv[2]}  ->  {answer}")
PYTHON
}

expect_everywhere() { # expect_everywhere PORT PATH ANSWER
    printf '\n'
    fetch "$1" "$2" | tee "$top/answers"
    [ "$(grep -cF -- "->  $3" "$top/answers")" -eq 3 ] || fail "expected '$3' from all three workers"
}

log_of() { echo "$bucket"/workers/"$1"/opt/worker/*/jobs/"$2"/data/lifecycle.log; }

restarts() { # restarts FROM TO: on how many workers the shop's restart between these versions has ended
    cat "$bucket"/workers/*/opt/worker/*/jobs/shop/data/lifecycle.log | grep -c "^restart $1 $2 " || true
}

edit() { # edit FILE OLD NEW
    printf "\n%s$ sed -i 's/%s/%s/' %s%s\n" "$bold" "$2" "$3" "$1" "$plain"
    sed -i "s/$2/$3/" "$1"
    grep -qF -- "$3" "$1" || fail "$1 has no '$3' after the edit"
}

# --- the demo --------------------------------------------------------------------------------------------------------

heading "1. The first deployment"
say "A bucket says which workers there are and which jobs run on them. This one has three workers (folders of this" \
    "machine that stand for hosts) and two jobs: \"stock\", and \"shop\", which demands stock >= 1.0.0."
cp -R "$here" "$bucket"
rm -f "$bucket"/demo.sh "$bucket"/*.plan.yaml
cd "$bucket"
run ls . workspace workspace/jobs/*

say "maand-plan compares the workspace with what is known of the workers, and writes down what would be done."
run maand-plan deploy -o first.plan.yaml
run maand-plan show first.plan.yaml
if [ -f "$here/first-deploy.plan.yaml" ]; then
    say "The same inputs always give the same bytes: here is the plan that was committed with the quickstart."
    run cmp first.plan.yaml "$here/first-deploy.plan.yaml" || fail "the plan is not the committed one"
    echo "identical"
fi
say "maand-apply does exactly that file: stock first, its health gate, then the shop that demands it."
run maand-apply first.plan.yaml
expect_everywhere 7842 / "Welcome: 12 apples, 7 pears"
expect_everywhere 7842 /version "1.0.0"

heading "2. An upgrade in batches"
say "New items for the stock, and a new version of the shop. The stock's manifest says restart_policy \"reload\": no" \
    "restart is needed for items.json. The shop is restarted, one worker at a time, with a gate after each."
edit workspace/jobs/stock/items.json "12" "30"
edit workspace/jobs/shop/shop.json "Welcome" "Good morning"
edit workspace/jobs/shop/manifest.json '"version": "1.0.0"' '"version": "1.1.0"'
run maand-plan deploy -o second.plan.yaml
run maand-plan show second.plan.yaml
run maand-apply second.plan.yaml
expect_everywhere 7842 / "Good morning: 30 apples, 7 pears"
expect_everywhere 7842 /version "1.1.0"
say "Applying a plan that is done does nothing."
run maand-apply second.plan.yaml

heading "3. kill -9 in the middle, and the same command again"
edit workspace/jobs/shop/shop.json "Good morning" "Good evening"
edit workspace/jobs/shop/manifest.json '"version": "1.1.0"' '"version": "1.2.0"'
run maand-plan deploy -o third.plan.yaml
say "This time maand-apply is killed as soon as the first worker has been restarted."
printf '\n%s$ maand-apply third.plan.yaml &%s\n' "$bold" "$plain"
maand-apply third.plan.yaml >"$top/killed.txt" 2>&1 &
apply_pid=$!
one_restarted() { [ "$(restarts 1.1.0 1.2.0)" -ge 1 ]; }
within 60 one_restarted || {
    cat "$top/killed.txt"
    fail "no worker was restarted within 60 seconds"
}
printf '%s$ kill -9 %%1%s\n' "$bold" "$plain"
kill -9 "$apply_pid" 2>/dev/null || fail "maand-apply had ended before it could be killed"
wait "$apply_pid" 2>/dev/null || true
apply_pid=
cat "$top/killed.txt"
say "Workers now run different versions of the shop:"
fetch 7842 /version
run maand-apply status || true
say "Nobody has to find out by hand what has run: the same command goes on at the right step."
run maand-apply third.plan.yaml
expect_everywhere 7842 / "Good evening: 30 apples, 7 pears"
expect_everywhere 7842 /version "1.2.0"

say "Each worker's own log: every target ran exactly once, also the one that was under way at the kill."
for worker in 127.0.3.1 127.0.3.2 127.0.3.3; do
    printf '\n%s\n' "$worker"
    awk '{printf "  shop   %-8s %s -> %s\n", $1, $2, $3}' "$(log_of "$worker" shop)"
    [ "$(grep -c '^restart 1.1.0 1.2.0 ' "$(log_of "$worker" shop)")" -eq 1 ] || fail "$worker was not restarted once"
done
run maand-plan catalog allocations
say "And nothing is left to do:"
run maand-plan deploy --detailed-exitcode -o fourth.plan.yaml || fail "the last plan still has something to do"
printf '\n'
