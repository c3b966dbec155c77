"""Death at every place where it could matter, then the same command: it ends as if nothing had happened.

Debug builds of maand-apply count the places around every checkpoint and every word to a worker, and can be told to
kill themselves (SIGKILL) at one of them. The rollout has two waves, three jobs and six workers: starts, reloads,
restarts, gates, and the stop of a job that was removed.

MAAND_CRASH=all goes through every place, MAAND_CRASH=N through a seeded sample of N; MAAND_SEED sets another seed.
"""
import collections
import json
import os
import random
import threading

import bucket
import hookbucket

SHARDS = 4
CRASH = os.environ.get("MAAND_CRASH")
SEED = int(os.environ.get("MAAND_SEED", "5"))
WORKERS = [f"127.0.7.{number}" for number in range(1, 7)]
LABELS = {"base": WORKERS[0:2], "side": WORKERS[3:5], "front": [WORKERS[5], WORKERS[0]], "old": [WORKERS[5]]}

_lock = threading.Lock()
_templates = {}


def lay(b, version, labels):
    b.workers_with({worker: [job for job, workers in labels.items() if worker in workers] for worker in WORKERS})
    # A gate leaves its own trace, so that its place in the order can be checked.
    gate = {"health_check": {
        "checks": [{"type": "ssh", "command": "mkdir -p gates && date +%s.%N >> gates/log"}],
        "timeout_seconds": 20, "wait": {"attempts": 2, "interval_seconds": 0}}}
    make = bucket.makefile(pause=0)
    files = {"app.conf": version + "\n", "conf/a.yml": version + "\n"}
    b.job("base", version, files, make, selectors=["base"], max_concurrent_upgrades=2,
          commands={"command_base": {"executed_on": ["cli"]}}, **gate)
    b.job("side", version, files, make, selectors=["side"], restart_policy="reload", max_concurrent_upgrades=1)
    demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
    b.job("front", version, files, make, selectors=["front"], max_concurrent_upgrades=1,
          commands={"command_front": {"executed_on": ["cli"], "demands": demand}}, **gate)


class Crash(bucket.Case):
    # Places of a normal run, and of how many times a shard dies several times in one rollout.
    sample = 32
    pairs = 2
    what = "a rollout of 2 waves, 3 jobs, 6 workers"
    # The exit code of a run that is left alone.
    ends = 0

    def template(self):
        """(a bucket with a plan that nothing has run of, the same after an uninterrupted run, the places), made once."""
        with _lock:
            if type(self) not in _templates:
                first = self.prepared()
                undisturbed = first.copy(Owner)
                log = undisturbed.top / "places"
                self.succeed(undisturbed.apply(env=first.environment(MAAND_FAULT_LOG=str(log))), self.ends)
                if not log.exists():
                    self.skipTest("only a build with test hooks can be told where to die")
                places = log.read_text().splitlines()
                _templates[type(self)] = first, undisturbed, places
                print(f"crash: {len(places)} places where {self.what} may die", flush=True)
        return _templates[type(self)]

    def prepared(self):
        first = bucket.Bucket(Owner)
        lay(first, "1.0.0", LABELS)
        first.job("old", "1.0.0", None, bucket.makefile(pause=0), selectors=["old"])
        self.succeed(first.plan())
        self.succeed(first.apply())
        first.forget()
        bucket.shutil.rmtree(first.workspace / "jobs/old")
        lay(first, "2.0.0", {**LABELS, "base": WORKERS[0:3]})
        self.succeed(first.plan())
        return first

    def chosen(self, places):
        if CRASH == "all":
            return list(range(1, len(places) + 1))
        dice = random.Random(SEED)
        return sorted(dice.sample(range(1, len(places) + 1), min(int(CRASH or self.sample), len(places))))

    def die_and_resume(self, at):
        """Dies at the first of these places, the next process at the next, and so on; then a process is left alone."""
        first, undisturbed, places = self.template()
        b = first.copy(self)
        names = [places[at[0] - 1]]
        for place in at:
            log = b.top / "places"
            log.unlink(missing_ok=True)
            ended = b.apply(env=b.environment(MAAND_FAULT_AT=str(place), MAAND_FAULT_LOG=str(log)))
            if ended.code != -9:
                # Less was left to do than there are places.
                self.succeed(ended, self.ends)
                break
            names.append(log.read_text().splitlines()[-1])
        with self.subTest(died_at=names):
            self.succeed(b.apply(), self.ends)
            self.assert_same_end(b, undisturbed)
        b.remove()

    def assert_same_end(self, b, undisturbed):
        self.assert_same_rollout(b, undisturbed)

    def shard(self, number):
        for place in self.chosen(self.template()[2])[number::SHARDS]:
            self.die_and_resume([place])

    def twice(self, number):
        dice = random.Random(SEED * 1000 + number)
        places = len(self.template()[2])
        # The second process has the less left to do the later the first one died.
        for _ in range(self.pairs if CRASH != "all" else 12):
            place = dice.randint(1, places)
            self.die_and_resume([place, dice.randint(1, max(2, places - place)), dice.randint(1, 20)])


class Owner:
    """Stands for a test that never ends: what it owns is removed with the process."""
    @staticmethod
    def addCleanup(function, *_):
        import atexit
        atexit.register(function)


class RecoverCrash(Crash):
    """Death in a run that repairs what a bad release left: a host that failed its gate, one that owes it, one that is
    unfinished; then a first start and the upgrades."""

    sample = 12
    pairs = 1
    what = "a repair in 2 phases and a start, 1 job, 6 workers"

    def lay(self, b, version, workers, batch):
        b.workers_with({worker: ["base"] if worker in workers else [] for worker in WORKERS})
        # A service that is not well where the file `sick` lies beside its worker's jobs.
        gate = {"health_check": {
            "checks": [{"type": "ssh", "command": "mkdir -p gates && date +%s.%N >> gates/log && test ! -e sick"}],
            "timeout_seconds": 20, "wait": {"attempts": 1, "interval_seconds": 0}}}
        b.job("base", version, {"app.conf": version + "\n"}, bucket.makefile(pause=0), selectors=["base"],
              max_concurrent_upgrades=batch, **gate)

    def prepared(self):
        b = bucket.Bucket(Owner)
        self.lay(b, "1.0.0", WORKERS[:5], 2)
        self.succeed(b.plan())
        self.succeed(b.apply())
        root = lambda worker: b.job_dir(worker, "base").parent.parent
        (root(WORKERS[1]) / "sick").touch()
        self.lay(b, "2.0.0", WORKERS[:5], 3)
        self.succeed(b.plan())
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(2))
        (root(WORKERS[1]) / "sick").unlink()
        # The repair of the first batch fails on one of its hosts, before any gate.
        self.lay(b, "2.1.0", WORKERS[:5], 3)
        b.fail("base", WORKERS[0])
        self.succeed(b.plan())
        self.succeed(b.apply(), 1)
        self.succeed(b.abandon(3))
        b.mend("base", WORKERS[0])
        b.forget()
        self.lay(b, "3.0.0", WORKERS, 1)
        self.succeed(b.plan())
        phases = b.read_plan()["waves"][0]["jobs"][0]["phases"]
        self.assertEqual([phase["phase"] for phase in phases], ["recover", "start", "upgrade"])
        self.assertEqual([(row["worker"], row["reason"], row["gate"]) for batch in phases[0]["batches"] for row in batch], [
            (WORKERS[1], "content_changed", "failed"), (WORKERS[0], "unfinished", "owed"),
            (WORKERS[2], "content_changed", "owed")])
        return b


class RollbackCrash(Crash):
    """Death in a run that goes back: the second wave fails in its second batch, and the first one is complete; a host is
    new, and a job of an earlier release has other hooks."""

    sample = 16
    pairs = 1
    what = "a run that goes back, of 2 waves, 3 jobs, 6 workers"
    ends = 1

    def lay(self, b, version, labels):
        lay(b, version, labels)
        # 2.0.0 is not well where the file `sick` lies beside its worker's jobs.
        gate = {"health_check": {
            "checks": [{"type": "ssh", "command": "test ! -e sick || ! grep -q 2.0.0 jobs/front/app.conf"}],
            "timeout_seconds": 20, "wait": {"attempts": 1, "interval_seconds": 0}}}
        demand = {"job": "base", "command": "command_base", "config": {"min_version": "1.0.0"}}
        b.job("front", version, {"app.conf": version + "\n"}, bucket.makefile(pause=0), selectors=["front"],
              max_concurrent_upgrades=1, **gate, commands={
                  "command_front": {"executed_on": ["cli"], "demands": demand},
                  "command_note": {"executed_on": ["after_allocation_started"]}})

    def prepared(self):
        b = bucket.Bucket(Owner)
        self.lay(b, "1.0.0", LABELS)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        self.lay(b, "2.0.0", {**LABELS, "base": WORKERS[0:3]})
        (b.job_dir(WORKERS[5], "front").parent.parent / "sick").touch()
        self.succeed(b.plan("--on-failure", "rollback"))
        return b

    def assert_same_end(self, b, undisturbed):
        self.assertEqual(collections.Counter(b.targets()), collections.Counter(undisturbed.targets()))
        self.assertEqual(collections.Counter(b.began()), collections.Counter(b.targets()), "a target began more than once")
        self.assertEqual(self.found(b), self.found(undisturbed))
        self.assertEqual({(row["job"], row["worker"]): row["promoted"]["version"] for row in self.found(b) if row["promoted"]},
                         {(job, worker): "1.0.0" for job in ("base", "side", "front") for worker in LABELS[job]})
        for job in ("base", "side", "front"):
            for worker in LABELS[job]:
                self.assertEqual((b.job_dir(worker, job) / "app.conf").read_text(), "1.0.0\n")
        again = b.apply()
        self.refuse(again, 1, "was rolled back")
        self.assertEqual(len(b.began()), len(undisturbed.began()))

    def found(self, b):
        """What the catalog says, without numbers and times."""
        rows = json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)
        return [{key: value for key, value in row.items() if key not in ("run", "changed_at")} for row in rows]


class AroundCrash(Crash):
    """Death in an upgrade with hooks around its allocations: each runs once, and in its order."""

    sample = 12
    pairs = 1
    what = "an upgrade with hooks around 4 allocations"

    def prepared(self):
        hooks = {
            "command_open": hookbucket.Hook("before_batch", language="sh"),
            "command_drain": hookbucket.Hook("before_allocation", language="sh"),
            "command_fill": hookbucket.Hook("after_allocation_healthy", language="sh"),
            "command_close": hookbucket.Hook("after_allocation", language="sh"),
        }
        gate = {"health_check": {
            "checks": [{"type": "ssh", "command": "true"}], "timeout_seconds": 20,
            "wait": {"attempts": 1, "interval_seconds": 0}}}
        b = hookbucket.HookBucket(Owner)
        b.workers(*WORKERS[:4])
        for version in ("1.0.0", "2.0.0"):
            b.hook_job("base", version, hooks, make=bucket.makefile(pause=0), max_concurrent_upgrades=2, **gate)
            self.succeed(b.plan())
            if version == "1.0.0":
                self.succeed(b.apply())
        bucket.Bucket.forget(b)
        b.forget()
        return b

    def hooks(self, b):
        """The hooks of each allocation, in their order."""
        found = {}
        for line in b.trace("hook ended"):
            found.setdefault(line.worker, []).append(line.command)
        return found

    def assert_same_rollout(self, b, undisturbed):
        self.assertEqual(self.hooks(b), self.hooks(undisturbed))
        if self.ends == 0:
            super().assert_same_rollout(b, undisturbed)


class AroundFailureCrash(AroundCrash):
    """The same where a target fails: also then the last hooks run, and nothing of the next batch."""

    what = "an upgrade with hooks around allocations, of which one fails"
    ends = 1

    def prepared(self):
        b = super().prepared()
        b.fail("base", WORKERS[1])
        return b


for _number in range(SHARDS):
    setattr(Crash, f"test_places_{_number}", lambda self, number=_number: self.shard(number))
    setattr(Crash, f"test_twice_{_number}", lambda self, number=_number: self.twice(number))
