#!/usr/bin/env python3
"""planning.py [--bin DIR] [--workers N...] [--jobs N] [--repeat N]

Time, peak memory and plan size for fleets of N workers that run every job: the first deployment, which is "all changed",
`show` of that plan, and planning again when all of it is deployed and nothing changed. Medians. Exit 1 where a budget of
10,000 workers x 10 jobs is missed, or where ten times the workers take more than twelve times the time.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

BUCKET = "bench-bucket"
# Of the full size, on 2 cores: seconds, MB of memory, MB of plan file.
BUDGETS = {"plan": (2.0, 400), "show": (2.0, None), "unchanged": (1.0, None)}
PLAN_MB = 25
FULL = 100_000
GROWTH = 12
# Below this many seconds starting the program counts more than the work.
NOISE = 0.05


def measure(argv, output):
    """(seconds, peak MB) of one command whose output goes to a file."""
    begin = time.monotonic()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - begin
    if status:
        sys.exit(f"{' '.join(argv)}: exit {os.waitstatus_to_exitcode(status)}")
    return seconds, usage.ru_maxrss / 1000


def build(bucket, workers, jobs):
    (bucket / "workspace" / "jobs").mkdir(parents=True)
    (bucket / "maand.conf").write_text(
        f'bucket_id = "{BUCKET}"\ntransport = "local"\nworker_root = "/opt/worker"\n')
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


def deploy(bucket, plan, programs):
    """Brings the catalog to where everything of the plan is promoted, without running 100,000 targets."""
    lines = plan.read_text().splitlines()
    contents = [re.search(r"sha256:([0-9a-f]{64})", line)[1] for at, line in enumerate(lines)
                if line.strip().startswith("sha256:") and lines[at - 1].strip() == "content:"]
    hosts = [row["host"] for row in json.loads((bucket / "workspace" / "workers.json").read_text())]
    jobs = sorted(path.name for path in (bucket / "workspace" / "jobs").iterdir())
    # One job without workers makes the database.
    tiny = bucket.parent / "tiny"
    shutil.copytree(bucket, tiny)
    (tiny / "workspace" / "workers.json").write_text(json.dumps([{"host": hosts[0], "memory": "65536 mb", "cpu": "32000 mhz"}]))
    tiny_plan = tiny / "a.plan.yaml"
    for argv in ([programs / "maand-plan", "deploy", "--bucket", tiny, "-o", tiny_plan],
                 [programs / "maand-apply", tiny_plan, "--bucket", tiny]):
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.copy(tiny / "maand.db", bucket / "maand.db")
    with sqlite3.connect(bucket / "maand.db") as db:
        db.executemany(
            "INSERT OR REPLACE INTO allocation (job, worker, promoted_version, promoted_content, standing, run, changed_at) "
            "VALUES (?, ?, '1.0.0', ?, 'active', 1, 0)",
            ((job, host, content) for job, content in zip(jobs, contents, strict=True) for host in hosts))
    db.close()


def measure_fleet(programs, workers, jobs, repeat):
    """{command: seconds}, and the names of missed budgets."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="maand-bench-"))
    missed, times = [], {}
    try:
        bucket, plan, program = top / "bucket", top / "plan.yaml", str(programs / "maand-plan")
        build(bucket, workers, jobs)
        planning = [program, "deploy", "--bucket", str(bucket)]
        commands = {
            "plan": (planning, plan),
            "show": ([program, "show", str(plan)], top / "show.txt"),
            "unchanged": (planning, top / "empty.yaml"),
        }
        print(f"{workers} workers x {jobs} jobs, median of {repeat}")
        for name, (argv, output) in commands.items():
            if name == "unchanged":
                deploy(bucket, plan, programs)
            runs = [measure(argv, output) for _ in range(repeat)]
            seconds, memory = statistics.median(r[0] for r in runs), max(r[1] for r in runs)
            times[name] = seconds
            print(f"  {name:<9} {seconds:7.3f} s {memory:7.0f} MB")
            most_seconds, most_memory = BUDGETS[name]
            if seconds > most_seconds or (most_memory and memory > most_memory):
                missed.append(name)
        if "waves: []" not in (top / "empty.yaml").read_text():
            sys.exit("the plan of what is deployed already is not empty")
        size = plan.stat().st_size / 1e6
        print(f"  plan file {size:.2f} MB")
        if size > PLAN_MB:
            missed.append("plan file")
    finally:
        shutil.rmtree(top)
    return times, missed if workers * jobs <= FULL else []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=".build/release")
    parser.add_argument("--workers", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--jobs", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    programs = pathlib.Path(options.bin).resolve()
    before, missed = None, []
    for workers in options.workers:
        times, over = measure_fleet(programs, workers, options.jobs, options.repeat)
        missed += [f"{name} at {workers} workers" for name in over]
        if before:
            work = workers / before[0]
            for name, seconds in times.items():
                growth = seconds / max(before[1][name], NOISE)
                print(f"  {name}: {work:.0f}x the workers take {growth:.1f}x the time")
                if growth > GROWTH * work / 10:
                    missed.append(f"growth of {name} at {workers} workers")
        before = workers, times
    if missed:
        sys.exit("over budget: " + ", ".join(missed))


if __name__ == "__main__":
    main()
