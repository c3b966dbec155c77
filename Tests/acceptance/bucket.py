"""Buckets for tests: made quickly, run with the real programs, looked at from outside.

A test's bucket is <top>/bucket, on the local transport. Beside it lies <top>/knobs, through which a test steers what
the Makefile targets on the "workers" do while they run:

    hold/<job>.<worker>   a target waits while this file is there (at most 60 seconds)
    fail/<job>.<worker>   a target fails while this file is there

Every target that begins or ends leaves a line in the job's data/ on its worker; `Bucket.began` and `Bucket.rows`
read them.
"""
import collections
import contextlib
import glob
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socketserver
import subprocess
import tempfile
import threading
import time
import unittest

import yaml

# The programs under test: with test hooks (places to die, a clock that can be moved), or those that users get.
BIN = os.path.abspath(os.environ.get("MAAND_BIN", os.path.join(os.path.dirname(__file__), "../../.build/hooks")))
USERS_BIN = os.environ.get("MAAND_USERS_BIN")
# No single command of a test may take longer, in seconds: much more than any needs, on machines that are busy, too.
LIMIT = 300
# Below those that the kernel gives to connections and to servers without a wish.
FREE_PORTS = (20000, 32000)
BUCKET_ID = "0d9a1f52-6f0e-4a58-8f0b-6f7f1d3b2c11"

CONF = """\
bucket_id = "{id}"
transport = "local"
worker_root = "/opt/worker"
"""

# The knobs are beside the bucket: up from <bucket>/workers/<host>/opt/worker/<id>/jobs/<job>.
MAKEFILE = """\
.PHONY: start stop restart reload
WORKER := $(notdir $(abspath $(CURDIR)/../../../../..))
KNOBS := $(abspath $(CURDIR)/../../../../../../../../knobs)
ME := $(notdir $(CURDIR)).$(WORKER)

start stop restart reload:
\t@mkdir -p data; s=$$(date +%s.%N); \\
\techo "$@ $$CURRENT_VERSION $$NEW_VERSION $$s" >> data/began.log; \\
\tn=0; while [ -e $(KNOBS)/hold/$(ME) ] && [ $$n -lt 1200 ]; do sleep 0.05; n=$$((n+1)); done; \\
\tif [ -e $(KNOBS)/fail/$(ME) ]; then echo "$@ fails on purpose" >&2; exit 3; fi; \\
\tsleep %(pause)s; \\
\techo "$@ $$CURRENT_VERSION $$NEW_VERSION $$s $$(date +%%s.%%N)" >> data/lifecycle.log
"""

Row = collections.namedtuple("Row", "job worker target current new start end")
Result = collections.namedtuple("Result", "code out err")


def makefile(pause=0.1):
    return MAKEFILE.replace("%(pause)s", str(pause)).replace("%%", "%")


def alone(test):
    """Runs when all others are done: for a test in which seconds have to be enough."""
    test.alone = True
    return test


def until(condition, what, limit=120):
    """Waits for a condition, never for a time; returns its value."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {limit} s: not {what}")
        time.sleep(0.01)


def running_in(top):
    """{pid: command line} of the living processes that work in a folder, or name it in their arguments or environment."""
    word, found = os.fsencode(str(top)), {}
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            command = pathlib.Path(folder, "cmdline").read_bytes()
            if not command:
                continue  # a zombie, or the kernel's
            if (word in command or os.fsencode(os.readlink(f"{folder}/cwd")).startswith(word)
                    or word in pathlib.Path(folder, "environ").read_bytes()):
                found[int(folder.split("/")[2])] = os.fsdecode(command).replace("\0", " ").strip()[:300]
        except OSError:
            pass
    found.pop(os.getpid(), None)
    return found


def nothing_runs(top):
    """That no process of a test is left; one that is ends here, and the test fails. What ran a target or a hook outlives a
    killed one up to its limit of time: that is by design, and only ends here."""
    def others():
        return {pid: command for pid, command in running_in(top).items()
                if " _runner " not in command and not command.startswith("sleep ")}
    left = {}
    try:
        until(lambda: not others(), "all processes of the test ended", LIMIT)
    except AssertionError:
        left = others()
    for pid in running_in(top):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if left:
        raise AssertionError(f"processes of the test are left: {left}")


class Bucket:
    def __init__(self, test, bucket_id=BUCKET_ID):
        self.top = pathlib.Path(os.path.realpath(tempfile.mkdtemp(prefix="maand-test-")))
        self.path = self.top / "bucket"
        self.id = bucket_id
        self.bin = BIN
        self.children = []
        self.workspace = self.path / "workspace"
        self.knobs = self.top / "knobs"
        (self.workspace / "jobs").mkdir(parents=True)
        (self.path / "maand.conf").write_text(CONF.format(id=bucket_id))
        for name in ("hold", "fail"):
            (self.knobs / name).mkdir(parents=True)
        test.addCleanup(self.remove)

    def remove(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        shutil.rmtree(self.knobs / "hold", ignore_errors=True)
        try:
            nothing_runs(self.top)
        finally:
            if not os.environ.get("MAAND_KEEP"):
                shutil.rmtree(self.top, ignore_errors=True)

    def end_processes(self):
        """Ends what works inside the bucket's workers, for a test that leaves something there on purpose."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self):
        """Pids of what works inside the bucket's workers."""
        found = []
        for link in glob.glob("/proc/[0-9]*/cwd"):
            try:
                if os.readlink(link).startswith(f"{self.path}/workers/"):
                    found.append(int(link.split("/")[2]))
            except OSError:
                pass
        return found

    def copy(self, test):
        """Another bucket with the same content, catalog and workers; nothing may be running in this one."""
        other = type(self)(test, bucket_id=self.id)
        shutil.rmtree(other.top)
        shutil.copytree(self.top, other.top, symlinks=True)
        return other

    # -- the workspace

    def write(self, path, text, executable=False):
        file = self.workspace / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if executable else 0o644)
        return file

    def workers(self, *hosts):
        rows = [{"host": host, "memory": "1024 mb", "cpu": "1000 mhz"} for host in hosts]
        self.write("workers.json", json.dumps(rows, indent=1) + "\n")

    def workers_with(self, labels):
        """Workers with their labels, from {host: [label]}."""
        rows = [{"host": host, "labels": own, "memory": "1024 mb", "cpu": "1000 mhz"} for host, own in labels.items()]
        self.write("workers.json", json.dumps(rows, indent=1) + "\n")

    def job(self, name, version="1.0.0", files=None, make=None, **manifest):
        """Writes the job's folder anew."""
        shutil.rmtree(self.workspace / "jobs" / name, ignore_errors=True)
        content = {"version": version, "selectors": ["worker"], **manifest}
        self.write(f"jobs/{name}/manifest.json", json.dumps(content, indent=1) + "\n")
        self.write(f"jobs/{name}/Makefile", makefile() if make is None else make)
        for path, text in (files or {"app.conf": "a\n"}).items():
            self.write(f"jobs/{name}/{path}", text)
        for command in manifest.get("commands", {}):
            self.write(f"jobs/{name}/_modules/{command}.py", "print('ok')\n")

    # -- the programs

    def as_users(self):
        """From here on with the programs that users get."""
        if not USERS_BIN:
            raise unittest.SkipTest("MAAND_USERS_BIN names no folder with programs without test hooks")
        self.bin = os.path.abspath(USERS_BIN)

    @staticmethod
    def environment(**more):
        return {**os.environ, **more}

    def run(self, program, *arguments, **options):
        return self.run_in(self.path, program, *arguments, **options)

    def run_in(self, folder, program, *arguments, **options):
        return self.run_program(os.path.join(self.bin, program), *arguments, cwd=folder, **options)

    def run_program(self, *argv, **options):
        done = subprocess.run(
            [str(word) for word in argv], stdin=None if "input" in options else subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=LIMIT, **options)
        return Result(done.returncode, done.stdout, done.stderr)

    def plan(self, *flags, out="a.plan.yaml", **options):
        return self.run("maand-plan", "deploy", "--bucket", self.path, "--overwrite", *flags,
                        "-o", self.top / out, **options)

    def file(self, out="a.plan.yaml"):
        return self.top / out

    def read_plan(self, out="a.plan.yaml"):
        return yaml.safe_load(self.file(out).read_text())

    def apply(self, *flags, plan="a.plan.yaml", **options):
        return self.run("maand-apply", self.top / plan, "--bucket", self.path, *flags, **options)

    def start_apply(self, *flags, plan="a.plan.yaml"):
        child = subprocess.Popen(
            [os.path.join(self.bin, "maand-apply"), str(self.top / plan), "--bucket", str(self.path), *flags],
            cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace")
        self.children.append(child)
        return child

    def abandon(self, run, reason="a test"):
        return self.run("maand-apply", "abandon", run, "--reason", reason, "--bucket", self.path)

    def status(self, *arguments):
        return self.run("maand-apply", "status", *arguments, "--bucket", self.path)

    def catalog(self, what, *flags):
        return self.run("maand-plan", "catalog", what, "--bucket", self.path, *flags)

    # -- what happened on the workers

    def job_dir(self, worker, job):
        return self.path / "workers" / worker / "opt/worker" / self.id / "jobs" / job

    def _lines(self, name):
        for file in sorted(glob.glob(f"{self.path}/workers/*/opt/worker/{self.id}/jobs/*/data/{name}")):
            parts = file.split(os.sep)
            # A line is written whole or not yet.
            for line in pathlib.Path(file).read_text().splitlines():
                yield parts[-3], parts[-8], line.split(" ")

    def began(self):
        """[(job, worker, target)] of the targets that have begun, in no order across workers."""
        return [(job, worker, fields[0]) for job, worker, fields in self._lines("began.log")]

    def rows(self):
        """The targets that ran to their end, by the time they began."""
        rows = [Row(job, worker, fields[0], fields[1], fields[2], float(fields[3]), float(fields[4]))
                for job, worker, fields in self._lines("lifecycle.log")]
        return sorted(rows, key=lambda row: row.start)

    def targets(self):
        """[(job, worker, target)] of the targets that ran to their end, in the order in which they began."""
        return [(row.job, row.worker, row.target) for row in self.rows()]

    def forget(self):
        """Empties the workers' logs, so that what follows stands alone."""
        for name in ("began.log", "lifecycle.log"):
            for file in glob.glob(f"{self.path}/workers/*/opt/worker/{self.id}/jobs/*/data/{name}"):
                os.remove(file)

    def hold(self, job, worker):
        (self.knobs / "hold" / f"{job}.{worker}").touch()

    def release(self, job, worker):
        (self.knobs / "hold" / f"{job}.{worker}").unlink()

    def fail(self, job, worker):
        (self.knobs / "fail" / f"{job}.{worker}").touch()

    def mend(self, job, worker):
        (self.knobs / "fail" / f"{job}.{worker}").unlink()


def actions(plan):
    """{job: {worker: (action, reason)}} of a plan that was read."""
    found = {}
    for stop in plan.get("reconcile") or []:
        found.setdefault(stop["job"], {})[stop["worker"]] = (stop["action"], stop["reason"])
    for wave in plan.get("waves") or []:
        for job in wave["jobs"]:
            for phase in job.get("phases") or []:
                for batch in phase["batches"]:
                    for entry in batch:
                        found.setdefault(job["job"], {})[entry["worker"]] = (entry["action"], entry["reason"])
    return found


def batches(plan):
    """[(job, [workers])] of a plan, in order."""
    return [(job["job"], [entry["worker"] for entry in batch])
            for wave in plan.get("waves") or []
            for job in wave["jobs"] for phase in job.get("phases") or [] for batch in phase["batches"]]


class Health:
    """Answers the gates' probes for some workers, and remembers when it was asked."""

    def __init__(self, test, *workers):
        self.sick = set()
        self.probes = []  # (time, worker)
        self._lock = threading.Lock()
        self._servers = []
        test.addCleanup(self.close)
        health = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                worker = self.server.server_address[0]
                with health._lock:
                    health.probes.append((time.time(), worker))
                    sick = worker in health.sick
                self.send_response(503 if sick else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 64

        # The same port everywhere, of those that nobody is given.
        for self.port in random.sample(range(*FREE_PORTS), 100):
            try:
                for worker in workers:
                    self._servers.append(Server((worker, self.port), Handler))
                break
            except OSError:
                for server in self._servers:
                    server.server_close()
                self._servers.clear()
        for server in self._servers:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def manifest(self, attempts=3, interval=1):
        """The fields of a manifest that make this the job's gate."""
        return {
            "resources": {"ports": {"probe_port": self.port}},
            "health_check": {
                "checks": [{"type": "http", "port": "probe_port", "path": "/healthz", "expect_status": 200}],
                "timeout_seconds": 5,
                "wait": {"attempts": attempts, "interval_seconds": interval},
            },
        }


class Case(unittest.TestCase):
    """A test with the assertions that most of them need."""

    maxDiff = None

    def succeed(self, result, code=0):
        self.assertEqual(result.code, code, f"\nstdout: {result.out[-3000:]}\nstderr: {result.err[-3000:]}")
        return result

    def refuse(self, result, code, *words):
        """An exit status and an error that names these things, on standard error."""
        self.succeed(result, code)
        for word in words:
            self.assertIn(str(word), result.err)
        return result

    def assert_same_rollout(self, b, undisturbed):
        """That an interrupted rollout ended as the undisturbed one: each target once, in the plan's order, and the
        same catalog; and that the same command then touches nothing."""
        plan = b.read_plan()
        wanted = actions(plan)
        ran = collections.Counter(b.targets())
        self.assertEqual(ran, collections.Counter(
            (job, worker, action) for job, workers in wanted.items() for worker, (action, _) in workers.items()
            if action != "sync"))
        self.assertEqual(collections.Counter(b.began()), ran, "a target began more than once")

        rows = {(row.job, row.worker): row for row in b.rows()}
        stops = [rows[stop["job"], stop["worker"]] for stop in plan.get("reconcile") or []]
        spans = [(min(rows[job, worker].start for worker in workers), max(rows[job, worker].end for worker in workers))
                 for job, workers in batches(plan)]
        order = [(job, index, span) for index, (job, span) in enumerate(zip((job for job, _ in batches(plan)), spans))]
        for job, index, (start, _) in order:
            for stop in stops:
                self.assertLess(stop.end, start, "a wave began before the stops had ended")
            for other, earlier, (_, end) in order:
                if earlier < index and (other == job or wave_of(plan, other) < wave_of(plan, job)):
                    self.assertLess(end, start, "batches ran in another order than the plan's")
        versions = {(row.job, row.worker, row.current, row.new) for row in rows.values()}
        self.assertEqual(versions, {(row.job, row.worker, row.current, row.new) for row in undisturbed.rows()})

        for what, flags in (("allocations", ["--format", "json"]), ("jobs", ["--format", "json"]), ("export", [])):
            mine, theirs = b.catalog(what, *flags), undisturbed.catalog(what, *flags)
            self.succeed(mine)
            self.assertEqual(TIME.sub("then", mine.out), TIME.sub("then", theirs.out), f"catalog {what}")
        again = self.succeed(b.apply())
        self.assertEqual(collections.Counter(b.targets()), ran, again.out)


def wave_of(plan, job):
    return next(index for index, wave in enumerate(plan["waves"]) if job in [j["job"] for j in wave["jobs"]])


# When something was recorded is the one thing in which equal rollouts differ.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
