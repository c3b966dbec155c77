"""Buckets whose jobs have hooks that leave a trace, on either transport.

Hooks and targets write a line each to <top>/knobs/trace when they begin and when they end, in the order in which that
happened: `HookBucket.trace`. Two knobs steer hooks, as they do targets:

    hold/<command>.<worker>   the hook waits while this file is there (at most 60 seconds)
    fail/<command>.<worker>   the hook fails while this file is there

Nothing in a script names a path of this machine, so that equal buckets have equal plans.
"""
import collections
import glob
import json
import os
import pathlib
import subprocess

import bucket
import test_ssh

# The interpreter that a hook finds first; one that picks a version by itself costs a second a hook.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NOTE = """\
import contextlib, os, sys, time
KNOBS = os.path.join(os.getcwd(), os.pardir, "knobs")
ME = os.environ["COMMAND"] + "." + os.environ["ALLOCATION_IP"]
def say(what):
    fields = [what] + ["%s=%s" % pair for pair in sorted(os.environ.items())]
    file = os.open(KNOBS + "/trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, ("\\x1f".join(fields) + "\\n").encode())
    os.close(file)
@contextlib.contextmanager
def hook():
    say("hook began")
    left = 1200
    while os.path.exists(KNOBS + "/hold/" + ME) and left:
        time.sleep(0.05)
        left -= 1
    if os.path.exists(KNOBS + "/fail/" + ME):
        sys.exit(ME + " fails on purpose")
    yield
    say("hook ended")
"""

PYTHON = "import note, maand, os, sys, time\nwith note.hook():\n%s\n"

SHELL = """\
say() {
    l=$(env | sort | tr '\\n' '\\037')
    printf '%%s\\037%%s\\n' "$1" "$l" >>../knobs/trace
}
me=$COMMAND.$ALLOCATION_IP
say 'hook began'
n=0; while [ -e "../knobs/hold/$me" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done
if [ -e "../knobs/fail/$me" ]; then echo "$me fails on purpose" >&2; exit 3; fi
%s
say 'hook ended'
"""

MAKEFILE = """\
ME := $(JOB).$(ALLOCATION_IP)
SAY = printf 'target %s\\037JOB=%s\\037EVENT=%s\\037ALLOCATION_IP=%s\\037CURRENT_VERSION=%s\\037NEW_VERSION=%s\\n'

ping:
\t@echo pong

start stop restart reload:
\t@$(SAY) began $(JOB) $@ $(ALLOCATION_IP) $(CURRENT_VERSION) $(NEW_VERSION) >> $(KNOBS)/trace
\t@n=0; while [ -e $(KNOBS)/hold/$(ME) ] && [ $$n -lt 1200 ]; do sleep 0.05; n=$$((n+1)); done
\t@if [ -e $(KNOBS)/fail/$(ME) ]; then echo "$@ fails on purpose" >&2; exit 3; fi
\t@$(SAY) ended $(JOB) $@ $(ALLOCATION_IP) $(CURRENT_VERSION) $(NEW_VERSION) >> $(KNOBS)/trace
"""

Line = collections.namedtuple("Line", "what event job worker command values")


class Hook:
    """A command of a job: when it runs, in which language, and what else it does."""

    def __init__(self, *events, language="py", body="", text=None, **fields):
        self.fields = {"executed_on": list(events), **fields}
        self.suffix = {"py": ".py", "sh": ".sh"}.get(language, "")
        if text is not None:
            self.text = text
        elif language == "sh":
            self.text = SHELL % body
        else:
            indented = "".join("    " + line + "\n" for line in (body or "pass").splitlines())
            self.text = ("" if self.suffix else "#!/usr/bin/python3\n") + PYTHON % indented


class Hooks:
    """What buckets of either transport have more."""

    knobs_from_a_job = "$(abspath $(CURDIR)/../../../../../../../../knobs)"

    def hook_job(self, name, version="1.0.0", hooks=None, files=None, make=MAKEFILE, **manifest):
        """A job with hooks, from {command: Hook}."""
        hooks = hooks or {}
        commands = {command: hook.fields for command, hook in hooks.items()}
        bucket.Bucket.job(self, name, version, files, "", **manifest, **({"commands": commands} if commands else {}))
        folder = self.workspace / "jobs" / name
        if make is None:
            (folder / "Makefile").unlink()
        else:
            self.write(f"jobs/{name}/Makefile", f"KNOBS := {self.knobs_from_a_job}\n" + make)
        for command, hook in hooks.items():
            (folder / f"_modules/{command}.py").unlink()
        if hooks:
            self.write(f"jobs/{name}/_modules/note.py", NOTE)
        for command, hook in hooks.items():
            self.write(f"jobs/{name}/_modules/{command}{hook.suffix}", hook.text, executable=not hook.suffix)

    def run_program(self, *argv, **options):
        options.setdefault("env", self.environment())
        return bucket.Bucket.run_program(self, *argv, **options)

    @staticmethod
    def environment(**more):
        return {**os.environ, "PATH": PATH, **more}

    def start_apply(self, *flags, plan="a.plan.yaml", **more):
        child = subprocess.Popen(
            [os.path.join(self.bin, "maand-apply"), str(self.top / plan), "--bucket", str(self.path), *flags],
            cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", env=self.environment(**more))
        self.children.append(child)
        return child

    def processes(self):
        """What works inside the bucket's workers, and what hooks are or left behind."""
        found = bucket.Bucket.processes(self)
        for link in glob.glob("/proc/[0-9]*/cwd"):
            try:
                pid = int(link.split("/")[2])
                if os.readlink(link) == str(self.path) and pid not in [child.pid for child in self.children]:
                    found.append(pid)
            except OSError:
                pass
        return found

    def trace(self, *what, event=None, command=None, worker=None, job=None):
        """The lines of the trace, in order; only those of these kinds, where any are named."""
        file = self.knobs / "trace"
        lines = []
        for text in file.read_text().splitlines() if file.exists() else []:
            fields = text.split("\x1f")
            values = dict(field.split("=", 1) for field in fields[1:] if "=" in field)
            lines.append(Line(fields[0], values.get("EVENT"), values.get("JOB"), values.get("ALLOCATION_IP"),
                              values.get("COMMAND"), values))
        return [line for line in lines
                if (not what or line.what in what) and event in (None, line.event)
                and command in (None, line.command) and worker in (None, line.worker) and job in (None, line.job)]

    def runs(self, **which):
        """Counts the ended hooks of [(command, worker)], and says so where one began more often than it ended."""
        began = collections.Counter((line.command, line.worker) for line in self.trace("hook began", **which))
        ended = collections.Counter((line.command, line.worker) for line in self.trace("hook ended", **which))
        assert began == ended, f"began {began}, ended {ended}"
        return ended

    def forget(self):
        (self.knobs / "trace").unlink(missing_ok=True)

    def events(self, name="events"):
        """The lines of an events file."""
        return [json.loads(line) for line in (self.top / name).read_text().splitlines()]

    def control(self):
        """The folder of this host's receipts."""
        return self.path / ".hooks/control" / self.id / "receipts"

    def port(self):
        """Where hooks that have begun ask."""
        return int(self.trace("hook began")[0].values["MAAND_API_URL"].split(":")[-1])

    def json_of(self, *argv):
        return json.loads(self.run(*argv, "--format", "json", "--bucket", self.path).out)

    def allocations(self):
        """{(job, worker): row} of what is recorded."""
        rows = self.json_of("maand-plan", "catalog", "allocations")
        return {(row["job"], row["worker"]): row for row in rows if row["standing"]}

    def steps(self):
        """{step: state} of what is neither pending nor succeeded in the latest run."""
        return {row["step"]: row["state"] for row in self.json_of("maand-apply", "status")["steps"]}

    def kv(self, *argv, stdin="", code=0):
        done = subprocess.run(
            [os.path.join(bucket.BIN, "maand-plan"), "kv", *argv, "--bucket", str(self.path)], input=stdin,
            capture_output=True, text=True, timeout=bucket.LIMIT)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


class HookBucket(Hooks, bucket.Bucket):
    pass


class SSHHookBucket(Hooks, test_ssh.SSHBucket):
    def __init__(self, test, fleet, **changes):
        super().__init__(test, fleet, **changes)
        self.knobs_from_a_job = str(self.knobs)


class HookCase(bucket.Case):
    def bucket(self, *workers):
        b = HookBucket(self)
        if workers:
            b.workers(*workers)
        return b

    def rollout(self, b, *flags, code=0, **options):
        """Plans and applies."""
        self.succeed(b.plan())
        return self.succeed(b.apply(*flags, **options), code)

    def ended(self, child, code=0):
        out, err = child.communicate(timeout=bucket.LIMIT)
        return self.succeed(bucket.Result(child.returncode, out, err), code)

    def assert_order(self, b, *parts):
        """That each of these sets of lines, given by conditions, lies whole before the next."""
        lines = b.trace()
        last = -1
        for number, part in enumerate(parts):
            places = [index for index, line in enumerate(lines) if part(line)]
            self.assertTrue(places, f"part {number} is not in the trace")
            self.assertGreater(places[0], last, f"part {number} began too early: {[l[:5] for l in lines]}")
            last = places[-1]
