"""kill -9 at every place of a run that goes on without a host, and of one that takes it in again."""
import json

import bucket
import test_crash
import test_left_behind
from test_left_behind import WORKERS


class Crash(test_left_behind.Absent, test_crash.Crash):
    """Death in a run that goes on without a host: the decision is committed before anything else happens."""

    sample = 12
    pairs = 1
    what = "a rollout that leaves a host behind, 2 jobs, 4 workers"

    def lay(self, b, version):
        b.workers_with({worker: ["side"] if worker in WORKERS[1:] else [] for worker in WORKERS})
        make = bucket.makefile(pause=0)
        files = {"app.conf": version + "\n"}
        b.job("base", version, files, make, max_concurrent_upgrades=2, rollout={"max_unreachable": 1},
              commands={"command_base": {"executed_on": ["cli"]}}, **test_left_behind.GATE)
        b.job("side", version, files, make, selectors=["side"], rollout={"max_unreachable": "50%"}, commands={
            "command_side": {"executed_on": ["cli"], "demands": {"job": "base", "command": "command_base", "config": {}}}})

    def prepared(self):
        b = self.upgrading(bucket.Bucket(test_crash.Owner))
        self.lose(b, WORKERS[2])
        return b

    def upgrading(self, b):
        """Runs 1.0.0, and has a plan for 2.0.0."""
        self.lay(b, "1.0.0")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        self.lay(b, "2.0.0")
        self.succeed(b.plan())
        return b

    def assert_same_rollout(self, b, undisturbed):
        names = lambda bucket_: [(row["job"], row["worker"]) for row in json.loads(
            self.succeed(bucket_.status("--format", "json")).out)["left_behind"]]
        self.assertEqual(names(b), [("base", WORKERS[2]), ("side", WORKERS[2])])
        self.assertEqual(names(undisturbed), names(b))
        wanted = sorted([("base", worker, "restart") for worker in WORKERS if worker != WORKERS[2]]
                        + [("side", worker, "restart") for worker in (WORKERS[1], WORKERS[3])])
        self.assertEqual(sorted(b.targets()), wanted)
        self.assertEqual(sorted(b.began()), wanted)
        for what, flags in (("allocations", ["--format", "json"]), ("jobs", ["--format", "json"]), ("export", [])):
            mine, theirs = b.catalog(what, *flags), undisturbed.catalog(what, *flags)
            self.assertEqual(bucket.TIME.sub("then", mine.out), bucket.TIME.sub("then", theirs.out), f"catalog {what}")
        self.assertIn("Done already", self.succeed(b.apply()).out)


class Retrying(bucket.Bucket, test_left_behind.Absent):
    """A copy has left a host behind, and failed elsewhere; all is well again. Its commands try again what failed."""

    def apply(self, *flags, **options):
        return super().apply("--retry-failed", *flags, **options)

    # Receipts that were copied would prove nothing, so each copy has its own.
    def copy(self, test):
        b = super().copy(test)
        self.lose(b, WORKERS[2])
        b.fail("side", WORKERS[3])
        failed = bucket.Bucket.apply(b)
        assert failed.code == 1, failed
        self.find(b, WORKERS[2])
        b.mend("side", WORKERS[3])
        return b


class TakenInCrash(Crash):
    """Death while a run takes in a host that it had left behind."""

    sample = 8
    pairs = 1
    what = "a run that takes in a host that it had left behind, 2 jobs, 4 workers"

    def prepared(self):
        return self.upgrading(Retrying(test_crash.Owner))

    def assert_same_rollout(self, b, undisturbed):
        self.assertEqual(json.loads(self.succeed(b.status("--format", "json")).out)["left_behind"], [])
        wanted = sorted([("base", worker, "restart") for worker in WORKERS]
                        + [("side", worker, "restart") for worker in WORKERS[1:]])
        self.assertEqual(sorted(b.targets()), wanted)
        self.assertEqual(sorted(b.began()), sorted([*wanted, ("side", WORKERS[3], "restart")]))
        mine, theirs = b.catalog("export"), undisturbed.catalog("export")
        self.assertEqual(bucket.TIME.sub("then", mine.out), bucket.TIME.sub("then", theirs.out))
        self.assertNotIn("owes_gate", mine.out)
        self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml"))
        self.assertIn("Done already", self.succeed(b.apply()).out)


if __name__ == "__main__":
    import unittest
    unittest.main()
