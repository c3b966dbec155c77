"""The block `rollout` of a manifest while a rollout runs: bake time and tolerated failures, and parking in a wait."""
import json
import re
import signal
import time
import unittest

import bucket

WORKERS = ["127.0.4.21", "127.0.4.22", "127.0.4.23"]


class RolloutBlock(bucket.Case):
    def deployed(self, **manifest):
        """Version 1.0.0 runs everywhere; a plan of version 2.0.0 is ready."""
        b = bucket.Bucket(self)
        b.workers(*WORKERS)
        plain = {key: value for key, value in manifest.items() if key != "rollout"}
        b.job("api", **plain)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", "2.0.0", **manifest)
        self.succeed(b.plan())
        return b

    def gaps(self, b):
        """Seconds from each restart to the next."""
        rows = b.rows()
        return [later.start - earlier.end for earlier, later in zip(rows, rows[1:])]

    # -- bake

    def test_a_batch_waits_for_the_bake_of_the_one_before(self):
        b = self.deployed(rollout={"bake_seconds": 1})
        shown = self.succeed(b.run("maand-plan", "show", b.file())).out
        self.assertIn("1 s of baking", shown)
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])
        self.assertGreaterEqual(min(self.gaps(b)), 1.0)

    def test_the_health_check_has_to_hold_at_the_end_of_a_bake(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(rollout={"bake_seconds": 3}, **health.manifest(attempts=1))
        child = b.start_apply()
        bucket.until(lambda: "bake" in b.status().out, "baking")
        health.sick.add(WORKERS[0])
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 1, out + err)
        self.assertIn("api/upgrade/1/bake", err)
        self.assertIn("503", err)
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")])
        # What baked is baked: the same command asks once more and goes on.
        health.sick.clear()
        out = self.succeed(b.apply()).out
        self.assertNotRegex(out, r"upgrade/1/bake.* s to go")
        self.assertRegex(out, r"upgrade/2/bake.* s to go")

    def test_a_kill_in_the_middle_of_a_bake_costs_no_second_bake(self):
        b = self.deployed(rollout={"bake_seconds": 4})
        child = b.start_apply()
        bucket.until(lambda: "bake" in b.status().out, "baking")
        child.kill()
        child.wait()
        time.sleep(2)  # the time that is measured, not a wait for something
        self.assertEqual(len(b.began()), 1)
        out = self.succeed(b.apply()).out
        left = re.search(r"upgrade/1/bake.* (\d+) s to go", out)
        self.assertLessEqual(int(left[1]) if left else 0, 2, "what has baked already counts")
        self.assertRegex(out, r"upgrade/2/bake.* 4 s to go")
        self.assertGreaterEqual(self.gaps(b)[0], 4.0)

    def test_sigint_during_a_bake_parks_at_once(self):
        b = self.deployed(rollout={"bake_seconds": 600})
        child = b.start_apply()
        bucket.until(lambda: "bake" in b.status().out, "baking")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        self.assertEqual(b.began(), [("api", WORKERS[0], "restart")])

    def test_sigint_during_a_gate_parks_at_once_and_the_gate_is_asked_again(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(**health.manifest(attempts=1000, interval=600))
        health.sick.add(WORKERS[0])
        health.probes.clear()
        child = b.start_apply()
        bucket.until(lambda: health.probes, "the gate was asked")
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=bucket.LIMIT)
        self.assertEqual(child.returncode, 75, out + err)
        health.sick.clear()
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    # -- new hosts

    def grown(self, when):
        """The first worker is new, and the others have a release to get."""
        health = bucket.Health(self, *WORKERS)
        b = bucket.Bucket(self)
        b.workers(*WORKERS[1:])
        manifest = {"rollout": {"new_hosts": when}, **health.manifest(attempts=1)}
        b.job("api", **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.workers(*WORKERS)
        b.job("api", "2.0.0", **manifest)
        self.succeed(b.plan())
        # Nothing answers there before it has started: no gate before that may ask it.
        health.probes.clear()
        health.sick.add(WORKERS[0])
        return b, health

    def test_new_hosts_with_the_upgrades_begin_where_their_turn_is(self):
        b, health = self.grown("with")
        self.refuse(b.apply(), 1, WORKERS[0], "503", "api/upgrade/1/gate")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "start")])
        health.sick.clear()
        self.succeed(b.apply())
        self.assertEqual(b.targets(), [("api", WORKERS[0], "start")] + [("api", w, "restart") for w in WORKERS[1:]])

    def test_new_hosts_come_last_and_no_gate_asks_them_before(self):
        b, health = self.grown("last")
        self.refuse(b.apply(), 1, WORKERS[0], "503", "api/start/gate")
        self.assertEqual(b.targets(), [("api", w, "restart") for w in WORKERS[1:]] + [("api", WORKERS[0], "start")])
        health.sick.clear()
        self.succeed(b.apply())
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml")).code, 0)

    def test_a_new_host_in_a_later_batch_of_upgrades_is_not_asked_before(self):
        b, health = self.grown("with")
        b.write("jobs/api/vars.toml", f'rollout_order = "{WORKERS[1]},{WORKERS[2]},{WORKERS[0]}"\n')
        self.succeed(b.plan())
        self.refuse(b.apply(), 1, WORKERS[0], "503", "api/upgrade/3/gate")
        self.assertEqual(b.targets(), [("api", w, "restart") for w in WORKERS[1:]] + [("api", WORKERS[0], "start")])

    # -- failures

    def test_further_batches_after_a_tolerated_failure(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(rollout={"max_failures": 1}, **health.manifest(attempts=1))
        b.fail("api", WORKERS[0])
        health.sick.add(WORKERS[0])
        self.refuse(b.apply(), 1, WORKERS[0], "fails on purpose", "--retry-failed")
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS[1:]])
        states = {row["worker"]: row["promoted"]["version"] for row in
                  json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)}
        self.assertEqual(states, {WORKERS[0]: "1.0.0", WORKERS[1]: "2.0.0", WORKERS[2]: "2.0.0"})
        b.mend("api", WORKERS[0])
        # Its batch has passed its gate without it, which does not count any more.
        self.refuse(b.apply("--retry-failed"), 1, WORKERS[0], "503", "api/upgrade/1/gate")
        health.sick.clear()
        self.succeed(b.apply())
        self.assertEqual(len(b.targets()), 3)
        self.assertEqual(self.succeed(b.plan("--detailed-exitcode", out="rest.plan.yaml")).code, 0)

    def test_a_retried_canary_holds_the_next_batch_at_its_gate(self):
        health = bucket.Health(self, *WORKERS)
        b = self.deployed(rollout={"max_failures": 1}, **health.manifest(attempts=1))
        for worker in WORKERS[:2]:
            b.fail("api", worker)
        self.refuse(b.apply(), 1, WORKERS[1], "fails on purpose")
        for worker in WORKERS[:2]:
            b.mend("api", worker)
        health.sick.add(WORKERS[0])
        self.refuse(b.apply("--retry-failed"), 1, "503", "api/upgrade/1/gate")
        self.refuse(b.apply("--retry-failed"), 1, "503", "api/upgrade/1/gate")
        self.assertEqual(b.targets(), [("api", WORKERS[0], "restart")], "the next batch waits")
        health.sick.clear()
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(b.targets(), [("api", worker, "restart") for worker in WORKERS])

    def test_one_failure_more_ends_the_job(self):
        b = self.deployed(rollout={"max_failures": 1})
        b.fail("api", WORKERS[0])
        b.fail("api", WORKERS[1])
        self.refuse(b.apply(), 1, WORKERS[0], WORKERS[1])
        self.assertNotIn(("api", WORKERS[2], "restart"), b.began())


if __name__ == "__main__":
    unittest.main()
