#!/usr/bin/env python3
"""planning.py [--bin DIR] [--workers N] [--jobs N] [--repeat N]

Time, peak memory and plan size for a fleet of N workers that runs every job: the first deployment, which is "all
changed", and `show` of that plan. Medians; exit 1 when a budget for 10,000 workers x 10 jobs is missed.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

# Of the full size, on 2 cores: seconds, MB of memory, MB of plan file.
BUDGETS = {"plan": (2.0, 400), "show": (2.0, None)}
PLAN_MB = 25


def measure(argv, output):
    """(seconds, peak MB) of one command whose output goes to a file."""
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - begin
    if status:
        sys.exit(f"{' '.join(argv)}: exit {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss / 1000


def build(bucket, workers, jobs):
    (bucket / "workspace" / "jobs").mkdir(parents=True)
    (bucket / "maand.conf").write_text(
        'bucket_id = "0d9a1f52-6f0e-4a58-8f0b-6f7f1d3b2c11"\ntransport = "local"\nworker_root = "/opt/worker"\n')
    rows = [{"host": f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}", "memory": "65536 mb", "cpu": "32000 mhz"}
            for i in range(1, workers + 1)]
    (bucket / "workspace" / "workers.json").write_text(json.dumps(rows, indent=1))
    for number in range(jobs):
        job = bucket / "workspace" / "jobs" / f"job{number:02}"
        job.mkdir()
        manifest = {"version": "1.0.0", "selectors": ["worker"], "max_concurrent_starts": 100}
        (job / "manifest.json").write_text(json.dumps(manifest))
        (job / "Makefile").write_text("start stop restart reload:\n\t@true\n")
        for name in range(5):
            (job / f"file{name}.conf").write_text(f"{number} {name}\n" * 100)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--workers", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    program = os.path.abspath(os.path.join(options.bin, "maand-plan"))

    top = pathlib.Path(tempfile.mkdtemp(prefix="maand-bench-"))
    missed = []
    try:
        build(top / "bucket", options.workers, options.jobs)
        plan = top / "plan.yaml"
        commands = {
            "plan": ([program, "deploy", "--bucket", str(top / "bucket")], plan),
            "show": ([program, "show", str(plan)], top / "show.txt"),
        }
        print(f"{options.workers} workers x {options.jobs} jobs, median of {options.repeat}")
        for name, (argv, output) in commands.items():
            runs = [measure(argv, output) for _ in range(options.repeat)]
            seconds, memory = statistics.median(r[0] for r in runs), max(r[1] for r in runs)
            print(f"  {name:<6} {seconds:7.2f} s {memory:7.0f} MB")
            most_seconds, most_memory = BUDGETS[name]
            if seconds > most_seconds or (most_memory and memory > most_memory):
                missed.append(name)
        size = plan.stat().st_size / 1e6
        print(f"  plan file {size:.1f} MB")
        if size > PLAN_MB:
            missed.append("plan file")
    finally:
        shutil.rmtree(top)
    if missed and options.workers * options.jobs <= 100_000:
        sys.exit("over budget: " + ", ".join(missed))


main()
