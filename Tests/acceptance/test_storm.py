"""Random faults while rollouts run over ssh: four jobs with demands, hooks and gates on real OpenSSH servers.

apply is killed, workers are killed, frozen, emptied or lose their receipts, connections are cut. Whatever happens, a run
comes to the end that an undisturbed twin has, or stops and names the step; what has ended is never run again.
MAAND_STORM_FAULTS, MAAND_STORM_ROLLOUTS and MAAND_SEED set how many, and which.
"""
import json
import os
import random
import re
import shutil
import threading
import time

import bucket
import test_ssh

FAULTS = int(os.environ.get("MAAND_STORM_FAULTS", "12"))
ROLLOUTS = int(os.environ.get("MAAND_STORM_ROLLOUTS", "3"))
SEED = int(os.environ.get("MAAND_SEED", "15"))
WORKERS = 4

MAKEFILE = """\
ME = $(notdir $(CURDIR)) $(ALLOCATION_IP) $@ $(NEW_VERSION)

start stop restart reload:
\t@mkdir -p data; echo "begin $(ME)" >>LOG; sleep PAUSE; echo $(NEW_VERSION) >data/running; echo "end $(ME)" >>LOG
"""

HOOK = 'echo "begin $JOB $ALLOCATION_IP $EVENT $NEW_VERSION" >>LOG; sleep 0.05; echo "end $JOB $ALLOCATION_IP $EVENT $NEW_VERSION" >>LOG\n'
GATE = {"checks": [{"type": "ssh", "command": "test -s data/running || test -s jobs/JOB/data/running"}],
        "timeout_seconds": 20, "wait": {"attempts": 3, "interval_seconds": 1}}
JOBS = {
    # Job: what it demands, the event of its hook, workers at a time.
    "db": (None, "pre_deploy", 1),
    "api": ("db", "after_allocation_started", 2),
    "web": ("api", "post_deploy", 2),
    "side": (None, None, 4),
}
STEP = re.compile(r"^(\S+/\S+) (has failed|is unreachable|is unknown|is under way)", re.MULTILINE)


class Storm(test_ssh.SSHCase):
    def lay(self, b, log, version, pause):
        for job, (demanded, event, width) in JOBS.items():
            name = f"command_{job}"
            command = {"executed_on": [event or "cli"]}
            if demanded:
                command["demands"] = {"job": demanded, "command": f"command_{demanded}", "config": {}}
            gate = json.loads(json.dumps(GATE).replace("JOB", job))
            b.job(job, version, {"app.conf": version + "\n"}, MAKEFILE.replace("LOG", str(log)).replace("PAUSE", str(pause)),
                  max_concurrent_upgrades=width, commands={name: command}, health_check=gate)
            modules = b.workspace / "jobs" / job / "_modules"
            shutil.rmtree(modules)
            b.write(f"jobs/{job}/_modules/{name}.sh", HOOK.replace("LOG", str(log)))

    def test_random_faults(self):
        self.dice = random.Random(SEED)
        self.fleet = test_ssh.Fleet(self, WORKERS)
        self.workers = [self.fleet.address(index) for index in range(1, WORKERS + 1)]
        self.b, twin = test_ssh.SSHBucket(self, self.fleet), bucket.Bucket(self)
        self.log, twin_log = self.b.knobs / "storm.log", twin.knobs / "storm.log"
        self.log.touch()
        self.faults = {}
        self.ends = {}
        for round_ in range(ROLLOUTS):
            version = f"1.0.{round_}"
            for b, log in ((self.b, self.log), (twin, twin_log)):
                b.workers(*self.workers)
                self.lay(b, log, version, 0 if b is twin else 0.1)
                self.succeed(b.plan())
            self.succeed(twin.apply())
            wanted = (FAULTS * (round_ + 1)) // ROLLOUTS - sum(self.faults.values())
            self.rollout(version, wanted)
            mine, theirs = (
                [(row["job"], row["worker"], row["standing"], row["promoted"]["version"], row["unfinished"],
                  row["not_passed_gate"]) for row in self.allocations(b)] for b in (self.b, twin))
            self.assertEqual(mine, theirs)
            for job in JOBS:
                for worker in self.workers:
                    self.assertEqual((self.b.job_dir(worker, job) / "data/running").read_text().strip(), version)
            self.succeed(self.b.plan("--detailed-exitcode"))
        print(f"seed {SEED}: {sum(self.faults.values())} faults in {ROLLOUTS} rollouts: {self.faults}; applies ended: {self.ends}")

    def rollout(self, version, wanted):
        """Applies the plan again and again until it is done, with so many faults on the way."""
        since, flags, emptied = self.log.stat().st_size, [], set()
        for _ in range(40):
            child = self.b.start_apply(*flags)
            timers = []
            while child.poll() is None:
                time.sleep(self.dice.uniform(0.05, 0.6))
                if wanted > 0 and child.poll() is None:
                    wanted -= 1
                    self.fault(child, emptied, timers)
            out, err = child.communicate(timeout=bucket.LIMIT)
            for timer in timers:
                timer.join()
            for index in range(1, WORKERS + 1):
                self.fleet("start", index)
            code = child.returncode
            self.ends[code] = self.ends.get(code, 0) + 1
            self.assertIn(code, (0, 1, 3, 4, 69, 75, -9), out + err)
            self.assert_once(since)
            if code == 0:
                return
            flags = ["--retry-failed"] if code in (1, 4) else []
            if code in (1, 4):
                self.assertRegex(err, STEP)
            unknown = [row["step"] for row in self.status()["steps"] if row["state"] == "unknown"] if code == 4 else []
            gone = code == 3 or any(step.split("/")[-2] in emptied for step in unknown) or any(
                step.endswith("/promote") for step in unknown)
            if gone or (code == 1 and emptied):
                # What the catalog says of an emptied worker is not so any more.
                self.succeed(self.b.abandon(self.status()["run"], "a storm"))
                self.succeed(self.b.catalog("refresh"))
                self.succeed(self.b.plan())
                since, flags = self.log.stat().st_size, []
                emptied.clear()
                continue
            for step in unknown:
                self.succeed(self.b.run(
                    "maand-apply", "resolve", self.status()["run"], step, "succeeded" if self.has_ended(step, since) else "failed",
                    "--reason", "looked", "--bucket", self.b.path))
        self.fail(f"not done after 40 commands:\n{out}{err}")

    def status(self):
        return json.loads(self.succeed(self.b.status("--format", "json")).out)

    def lines(self, since):
        with open(self.log) as file:
            file.seek(since)
            return [line.split() for line in file.read().splitlines()]

    def has_ended(self, step, since):
        """job/phase/batch/worker/target, or job/event/worker/command."""
        words = step.split("/")
        event = {"restart": "restart", "start": "start", "stop": "stop"}.get(words[-1], words[1])
        worker = next(word for word in words if word in self.workers)
        if words[-2] == "after_allocation_started":
            event = words[-2]
        return any(line[:4] == ["end", words[0], worker, event] for line in self.lines(since))

    def assert_once(self, since):
        """In one run nothing begins again that has ended."""
        ended = set()
        for word, *what in self.lines(since):
            if word == "begin":
                self.assertNotIn(tuple(what), ended, "it was run twice")
            else:
                ended.add(tuple(what))

    # -- faults

    def fault(self, child, emptied, timers):
        index = self.dice.randint(1, WORKERS)
        worker = self.fleet.address(index)
        name = self.dice.choices(("kill apply", "kill worker", "cut", "freeze", "empty", "receipts"), (6, 3, 4, 3, 1, 1))[0]
        self.faults[name] = self.faults.get(name, 0) + 1
        if name == "kill apply":
            child.kill()
        elif name == "kill worker":
            self.fleet("kill", index)
            timers.append(self.later(self.dice.uniform(0.1, 2), "start", index))
        elif name == "cut":
            self.fleet("cut", index)
        elif name == "freeze":
            self.fleet("freeze", index)
            timers.append(self.later(self.dice.uniform(0.2, 6), "thaw", index))
        elif name == "empty":
            emptied.add(worker)
            shutil.rmtree(self.b.root(worker), ignore_errors=True)
        else:
            for folder in self.b.receipts(worker).glob("[!.]*"):
                if folder.is_dir():
                    shutil.rmtree(folder, ignore_errors=True)

    def later(self, seconds, *command):
        timer = threading.Timer(seconds, self.fleet, command)
        timer.start()
        return timer
