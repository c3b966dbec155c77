"""Workers that lose what they knew of a run: what has run is never run again unseen, and nothing is forgotten."""
import contextlib
import json
import os
import shutil
import signal

import bucket
from bucket import until

WORKER = "127.0.26.1"
OTHER = "127.0.26.2"


class LostState(bucket.Case):
    def killed(self):
        """A bucket in which apply was killed while a restart runs, held by its knob."""
        b = bucket.Bucket(self)
        b.workers(WORKER)
        b.job("api")
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", "2.0.0")
        self.succeed(b.plan())
        b.hold("api", WORKER)
        apply = b.start_apply()
        until(lambda: b.began(), "the restart began")
        apply.send_signal(signal.SIGKILL)
        apply.wait()
        return b

    def lose(self, b):
        """The receipts of all runs are gone, `generation` and the locks are there."""
        receipts = b.path / "workers" / WORKER / "opt/worker" / b.id / "receipts"
        for folder in receipts.iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                shutil.rmtree(folder)
        return receipts

    def test_the_lock_of_a_job_proves_how_its_target_ended(self):
        b = self.killed()
        b.release("api", WORKER)
        receipts = b.path / "workers" / WORKER / "opt/worker" / b.id / "receipts"
        until(lambda: "exit.0" in (receipts / ".lock/api").read_text(), "the restart ended")
        self.lose(b)
        self.succeed(b.apply())
        self.assertEqual(b.began(), [("api", WORKER, "restart")])
        self.assertIn("2.0.0", self.succeed(b.catalog("allocations")).out)

    def test_without_any_proof_a_person_decides(self):
        b = self.killed()
        for process in b.processes():
            os.kill(process, signal.SIGKILL)
        until(lambda: not b.processes(), "the restart is dead")
        self.lose(b)
        b.release("api", WORKER)
        step = f"api/upgrade/1/{WORKER}/restart"
        self.refuse(b.apply(), 4, step, "resolve")
        self.assertEqual(b.began(), [("api", WORKER, "restart")])
        self.succeed(b.run("maand-apply", "resolve", "2", step, "failed", "--reason", "it is dead", "--bucket", b.path))
        self.succeed(b.apply("--retry-failed"))
        self.assertEqual(b.began(), [("api", WORKER, "restart")] * 2)

    # -- the proof before a batch is promoted

    def upgrade(self, **manifest):
        """Both workers run 1.0.0, and a plan brings 2.0.0 to both in one batch."""
        b = bucket.Bucket(self)
        b.workers(WORKER, OTHER)
        b.job("api", max_concurrent_upgrades=2, **manifest)
        self.succeed(b.plan())
        self.succeed(b.apply())
        b.forget()
        b.job("api", "2.0.0", max_concurrent_upgrades=2, **manifest)
        self.succeed(b.plan())
        return b

    def half(self, b):
        """An apply whose target on WORKER has ended, and that on OTHER is held."""
        b.hold("api", OTHER)
        apply = b.start_apply()
        until(lambda: ("api", WORKER, "restart") in b.targets() and len(b.began()) == 2, "one has ended, one runs")
        until(lambda: "exit.0" in (self.root(b) / "receipts/.lock/api").read_text(), "the worker has said so")
        return apply

    def root(self, b):
        return b.path / "workers" / WORKER / "opt/worker" / b.id

    def versions(self, b):
        rows = json.loads(self.succeed(b.catalog("allocations", "--format", "json")).out)
        return {row["worker"]: row["promoted"]["version"] for row in rows}

    def empty(self, b):
        shutil.rmtree(self.root(b))

    def put_back(self, b):
        """What a copy of the disk from before the restart has: the locks' words and the lists, on the same inodes."""
        (self.root(b) / "receipts/.lock/api").write_text("another-attempt-1 exit.0 start\n")

    def test_a_worker_that_is_not_the_one_that_acted_is_not_promoted(self):
        for change in (self.empty, self.put_back):
            b = self.upgrade()
            apply = self.half(b)
            change(b)
            b.release("api", OTHER)
            out, err = apply.communicate(timeout=bucket.LIMIT)
            step = f"api/upgrade/1/{WORKER}/promote"
            self.assertEqual(apply.returncode, 4, out + err)
            self.assertIn(f"{step} is unknown: not promoted", err)
            self.assertEqual(self.versions(b), {WORKER: "1.0.0", OTHER: "2.0.0"})
            self.refuse(b.apply(), 4, step)
            # The next plan acts there alone.
            self.succeed(b.abandon(2))
            self.succeed(b.plan())
            self.assertEqual(bucket.actions(b.read_plan())["api"], {WORKER: ("restart", "unfinished")})

    def test_what_was_decided_of_another_attempt_proves_nothing(self):
        b = self.upgrade()
        b.hold("api", OTHER)
        b.hold("api", WORKER)
        apply = b.start_apply()
        until(lambda: len(b.began()) == 2, "both have begun")
        apply.send_signal(signal.SIGKILL)
        apply.communicate()
        for process in b.processes():
            # One may end with another.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until(lambda: not b.processes(), "both are dead")
        b.release("api", WORKER)
        self.refuse(b.apply(), 4)
        for worker in (WORKER, OTHER):
            self.succeed(b.run("maand-apply", "resolve", "2", f"api/upgrade/1/{worker}/restart", "failed",
                               "--reason", "killed", "--bucket", b.path))
        apply = b.start_apply("--retry-failed")
        until(lambda: ("api", WORKER, "restart") in b.targets() and len(b.began()) == 4, "one has ended, one runs")
        until(lambda: "exit.0" in (self.root(b) / "receipts/.lock/api").read_text(), "the worker has said so")
        self.put_back(b)
        b.release("api", OTHER)
        out, err = apply.communicate(timeout=bucket.LIMIT)
        self.assertEqual(apply.returncode, 4, out + err)
        self.assertEqual(self.versions(b), {WORKER: "1.0.0", OTHER: "2.0.0"})

    def test_a_person_may_say_that_it_runs(self):
        b = self.upgrade()
        apply = self.half(b)
        self.put_back(b)
        b.release("api", OTHER)
        apply.communicate(timeout=bucket.LIMIT)
        step = f"api/upgrade/1/{WORKER}/promote"
        self.succeed(
            b.run("maand-apply", "resolve", "2", step, "succeeded", "--reason", "it runs", "--bucket", b.path))
        self.succeed(b.apply())
        self.assertEqual(self.versions(b), {WORKER: "2.0.0", OTHER: "2.0.0"})
        self.succeed(b.plan("--detailed-exitcode"))

    def test_emptied_while_nobody_executes_the_run(self):
        b = self.upgrade()
        apply = self.half(b)
        apply.send_signal(signal.SIGKILL)
        apply.communicate()
        self.empty(b)
        b.release("api", OTHER)
        result = b.apply()
        self.assertIn(result.code, (1, 4), result)
        # Whichever of the two was not known before.
        self.assertRegex(result.err, f"api/upgrade/1/{WORKER}/(restart|promote) is (unknown|unreachable)")
        self.assertEqual(self.versions(b), {WORKER: "1.0.0", OTHER: "2.0.0"})
