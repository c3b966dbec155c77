#!/usr/bin/env python3
"""rollout.py [--bin DIR] [--workers N] [--jobs N] [--kills N]

A rollout on simulated workers, whose connections break and whose commands fail, killed again and again and resumed:
cost of a step, peak memory, and how long a resume of the whole takes to its first action. Exit 1 where a command ran
twice or never, or a budget is missed.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import planning

# Of 10,000 workers x 4 jobs and one last job on few: MB of memory, seconds to the first action per 100,000 steps.
MEMORY = 500
FIRST_ACTION = 1.0
# Of 100 words to workers are lost, of 10,000 commands fail.
LOSS, FAILURES = 1, 5


def process(programs, bucket, plan, seed, loss, failures, last):
    """(exit status, what it printed, peak MB) of one process."""
    output = bucket / "bench.json"
    pid = os.posix_spawn(
        programs / "rollout-bench",
        ["rollout-bench", *map(str, (bucket, plan, seed, loss, failures, last))], os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
    _, status, usage = os.wait4(pid, 0)
    text = output.read_text()
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -9):
        sys.exit(f"rollout-bench: exit {code}")
    return code, json.loads(text) if text else {}, usage.ru_maxrss / 1000


def plan_bucket(programs, bucket, plan, workers, jobs):
    planning.build(bucket, workers, jobs)
    subprocess.run([programs / "maand-plan", "deploy", "--bucket", bucket, "-o", plan, "--overwrite"], check=True,
                   stderr=subprocess.DEVNULL)


def interrupted(programs, top, workers, jobs, kills):
    """With losses, failures and kills. The names of what was missed."""
    bucket, plan, dice = top / "interrupted", top / "plan.yaml", random.Random(7)
    plan_bucket(programs, bucket, plan, workers, jobs)
    allocations, begun = workers * jobs, time.monotonic()
    killed = failed = 0
    peak = 0.0
    while True:
        # A preflight asks each worker that is needed once; then a process comes some thousand words far, to a failure.
        last = dice.randrange(workers // 10, workers + workers // 3) if killed < kills else 0
        status, told, memory = process(programs, bucket, plan, dice.randrange(1 << 30), LOSS, FAILURES, last)
        peak = max(peak, memory)
        if status == -9:
            killed += 1
        elif told["ended"] == "failed" and failed < 1000:
            failed += 1
        else:
            break
    print(f"{told['steps']} steps on {workers} workers, {LOSS} % of words lost, {killed} kills, {failed} processes that "
          f"ended with failed steps: {time.monotonic() - begun:.1f} s, peak {peak:.0f} MB")
    succeeded = sum(line.endswith(" 0") for line in (bucket / "journal").read_text().splitlines())
    print(f"  {told['ended']}: {allocations} allocations, {succeeded} targets ended well, each at most {told['most']} time "
          f"under its id")
    return [name for name, isMissed in {
        "the end of the interrupted rollout": told["ended"] != "succeeded" or killed < kills,
        "each target once": succeeded != allocations or told["most"] != 1,
        "memory of the interrupted rollout": peak > MEMORY}.items() if isMissed]


def resumed(programs, top, workers, jobs):
    """Without interruption, and killed just before the end. The names of what was missed."""
    whole, bucket, plan = top / "whole", top / "resumed", top / "plan.yaml"
    plan_bucket(programs, whole, plan, workers, jobs)
    shutil.copytree(whole, bucket)
    _, told, memory = process(programs, whole, plan, 1, 0, 0, 0)
    steps = told["steps"]
    print(f"{steps} steps without interruption: {told['seconds']:.1f} s, {told['seconds'] / steps * 1e6:.0f} us a step, "
          f"peak {memory:.0f} MB")
    status, _, _ = process(programs, bucket, plan, 1, 0, 0, told["commands"] - 4)
    if status != -9:
        sys.exit(f"it was to be killed before its end, and ended with {status}")
    _, rest, _ = process(programs, bucket, plan, 1, 0, 0, 0)
    limit = FIRST_ACTION * max(1, steps / 100_000)
    print(f"  killed just before the end and resumed: first action after {rest['first_action']:.2f} s, {rest['ended']}")
    return [name for name, isMissed in {
        "memory": memory > MEMORY, "first action of the resume": rest["first_action"] > limit,
        "the end of the resume": rest["ended"] != "succeeded"}.items() if isMissed]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--workers", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--kills", type=int, default=8)
    options = parser.parse_args()
    programs = pathlib.Path(options.bin).resolve()
    top = pathlib.Path(tempfile.mkdtemp(prefix="maand-bench-"))
    try:
        missed = resumed(programs, top, options.workers, options.jobs)
        missed += interrupted(programs, top, options.workers, options.jobs, options.kills)
    finally:
        shutil.rmtree(top)
    if missed:
        sys.exit("missed: " + ", ".join(missed))


main()
